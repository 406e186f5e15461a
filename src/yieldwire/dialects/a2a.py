"""A2A 1.0: agents of other systems call actions, over its binding to JSON-RPC.

A task is a run that continues without its client, in any process. Its streams have no places: after
a cut, a client subscribes to the task, and gets all of it and what follows. The protocol's SDK
keeps tasks in the memory of one process, so it is not used here.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from typing import ClassVar, Final

from pydantic_core import from_json, to_json

from yieldwire.asgi import Actions, BoundAction
from yieldwire.describe.schema import Schema, alternatives, definitions_of, kinds, properties_of
from yieldwire.dialects.a2astream import CONTEXT, SETTLED, A2AEncoder, A2AWhole, context_of
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.translation import Translation
from yieldwire.errors import (
    AlreadyAnswered,
    Conflict,
    ErrorObject,
    Forbidden,
    Json,
    KeyReused,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    RunEnded,
    Unauthorized,
    UnsupportedMediaType,
    ValidationFailed,
)
from yieldwire.log.cursor import Cursor
from yieldwire.log.run import RunRecord
from yieldwire.runs.start import ANONYMOUS_KEY_LENGTH

PREFIX: Final = "a2a/"
"""Before the action's name, at an application's own URLs."""
CARD: Final = ".well-known/agent-card.json"
QUESTION: Final = "yieldwire/question"
"""The member of a message's metadata that names the question it answers."""
_DEPTH: Final = 6
"""How much deeper the data of a message is than its own JSON."""
_VERSION: Final = version("yieldwire")
_INVALID: Final = -32600
_NUMBERS: Final[Mapping[str, int]] = {
    AlreadyAnswered.code: -32004,
    Conflict.code: -32002,
    "INTERNAL_ERROR": -32603,
    MethodNotAllowed.code: -32601,
    NotAcceptable.code: -32009,
    NotFound.code: -32001,
    "PARSE_ERROR": -32700,
    RunEnded.code: -32004,
    UnsupportedMediaType.code: -32005,
    ValidationFailed.code: -32602,
}
"""The protocol's numbers of errors, as far as it has one."""


class A2A(Dialect):
    """Answers clients of A2A 1.0: every action is an agent.

    The data of a message are the action's inputs by their names, its text is the first other input
    that takes text, and its ``contextId`` is an input too. A question of the run requires input:
    the next message to the task answers it. A run that fails is a task that failed.

    For one action it is mounted where the agent is; for an application, the action's name follows.
    ``actions.mount(A2A())`` answers below ``a2a/`` and the name. The agent's card is at
    ``.well-known/agent-card.json`` below that.

    Args:
        target: One action, an application, or nothing for ``actions.mount(A2A())``.
        card: Members of each card, such as ``version`` and ``securitySchemes``, in place of those
            that are made of the action.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        card: Mapping[str, Json] | None = None,
    ) -> None:
        super().__init__(target)
        self._card: Final = card or {}

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the request is below ``a2a/``, for an action that exists."""
        is_known = actions.app.registry.find(self._place(head)[0]) is not None
        return head.path.startswith(PREFIX) and is_known

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return an error of JSON-RPC."""
        return _refusal(None, error)

    async def answer(self, call: ForeignCall) -> None:
        """Answer with the card, or do what a message asks for."""
        name, rest = self._place(call.head)
        action, is_post = call.action(name), call.head.method == "POST"
        if rest == CARD and not is_post:
            card = to_json(self._card_of(action, call.head))
            await call.reply(Reply(body=card, media_type="application/json"))
        elif is_post and not rest:
            await _Asked(call, action).answer()
        else:
            raise NotFound(f"Messages are sent by POST to the URL in the card, which is at {CARD}.")

    def _place(self, head: Head) -> tuple[str, str]:
        """Return the name of the action in the path, and the rest."""
        if self._own is not None:
            return "", head.path
        name, _, rest = head.path.removeprefix(PREFIX).partition("/")
        return name, rest

    def _card_of(self, action: AnyAction, head: Head) -> Json:
        told = {"name": action.name, "description": action.doc}
        url, modes = (
            head.origin + head.url.removesuffix(CARD),
            ["text/plain", "application/json"],
        )
        return {
            **told,
            "version": _VERSION,
            "supportedInterfaces": [
                {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
            ],
            "capabilities": {"streaming": True},
            "defaultInputModes": modes,
            "defaultOutputModes": modes,
            "skills": [{"id": action.name, "tags": [action.name], **told}],
            **self._card,
        }


class _Asked:
    """What a client asks an agent for."""

    def __init__(self, call: ForeignCall, action: AnyAction) -> None:
        self._call, self._action = call, action
        self._id: Json = None

    async def answer(self) -> None:
        call = self._call
        said = call.parse(await call.body(), around=_DEPTH)
        said = said if isinstance(said, dict) else {}
        self._id, params = said.get("id"), said.get("params", {})
        call.refuse_by(partial(_refusal, self._id))
        spoken = call.head.headers.get("a2a-version", "1.0")
        if spoken.partition(".")[0] != "1":
            raise NotAcceptable(f"A2A {spoken!r:.20} is not supported; use 1.0.")
        if said.get("jsonrpc") != "2.0" or not isinstance(params, dict):
            raise ValidationFailed({}, "Send one JSON-RPC 2.0 request.")
        match said.get("method"):
            case "SendMessage":
                await self._send(params, A2AWhole)
            case "SendStreamingMessage":
                await self._send(params, A2AEncoder)
            case "GetTask":
                await self._reply(await self._run(params.get("id")))
            case "CancelTask":
                await self._cancel(await self._run(params.get("id")))
            case "SubscribeToTask":
                run = await self._run(params.get("id"))
                if run.status.is_terminal:
                    raise RunEnded("The task has ended; read it by GetTask.")
                await self._stream(run, A2AEncoder, await self._task(run))
            case method:
                told = f"There is no method {method!r:.100} here."
                error = ErrorObject(code=MethodNotAllowed.code, message=told)
                await call.reply(_refusal(self._id, error))

    async def _run(self, id: Json) -> RunRecord:
        """Return the run that is a task. Another's is refused as one that does not exist."""
        with suppress(Forbidden, NotFound, Unauthorized):
            run = await self._call.run(id if isinstance(id, str) else "")
            if run.action == self._action.name:
                return run
        raise NotFound("There is no such task.")

    async def _cancel(self, run: RunRecord) -> None:
        if run.status.is_terminal:
            raise Conflict("The task has ended.")
        await self._call.cancel(run.id)
        await self._call.outcome(run)
        await self._reply(await self._run(run.id))

    async def _send(self, params: Mapping[str, Json], kind: type[A2AEncoder]) -> None:
        message, options = params.get("message"), params.get("configuration")
        message = message if isinstance(message, dict) else {}
        parts = message.get("parts")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise ValidationFailed({}, "Send a message with parts.")
        if any("raw" in part or "url" in part for part in parts):
            raise UnsupportedMediaType("Files are not supported; send text and data.")
        answered: Collection[str] = ()
        if message.get("taskId"):
            run, answered = await self._answer(message, parts)
        else:
            run = await self._start(message, parts)
        task = await self._task(run, answered)
        returns = isinstance(options, dict) and options.get("returnImmediately")
        if task["status"]["state"] in SETTLED or (returns and kind is A2AWhole):
            told = kind(run, self._wrap)
            await self._call.reply(
                Reply(body=told.frame({"task": task}), media_type=told.media_type)
            )
        else:
            await self._stream(run, kind, task, answered)

    async def _start(
        self, message: Mapping[str, Json], parts: Sequence[Mapping[str, Json]]
    ) -> RunRecord:
        context, schema = message.get("contextId"), self._action.input_schema
        fields, sent = properties_of(schema), {"contextId": context} if context else {}
        for part in parts:
            sent |= part["data"] if isinstance(part.get("data"), dict) else {}
        definitions = definitions_of(schema)
        open_ = (name for name in fields if name not in sent and name != "contextId")
        first = next((n for n in open_ if _takes_text(fields[n], definitions)), None)
        if first and (text := _text_of(parts)):
            sent[first] = text

        async def read() -> Json:
            return {name: value for name, value in sent.items() if name in fields}

        return await self._call.start(
            self._action,
            read,
            # A message that is sent again belongs to the same task.
            key=_key_of(message),
            labels=[f"{CONTEXT}{context}"] if context else [],
            detached=not self._action.options.is_feed,
        )

    async def _answer(
        self, message: Mapping[str, Json], parts: Sequence[Mapping[str, Json]]
    ) -> tuple[RunRecord, Collection[str]]:
        """Answer the question that a message names, or the first one; return the run and its id."""
        run = await self._run(message["taskId"])
        if run.status.is_terminal:
            raise RunEnded("The task has ended; send a message without its id.")
        if message.get("contextId") and message["contextId"] != context_of(run):
            raise ValidationFailed({}, "The task belongs to another context.")
        metadata = message.get("metadata")
        wanted = metadata.get(QUESTION) if isinstance(metadata, dict) else None
        questions = (await self._call.questions(run)).listed()
        asked = next((each for each in questions if wanted is None or wanted == each["id"]), None)
        if asked is None:
            raise AlreadyAnswered
        schema, value = asked.get("schema") or {}, _text_of(parts)
        if not _takes_text(schema, definitions_of(schema)):
            with suppress(ValueError):
                value = from_json(value)
        value = next((part["data"] for part in parts if "data" in part), value)
        try:
            await self._call.answer(run.id, asked["id"], value, key=_key_of(message))
        except KeyReused as exc:  # a message that is sent again does not answer what was asked next
            raise AlreadyAnswered from exc
        return await self._run(run.id), [asked["id"]]

    async def _task(self, run: RunRecord, answered: Collection[str] = ()) -> dict[str, Json]:
        encoder = A2AEncoder(run, self._wrap, answered)
        translation = Translation(encoder)
        translation.opening(Cursor(run.id, 0), b"")
        async for block in self._call.log(run):
            translation.encode(block)
        return encoder.task()

    async def _stream(
        self, run: RunRecord, kind: type[A2AEncoder], task: Json, answered: Collection[str] = ()
    ) -> None:
        encoder = kind(run, self._wrap, answered)
        encoder.greeting = b"" if kind is A2AWhole else encoder.frame({"task": task})
        await self._call.stream(run, encoder, after=run.seq)

    async def _reply(self, run: RunRecord) -> None:
        body = self._wrap(await self._task(run))
        await self._call.reply(Reply(body=body, media_type="application/json"))

    def _wrap(self, result: Json) -> bytes:
        return to_json({"jsonrpc": "2.0", "id": self._id, "result": result})


def _key_of(message: Mapping[str, Json]) -> str | None:
    """Return what identifies a message that is sent again, if nobody else's can be the same."""
    key = message.get("messageId")
    is_key = isinstance(key, str) and len(key) >= ANONYMOUS_KEY_LENGTH
    return sha256(to_json(key)).hexdigest() if is_key else None


def _text_of(parts: Sequence[Mapping[str, Json]]) -> Json:
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _takes_text(schema: Schema, definitions: Mapping[str, Schema]) -> bool:
    return any("string" in kinds(each) for each in alternatives(schema, definitions))


def _refusal(id: Json, error: ErrorObject) -> Reply:
    fields = {name: "; ".join(texts) for name, texts in (error.field_errors or {}).items()}
    known = {"errorId": error.error_id} if error.error_id else {}
    info = {"reason": error.code, "domain": "yieldwire", "metadata": {**known, **fields}}
    data = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
    number = _NUMBERS.get(error.code, _INVALID)
    told = {"code": number, "message": error.message, "data": data}
    # Clients read an error from a successful answer, but learn from 401 how to identify themselves.
    status = error.status if error.code == Unauthorized.code else 200
    body = to_json({"jsonrpc": "2.0", "id": id, "error": told})
    return Reply(status=status, body=body, media_type="application/json")
