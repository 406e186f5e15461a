"""AG-UI 1.0: `HttpAgent` of ``@ag-ui/client``, and TanStack AI, which reads the same events.

As the published packages send and read it. Their clients take any end of a body for success: a
response that ends before its run is broken off. `HttpAgent` cannot resume; a page that reloads can
read the run of its thread. TanStack AI repeats its request with the id of an event.
"""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, ClassVar, Final, TypeAlias

from pydantic_core import to_json

from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.aguistream import AGUIEncoder
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.declining import refusal_of
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.errors import (
    AlreadyAnswered,
    ErrorObject,
    ForeignCursor,
    Json,
    NotFound,
    ParseError,
)
from yieldwire.log.run import RunRecord

AGUI_PREFIX: Final = "agui/"
"""Before the action's name, at an application's own URLs."""
HANDOVER: Final = 5.0
"""Seconds that answers can take until their request reads the run."""
_STREAM: Final = "stream"
_THREAD: Final = "agui:"
_RUN: Final = "agui-run:"
_DIGITS: Final = 15

_Entries: TypeAlias = dict[str, dict[str, Json]]


class AGUI(Dialect):
    """Answers `HttpAgent` of AG-UI 1.0, and `fetchServerSentEvents` of TanStack AI.

    The action gets those of its inputs that the client sends: ``messages``, ``state``, ``tools``,
    ``context``, ``threadId``, ``runId`` and ``forwardedProps``, and the members of the latter. A
    question interrupts the client's run; `resume` answers it, and continues ours.

    For one action it is mounted where the client's ``url`` is; for an application, the action's
    name follows. ``actions.mount(AGUI())`` answers below ``agui/`` and the name.

    Args:
        target: One action, an application, or nothing for ``actions.mount(AGUI())``.
        resumable: Whether a run waits for a reader to come back, as long as its action says. Then
            `abortRun` only stops reading, a reload reads the run again by
            ``GET {url}/{threadId}/stream``, and ``DELETE`` there stops it; TanStack AI resumes a
            cut answer, and joins a run. By default `abortRun` stops the run.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET", "DELETE")

    def __init__(
        self, target: Actions | BoundAction | None = None, *, resumable: bool = False
    ) -> None:
        super().__init__(target)
        self._resumable: Final = resumable

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the request is below ``agui/``, for an action that exists."""
        name, _ = self._place(head)
        return head.path.startswith(AGUI_PREFIX) and actions.app.registry.find(name) is not None

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error as JSON, which the client has as the ``payload`` of what it throws."""
        body = to_json({"error": error.to_dict()})
        return Reply(status=error.status, body=body, media_type="application/json")

    async def answer(self, call: ForeignCall) -> None:
        """Start or continue a run; read or stop the newest one of a thread."""
        name, rest = self._place(call.head)
        action = call.action(name)
        thread, _, end = rest.rpartition("/")
        if rest and not (thread and end == _STREAM):
            raise NotFound("AG-UI calls {url}, and {url}/{threadId}/stream.")
        match call.head.method:
            case "POST" if not rest:
                await self._begin(call, action)
            case "GET" if run_id := dict(call.head.query).get("runId"):
                await self._attach(call, await call.newest(action, _RUN + run_id), run_id)
            case "GET" if rest:
                run = await call.newest(action, _THREAD + thread)
                is_over = run is None or run.status.is_terminal
                await self._attach(call, None if is_over else run)
            case "DELETE" if rest:
                run = await call.newest(action, _THREAD + thread)
                if run is not None:
                    await call.cancel(run.id)
                await call.reply(Reply(status=204))
            case _:
                raise NotFound("Runs are started by POST to {url}.")

    def _place(self, head: Head) -> tuple[str, str]:
        """Return the name of the action in the path, and the rest."""
        if self._own is not None:
            return "", head.path
        name, _, rest = head.path.removeprefix(AGUI_PREFIX).partition("/")
        return name, rest

    async def _begin(self, call: ForeignCall, action: AnyAction) -> None:
        body = await call.json()
        if not isinstance(body, dict):
            raise ParseError("AG-UI sends a RunAgentInput, which is an object.")
        thread, run_id = _text(body.get("threadId")), _text(body.get("runId"))
        answers = _answers(body.get("resume"))
        if place := self._resumable and call.head.headers.get("last-event-id"):
            await self._resume(call, action, place, (thread, run_id, answers))
            return
        if thread and answers and (run := await call.newest(action, _THREAD + thread)) is not None:
            # The question kept it going; from its answer on, it needs a reader.
            async with call.attached(run, HANDOVER):
                if ids := await _tell(call, run, answers):
                    await call.stream(run, self._encoder(thread, run_id, after=ids), skip=0)
                    return
        linger = None if self._resumable else 0.0
        labels = [_THREAD + thread] if thread else []
        labels += [_RUN + run_id] if run_id and self._resumable else []
        run = await call.start(action, _reading(action, body), labels=labels, linger=linger)
        await call.stream(run, self._encoder(thread, run_id))

    def _encoder(self, thread: str, run_id: str, **more: Any) -> AGUIEncoder:  # noqa: ANN401 - the encoder's own
        return AGUIEncoder(thread, run_id, is_resumable=self._resumable, **more)

    async def _resume(
        self, call: ForeignCall, action: AnyAction, place: str, body: tuple[str, str, _Entries]
    ) -> None:
        """Answer a repeated request with what follows the event whose id is ``place``."""
        thread, client_run, answers = body
        run_id, skip = _place_in(place)
        run = await call.run(run_id)
        if run.action != action.name:
            raise ForeignCursor("The id is of a run of another action.")
        questions = await call.questions(run)
        ids = [id_ for id_ in answers if questions.name_of(id_) is not None]
        await call.stream(run, self._encoder(thread, client_run, after=ids), skip=skip)

    async def _attach(self, call: ForeignCall, run: RunRecord | None, run_id: str = "") -> None:
        """Answer with a run from its start, or from where this reader was."""
        if run is None:
            await call.reply(Reply(status=204))
            return
        place = call.head.headers.get("last-event-id")
        skip = _place_in(place)[1] if place else 0
        questions, seq = await call.questions(run), run.seq

        def is_answered(id: str, at: int) -> bool:
            return at <= seq and questions.find(id) is None

        threads = [label for label in run.labels if label.startswith(_THREAD)]
        thread = threads[0].removeprefix(_THREAD) if threads else ""
        await call.stream(run, self._encoder(thread, run_id, answered=is_answered), skip=skip)


def _place_in(text: str) -> tuple[str, int]:
    """Return the run and the number of the event whose id this is.

    Raises:
        ParseError: If it is not one.
    """
    run_id, _, number = text.rpartition(":")
    if not (run_id and number.isascii() and number.isdigit() and len(number) <= _DIGITS):
        raise ParseError("Last-Event-ID is not the id of an event of this server.")
    return run_id, int(number)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _reading(action: AnyAction, body: dict[str, Json]) -> Callable[[], Awaitable[Json]]:
    """Return what reads the action's input: what it takes of the client's."""
    known: dict[str, Json] = action.input_schema.get("properties", {})
    more = body.get("forwardedProps")
    sent = {**(more if isinstance(more, dict) else {}), **body}

    async def read() -> Json:
        return {name: value for name, value in sent.items() if name in known}

    return read


def _answers(resume: Json) -> _Entries:
    """Return what a client resumes with, by the ids of the questions."""
    entries = resume if isinstance(resume, list) else []
    return {
        entry["interruptId"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("interruptId"), str)
    }


async def _tell(call: ForeignCall, run: RunRecord, answers: _Entries) -> Collection[str]:
    """Answer a run's questions, and return the ids of those that the client has answered.

    A person who cancels one answers no, if it can be answered so; else the run is cancelled.

    Raises:
        ValidationFailed: If an answer is not of the question's type; the question stays open.
    """
    questions = await call.questions(run)
    ids = [id_ for id_ in answers if questions.name_of(id_) is not None]
    for id_ in ids:
        if (question := questions.find(id_)) is None:
            continue
        is_answer = answers[id_].get("status") == "resolved"
        value = answers[id_].get("payload") if is_answer else refusal_of(question)
        if value is None and not is_answer:
            await call.cancel(run.id)
            break
        with suppress(AlreadyAnswered):  # by somebody else
            await call.answer(run.id, id_, value)
    return ids
