"""The AI SDK, versions 5 to 7: `useChat`, `useCompletion`, and `WorkflowChatTransport`.

Read from the published packages. Its clients take any end of a body for success, so a response that
ends before its run does is broken off, except where the client has to answer first.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import ClassVar, Final

from starlette.types import Receive, Scope, Send

from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.aicall import as_text, body_of, label_of, reading
from yieldwire.dialects.aisocket import ChatSocket
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.uistream import UIStreamEncoder, Version
from yieldwire.errors import AlreadyAnswered, ErrorObject, Json, NotFound, ParseError, UsageError
from yieldwire.log.run import RunRecord

PREFIX: Final = "ai/"
"""Before the action's name, at an application's own URLs."""
HANDOVER: Final = 5.0
"""Seconds that an answer can take until its request reads the run."""
_STREAM: Final = "stream"
_RESPONDED: Final = "approval-responded"


class AISDK(Dialect):
    """Answers `useChat` and `useCompletion` of the AI SDK 5, 6 and 7, in React, Vue and others.

    The action gets those of its inputs that the client sends: ``messages``, which can be
    ``list[UIMessage]``, ``prompt`` of a completion, ``id`` of the chat, ``trigger`` and
    ``messageId``, and what the page adds to the body. A question about a tool call, as `approve`
    asks it, is the client's tool approval.

    For one action it is mounted where the client's ``api`` is; for an application, the action's
    name follows. ``actions.mount(AISDK())`` answers below ``ai/`` and the name.

    Args:
        target: One action, an application, or nothing for ``actions.mount(AISDK())``.
        version: The oldest major version of ``ai`` among the clients: 5, 6 or 7. A client fails if
            it gets a part that it does not know.
        resumable: Whether a run waits for a reader to come back, as long as its action says. Then
            a reload continues the answer; ``stop()`` only stops reading, and the page stops the
            run by ``DELETE {api}/{id}/stream``. By default ``stop()`` stops the run.
        waits_for_answers: As in `Dialect`, for questions that are not about a tool call.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET", "DELETE")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        version: Version = 5,
        resumable: bool = False,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        if version not in {5, 6, 7}:
            raise UsageError(f"AISDK: version is 5, 6 or 7, not {version!r:.100}.")
        self._version: Final[Version] = version
        self._resumable: Final = resumable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application; over a WebSocket `WebSocketChatTransport`."""
        if scope["type"] == "websocket" and self._actions is not None:
            await ChatSocket(self, self._actions.site, scope, receive, send).run()
        else:
            await super().__call__(scope, receive, send)

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the request is below ``ai/``, for an action that exists."""
        name, _ = self._place(head)
        return head.path.startswith(PREFIX) and actions.app.registry.find(name) is not None

    async def answer(self, call: ForeignCall) -> None:
        """Start a run, or resume or stop the newest one of a chat."""
        name, rest = self._place(call.head)
        action = call.action(name)
        chat, _, end = rest.rpartition("/")
        if rest and not (chat and end == _STREAM):
            raise NotFound("The AI SDK calls {api} and {api}/{id}/stream.")
        match call.head.method:
            case "POST" if not rest:
                await self._begin(call, action)
            case "DELETE" if rest:
                run = await self._find(call, action, chat)
                if run is not None:
                    await call.cancel(run.id)
                await call.reply(Reply(status=204))
            case "GET" if rest:
                await self._resume(call, await self._find(call, action, chat))
            case _:
                raise NotFound("Messages are sent by POST to {api}.")

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error's message as the body, which the client makes an ``Error`` of."""
        return as_text(error)

    def _place(self, head: Head) -> tuple[str, str]:
        """Return the name of the action in the path, and the rest."""
        if self._own is not None:
            return "", head.path
        name, _, rest = head.path.removeprefix(PREFIX).partition("/")
        return name, rest

    async def _begin(self, call: ForeignCall, action: AnyAction) -> None:
        body = await body_of(call)
        label = label_of(body.get("id"))
        is_workflow = "messages" in body and "trigger" not in body
        responded = _responses(body.get("messages"))
        if label and responded and (run := await call.newest(action, label)) is not None:
            # The question kept it going; from its answer on, it needs a reader.
            async with call.attached(run, HANDOVER):
                if ids := await self._tell(call, run, responded):
                    rest = UIStreamEncoder(self._version, after=ids)
                    await self._stream(call, run, rest, skip=0)
                    return
        linger, labels = None if self._resumable else 0.0, [label] if label else []
        run = await call.start(action, reading(action, body), labels=labels, linger=linger)
        encoder = UIStreamEncoder(self._version, must_finish=is_workflow)
        await self._stream(call, run, encoder)

    async def _tell(
        self, call: ForeignCall, run: RunRecord, responded: dict[str, Json]
    ) -> Collection[str]:
        """Answer a run's questions, and return the ids of those that the client has answered."""
        questions = await call.questions(run)
        ids = [id_ for id_ in responded if questions.name_of(id_) is not None]
        for id_ in ids:
            if questions.find(id_) is not None:
                with suppress(AlreadyAnswered):  # in another tab
                    await call.answer(run.id, id_, responded[id_])
        return ids

    async def _find(self, call: ForeignCall, action: AnyAction, id: str) -> RunRecord | None:
        """Return the run with this id, or the newest one of the chat with this id."""
        with suppress(NotFound):
            run = await call.run(id)
            return run if run.action == action.name else None
        return await call.newest(action, label_of(id))

    async def _resume(self, call: ForeignCall, run: RunRecord | None) -> None:
        start = dict(call.head.query).get("startIndex")
        if run is None or (start is None and run.status.is_terminal):
            await call.reply(Reply(status=204))
            return
        questions, seq = await call.questions(run), run.seq

        def is_answered(id: str, at: int) -> bool:
            return at <= seq and questions.find(id) is None

        def encoder() -> UIStreamEncoder:
            is_workflow = start is not None
            return UIStreamEncoder(self._version, answered=is_answered, must_finish=is_workflow)

        skip = _number(start)
        if skip < 0:
            count = await call.count(run, encoder())
            call.add_header("x-workflow-stream-tail-index", str(count - 1))
            skip = max(0, count + skip)
        await self._stream(call, run, encoder(), skip=skip)

    async def _stream(
        self, call: ForeignCall, run: RunRecord, encoder: UIStreamEncoder, skip: int | None = None
    ) -> None:
        call.add_header("x-workflow-run-id", run.id)
        await call.stream(run, encoder, skip=skip)


def _number(start: str | None) -> int:
    try:
        return int(start or 0)
    except ValueError as exc:
        raise ParseError("startIndex is a whole number.") from exc


def _responses(messages: Json) -> dict[str, Json]:
    """Return the answers to tool approvals in the last message, by the ids of their questions."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    parts = last.get("parts") if isinstance(last, dict) else None
    found: dict[str, Json] = {}
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("state") == _RESPONDED:
            approval = part.get("approval")
            if isinstance(approval, dict) and isinstance(approval.get("id"), str):
                reason = approval.get("reason")
                found[approval["id"]] = {"approved": approval.get("approved") is True} | (
                    {"reason": reason} if isinstance(reason, str) else {}
                )
    return found
