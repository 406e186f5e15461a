"""The Model Context Protocol over Streamable HTTP: agents call actions as tools.

For clients of the versions 2025-03-26 to 2026-07-28. It is written without the protocol's SDK: what
that serves is in one process's memory, and here a call is a run. So any process answers any
request, and a client continues after a restart of all of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import ClassVar, Final, TypeAlias

from yieldwire.asgi import Actions, BoundAction
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.mcpstream import MOST_BYTES, MCPEncoder, failed, is_answered, run_of, uri_of
from yieldwire.dialects.mcptask import (
    LABEL,
    MCPTasks,
    answer_questions,
    handle_answer,
    task_method,
)
from yieldwire.dialects.mcptool import is_callable, is_tool, tool_of
from yieldwire.dialects.mcpwire import (
    HANDSHAKES,
    INVALID_PARAMS,
    META,
    NO_METHOD,
    SESSION_HEADER,
    STATELESS,
    TASKS,
    AgentMessage,
    EventPlace,
    MessageId,
    RPCFault,
    fault_of,
    fault_reply,
    new_session,
)
from yieldwire.errors import (
    ErrorObject,
    Json,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    Unauthorized,
    UsageError,
    ValidationFailed,
)
from yieldwire.log.cursor import parse_cursor
from yieldwire.log.run import RunRecord

PATH: Final = "mcp"
"""The path at an application's own URLs."""
HANDOVER: Final = 5.0
"""Seconds that answers can take until their request reads the run."""
_VERSION: Final = version("yieldwire")
_SSE: Final = "text/event-stream"
_LOG: Final = "application/x-ndjson"

_Answer: TypeAlias = Callable[[ForeignCall, AgentMessage], Awaitable[None]]


class MCP(Dialect):
    """Answers clients of the Model Context Protocol: every action is a tool.

    A run's `Progress` is the call's progress; of an action without it, the texts are. A question is
    put to a person by the client, if it can. An action's own error is a result that is an error,
    which the client's model reads. A run that continues without its client is a task.

    It is mounted at the URL that clients are given, ``Mount("/mcp", MCP(actions))``.
    ``actions.mount(MCP())`` answers at ``mcp``.

    Args:
        target: An application, one action, or nothing for ``actions.mount(MCP())``.
        tools: The names of the actions that are tools; ``None``: all but feeds, which can last
            forever, and those that need a file, which clients cannot send.
        name: How clients call the server.
        instructions: What a client's model is told about the tools together.
        resource_metadata: The URL of the application's OAuth metadata (RFC 9728), by which a client
            that is refused with 401 finds out where to get a token.
        waits_for_answers: As in `Dialect`, for clients that cannot ask a person.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        tools: Sequence[str] | None = None,
        name: str = "yieldwire",
        instructions: str = "",
        resource_metadata: str | None = None,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        if isinstance(tools, str):
            raise UsageError(f"MCP: tools is a list of names such as ['search'], not {tools!r}.")
        self._tools: Final = None if tools is None else frozenset(tools)
        self._server: Final[Json] = {"name": name, "version": _VERSION}
        found = "" if resource_metadata is None else f' resource_metadata="{resource_metadata}"'
        self._challenge: Final = [("www-authenticate", f"Bearer{found}")]
        self._told: Final[Json] = {"instructions": instructions} if instructions else {}
        both: dict[str, _Answer] = {
            "tools/list": self._list,
            "tools/call": self._call,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read,
        }
        self._handshake: Final = both | {"initialize": self._initialize, "ping": self._ping}
        self._stateless: Final = both | {"server/discover": self._discover}

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the request is at ``mcp``, which is not an action."""
        return head.path == PATH and actions.app.registry.find(PATH) is None

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return an error of JSON-RPC, with the status of the error."""
        return self._refused(error, None)

    def _refused(self, error: ErrorObject, id: MessageId) -> Reply:
        headers = self._challenge if error.status == Unauthorized.status else ()
        return replace(fault_reply(fault_of(error), id, error.status), headers=headers)

    def _refusal_of(self, asked: AgentMessage, error: ErrorObject) -> Reply:
        """Return a refusal: of a call as its result, of anything else as an error of JSON-RPC."""
        if error.code == Unauthorized.code:
            return self._refused(error, asked.id)
        if asked.method == "tools/call":
            return asked.answered(failed(error))
        return asked.refused(fault_of(error))

    async def answer(self, call: ForeignCall) -> None:
        """Answer one message, or resume the stream of one."""
        if call.head.path not in {"", PATH}:
            raise NotFound("Messages are sent by POST to the URL of the server.")
        if call.head.method == "GET":
            await self._resume(call)
            return
        try:
            asked = AgentMessage.read(call.head, call.parse(await call.body(), around=2))
        except RPCFault as fault:
            await call.reply(fault_reply(fault, None))
            return
        try:
            await self._act(call, asked)
        except RPCFault as fault:
            await call.reply(asked.refused(fault))

    async def _act(self, call: ForeignCall, asked: AgentMessage) -> None:
        if not asked.is_request:
            if asked.method == "notifications/cancelled" and not asked.is_stateless:
                await self._cancel(call, asked)
            elif not asked.method:
                await handle_answer(call, asked)
            await call.reply(Reply(status=202))
            return
        call.refuse_by(partial(self._refusal_of, asked))
        handler = (self._stateless if asked.is_stateless else self._handshake).get(asked.method)
        if handler is not None:
            await handler(call, asked)
        elif (task := task_method(asked)) is not None:
            await task(MCPTasks(call, asked))
        else:
            raise RPCFault(NO_METHOD, f"There is no method {asked.method!r:.100}.")

    # What the server is.

    async def _initialize(self, call: ForeignCall, asked: AgentMessage) -> None:
        capabilities, wanted = asked.params.get("capabilities"), asked.params.get("protocolVersion")
        call.add_header(SESSION_HEADER, new_session(capabilities))
        call.add_header("access-control-expose-headers", SESSION_HEADER)
        told = {
            "protocolVersion": wanted if wanted in HANDSHAKES else HANDSHAKES[0],
            "capabilities": {
                "tools": {},
                "resources": {},
                "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}},
            },
            "serverInfo": self._server,
            **self._told,
        }
        await call.reply(asked.answered(told))

    async def _discover(self, call: ForeignCall, asked: AgentMessage) -> None:
        told = {
            "supportedVersions": [STATELESS, *HANDSHAKES],
            "capabilities": {"tools": {}, "resources": {}, "extensions": {TASKS: {}}},
            "_meta": {META + "serverInfo": self._server},
            **self._told,
        }
        await call.reply(asked.answered(told, is_cacheable=True))

    async def _ping(self, call: ForeignCall, asked: AgentMessage) -> None:
        await call.reply(asked.answered({}))

    # Tools.

    async def _list(self, call: ForeignCall, asked: AgentMessage) -> None:
        self._check_names(call)
        tools = [
            tool_of(action, has_tasks=asked.version == HANDSHAKES[0])
            for action in call.actions
            if self._has(action)
        ]
        await call.reply(asked.answered({"tools": tools}, is_cacheable=True))

    def _check_names(self, call: ForeignCall) -> None:
        """Raise if a name in ``tools`` is not that of a tool: actions can be declared later.

        Raises:
            UsageError: If it is not.
        """
        known = {action.name for action in call.actions if is_callable(action)}
        if unknown := sorted((self._tools or frozenset()) - known):
            raise UsageError(
                f"MCP: {unknown[0]!r} in tools is not an action, or it needs a file; "
                f"there are: {', '.join(sorted(known))}."
            )

    def _has(self, action: AnyAction) -> bool:
        if self._tools is None:
            return is_callable(action) if self._own is not None else is_tool(action)
        return action.name in self._tools and is_callable(action)

    def _tool(self, call: ForeignCall, name: str) -> AnyAction:
        with suppress(NotFound):
            action = call.action(name)
            if action.name == name and self._has(action):
                return action
        raise RPCFault(INVALID_PARAMS, f"There is no tool {name!r:.100}.")

    async def _call(self, call: ForeignCall, asked: AgentMessage) -> None:
        action = self._tool(call, asked.text("name"))
        arguments = asked.object("arguments")
        if "requestState" in asked.params and asked.is_stateless:
            await self._continue(call, asked, action)
            return
        is_task = asked.takes_tasks if asked.is_stateless else "task" in asked.params
        if not is_task and _SSE not in call.head.headers.get("accept", _SSE):
            raise NotAcceptable(f"A call is answered as {_SSE}; accept it.")

        async def read() -> Json:
            return arguments

        labels = [asked.label(asked.id), *([LABEL] if is_task else [])]
        if is_task and asked.session:
            labels.append(asked.label(None))
        # A client of 2026 cannot come back, and stops a call by leaving.
        linger = 0.0 if asked.is_stateless else None
        run = await call.start(action, read, labels=labels, linger=linger, detached=is_task)
        if is_task:
            await MCPTasks(call, asked).created(run)
        else:
            await call.stream(run, self._encoder(action, asked, run))

    def _encoder(self, action: AnyAction, asked: AgentMessage, run: RunRecord) -> MCPEncoder:
        place = EventPlace(
            run_id=run.id, id=asked.id, token=asked.token, asks_people=asked.asks_people
        )
        encoder = MCPEncoder(action, place, is_stateless=asked.is_stateless)
        encoder.is_primed = asked.version == HANDSHAKES[0]
        return encoder

    async def _continue(self, call: ForeignCall, asked: AgentMessage, action: AnyAction) -> None:
        """Take the answers to a run's questions, and answer with the rest of the run."""
        run_id, seq, _ = parse_cursor(asked.text("requestState"))
        run = await call.run(run_id)
        if run.action != action.name:
            raise RPCFault(INVALID_PARAMS, "The requestState is of another tool.")
        async with call.attached(run, HANDOVER):
            try:
                ids = await answer_questions(call, run, asked.object("inputResponses"))
            except ValidationFailed:
                await call.cancel(run.id)  # the client takes the refusal for the end
                raise
            questions = await call.questions(run)
            encoder = self._encoder(action, asked, run)
            encoder.answered = is_answered(ids, run.seq, questions.find)
            await call.stream(run, encoder, after=seq)

    # Streams of 2025.

    async def _resume(self, call: ForeignCall) -> None:
        event = call.head.headers.get("last-event-id", "")
        if not event:
            call.add_header("allow", "POST")
            await call.reply(Reply(status=405))  # there are no messages but those to requests
            return
        place = EventPlace.parse(event)
        run = await call.run(place.run_id)
        if run.status.is_terminal and place.after >= run.seq:
            raise NotFound("The stream has ended.")
        questions = await call.questions(run)
        encoder = MCPEncoder(call.action(run.action), place)
        encoder.answered = is_answered((), run.seq, questions.find)
        await call.stream(run, encoder, after=place.after)

    async def _cancel(self, call: ForeignCall, asked: AgentMessage) -> None:
        id_ = asked.params.get("requestId")
        run = await call.newest(None, asked.label(id_)) if asked.session else None
        if run is not None and not run.detached:
            await call.cancel(run.id)

    # Resources: the logs of runs.

    async def _list_resources(self, call: ForeignCall, asked: AgentMessage) -> None:
        # Runs are many, and known to those who started them.
        await call.reply(asked.answered({"resources": []}, is_cacheable=True))

    async def _list_templates(self, call: ForeignCall, asked: AgentMessage) -> None:
        template = {
            "uriTemplate": uri_of("{run}"),
            "name": "run",
            "description": "The events of a run, a line of JSON for each.",
            "mimeType": _LOG,
        }
        await call.reply(asked.answered({"resourceTemplates": [template]}, is_cacheable=True))

    async def _read(self, call: ForeignCall, asked: AgentMessage) -> None:
        uri = asked.text("uri")
        if (run_id := run_of(uri)) is None:
            raise NotFound(f"There is no resource {uri!r:.100}.")
        run, encoder, text = await call.run(run_id), NDJSONEncoder(), bytearray()
        async for block in call.log(run):
            text += encoder.encode(block.without_debug())
            if len(text) > MOST_BYTES:
                raise PayloadTooLarge(f"The log is longer than {MOST_BYTES} bytes.")
        contents = [{"uri": uri, "mimeType": _LOG, "text": text.decode()}]
        await call.reply(asked.answered({"contents": contents}, is_cacheable=True))
