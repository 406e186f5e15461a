"""A run as AG-UI tells it: events of messages, tool calls, steps, activities and state.

Theory of operation. Whatever has a start has an end, and everything is ended before the run is: a
client refuses an end of the run while something is open. Consecutive texts are one message, and so
is consecutive reasoning; the next other event ends it. A question is the end of the client's run,
as an interrupt; the answer begins another, which continues ours.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from pydantic_core import to_json

from yieldwire.ai.approval import TOOL_CALL
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event, one_line

_Told: TypeAlias = Iterator[bytes]
_Chunk: TypeAlias = dict[str, Any]

VERSION: Final = "1.0"
"""Of the protocol."""


def agui_event(type: str, **members: Json) -> bytes:
    """Return an event; members that are ``None`` are left out, as the protocol wants it."""
    told = {name: value for name, value in members.items() if value is not None}
    return b"data: %b\n\n" % one_line(to_json({"type": type, **told}))


class AGUIEncoder(DialectEncoder):
    """Encodes a run for one reader.

    Args:
        thread: The client's thread.
        run: The client's own run; by default the id of ours.
        answered: Says of a question's id and its event's seq whether the run has its answer.
        after: The questions after which the client continues; what is before is not sent.
        is_resumable: Whether each event has an id, after which a client can resume.
    """

    media_type: ClassVar[str] = "text/event-stream"

    def __init__(
        self,
        thread: str,
        run: str = "",
        *,
        answered: Callable[[str, int], bool] | None = None,
        after: Collection[str] = (),
        is_resumable: bool = False,
    ) -> None:
        self._is_resumable, self._count = is_resumable, 0
        self._thread, self._run, self._run_id = thread, run, ""
        self._answered, self._muted = answered, set(after)
        self._part = ""
        """The kind of the open message: ``text``, ``reasoning`` or nothing."""
        self._parts = self._steps = 0
        self._step = ""
        self._open_calls: dict[str, None] = {}
        """The tool calls whose input is not whole yet, in their order."""
        self._calls = set[str]()
        """The tool calls that the client knows."""
        self._usage: dict[str, int] = {}

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the start of the client's run."""
        self._run_id = run_id
        self._thread, self._run = self._thread or run_id, self._run or run_id
        return self._numbered([self._of_run("RUN_STARTED", protocolVersion=VERSION)])

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the events of a chunk; one that AG-UI has no event for is custom."""
        value = event.value
        kind = value.get("type") if isinstance(value, dict) else None
        make = _MAKERS.get(kind) if isinstance(kind, str) else None
        try:
            frames = list(self._own(event, kind) if make is None else make(self, value))
        except KeyError:  # an action's own chunk can have the same type
            frames = list(self._own(event, kind))
        return [] if self._muted else self._numbered(frames)

    def _numbered(self, frames: Iterable[bytes]) -> list[bytes]:
        """Return frames with their ids."""
        if not self._is_resumable:
            return list(frames)
        numbered: list[bytes] = []
        for frame in frames:
            self._count += 1
            numbered.append(f"id: {self._run_id}:{self._count}\n".encode() + frame)
        return numbered

    def _own(self, event: Event, kind: Json) -> _Told:
        if (text := text_of(event.data)) is not None:
            return self.grown("text", text)
        return self.custom(kind if isinstance(kind, str) and kind else "chunk", event.value)

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the end of the client's run, with the result of ours and its usage."""
        usage = self._usage
        told = [{**usage, "totalTokens": sum(usage.values())}] if usage else None
        end = self._of_run(
            "RUN_FINISHED",
            result=event.value.get("result"),
            outcome={"type": "success"},
            usage=told,
        )
        return self._numbered([*self.ended(), end])

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error: the client drops the rest."""
        return self._numbered([agui_event("RUN_ERROR", message=error.message, code=error.code)])

    def cancelled(self, error: ErrorObject) -> Iterable[bytes]:
        """Return that the run was stopped."""
        end = self._of_run("RUN_FINISHED", outcome={"type": "cancelled"})
        return self._numbered([*self.ended(), end])

    def question(self, event: Event) -> Iterable[bytes]:
        """Return the end of the client's run, which the question interrupts."""
        question = event.value
        id_: str = question["id"]
        frames = [*self._asked(question), *self.ended()]
        if id_ in self._muted:
            self._muted.discard(id_)
            return ()
        if self._muted or (self._answered is not None and self._answered(id_, event.seq)):
            return [] if self._muted else self._numbered(frames)
        self.is_paused = True
        outcome = {"type": "interrupt", "interrupts": [_interrupt(question)]}
        return self._numbered([*frames, self._of_run("RUN_FINISHED", outcome=outcome)])

    def _asked(self, question: Mapping[str, Json]) -> _Told:
        """Yield the tool call that is asked about, if the client does not know it."""
        call = _call_of(question)
        if call and call["id"] not in self._calls:
            yield from self.called(call["id"], call["name"], call["input"])

    def _of_run(self, type: str, **members: Json) -> bytes:
        return agui_event(type, threadId=self._thread, runId=self._run, **members)

    # What has a start and an end.

    def _id(self) -> str:
        return f"{self._run_id}-{self._parts}"

    def grown(self, kind: str, text: str) -> _Told:
        """Yield a piece of a text or of reasoning."""
        if not text:
            return
        if self._part != kind:
            yield from self.closed()
            self._part, self._parts = kind, self._parts + 1
            if kind == "reasoning":
                yield agui_event("REASONING_START", messageId=self._id())
            role = "reasoning" if kind == "reasoning" else "assistant"
            yield agui_event(f"{_NAMES[kind]}_START", messageId=self._id(), role=role)
        yield agui_event(f"{_NAMES[kind]}_CONTENT", messageId=self._id(), delta=text)

    def closed(self) -> _Told:
        """Yield the end of the open message."""
        kind, self._part = self._part, ""
        if kind:
            yield agui_event(f"{_NAMES[kind]}_END", messageId=self._id())
        if kind == "reasoning":
            yield agui_event("REASONING_END", messageId=self._id())

    def ended(self) -> _Told:
        """Yield the end of everything that is open."""
        yield from self.closed()
        for id_ in self._open_calls:
            yield agui_event("TOOL_CALL_END", toolCallId=id_)
        self._open_calls.clear()
        yield from self.step_ended()

    def stepped(self) -> _Told:
        """Yield the start of a step."""
        yield from self.closed()
        yield from self.step_ended()
        self._steps += 1
        self._step = f"step-{self._steps}"
        yield agui_event("STEP_STARTED", stepName=self._step)

    def step_ended(self) -> _Told:
        """Yield the end of the step, if one is open."""
        step, self._step = self._step, ""
        if step:
            yield from self.closed()
            yield agui_event("STEP_FINISHED", stepName=step)

    # Tool calls.

    def wrote(self, id: str, name: str, delta: str) -> _Told:
        """Yield a piece of a tool's input."""
        if id not in self._calls:
            yield from self.closed()
            self._calls.add(id)
            self._open_calls[id] = None
            yield agui_event("TOOL_CALL_START", toolCallId=id, toolCallName=name)
        if delta and id in self._open_calls:
            yield agui_event("TOOL_CALL_ARGS", toolCallId=id, delta=delta)

    def called(self, id: str, name: str, input: Json) -> _Told:
        """Yield a tool's whole input, as far as the client does not have it."""
        if id not in self._calls:
            yield from self.wrote(id, name, to_json(input).decode())
        if id in self._open_calls:
            del self._open_calls[id]
            yield agui_event("TOOL_CALL_END", toolCallId=id)

    def returned(self, id: str, output: Json) -> _Told:
        """Yield a tool's output; that of a call which the client does not know is left out."""
        if id in self._calls:
            yield from self.closed()
            self._parts += 1
            content = output if isinstance(output, str) else to_json(output).decode()
            told = {"messageId": self._id(), "toolCallId": id, "content": content}
            yield agui_event("TOOL_CALL_RESULT", role="tool", **told)

    # What is one event.

    def custom(self, name: str, value: Json) -> _Told:
        """Yield what AG-UI has no event for."""
        yield b"data: %b\n\n" % one_line(
            to_json({"type": "CUSTOM", "name": name, "value": value})  # which can be null
        )

    def progress(self, progress: _Chunk) -> _Told:
        """Yield how far the run is, as an activity that each next one replaces."""
        yield agui_event(
            "ACTIVITY_SNAPSHOT",
            messageId=f"{self._run_id}-progress",
            activityType="progress",
            content={name: progress[name] for name in ("current", "total", "message", "percent")},
            replace=True,
        )

    def valued(self, value: Json) -> _Told:
        """Yield the new value of a streamable value, as the state."""
        yield b"data: %b\n\n" % one_line(to_json({"type": "STATE_SNAPSHOT", "snapshot": value}))

    def noted(self, usage: _Chunk) -> _Told:
        """Keep the usage for the end of the run, and yield nothing."""
        for name, key in (("inputTokens", "input_tokens"), ("outputTokens", "output_tokens")):
            self._usage[name] = self._usage.get(name, 0) + usage[key]
        yield from ()


_NAMES: Final = {"text": "TEXT_MESSAGE", "reasoning": "REASONING_MESSAGE"}

_Maker: TypeAlias = Callable[[AGUIEncoder, _Chunk], _Told]

_MAKERS: Final[Mapping[str, _Maker]] = {
    "reasoning": lambda out, chunk: out.grown("reasoning", chunk["text"]),
    "tool-input": lambda out, chunk: out.wrote(chunk["id"], chunk["name"], chunk["delta"]),
    "tool-call": lambda out, chunk: out.called(chunk["id"], chunk["name"], chunk["input"]),
    "tool-output": lambda out, chunk: (
        iter(()) if chunk["preliminary"] else out.returned(chunk["id"], chunk["output"])
    ),
    "tool-error": lambda out, chunk: out.returned(chunk["id"], chunk["message"]),
    "data": lambda out, chunk: out.custom(chunk["name"], chunk["data"]),
    "progress": lambda out, chunk: out.progress(chunk),
    "value": lambda out, chunk: out.valued(chunk["value"]),
    "step-start": lambda out, _: out.stepped(),
    "step-end": lambda out, _: out.step_ended(),
    "usage": lambda out, chunk: out.noted(chunk),
    "finish": lambda _, __: iter(()),
}


def _call_of(question: Mapping[str, Json]) -> _Chunk | None:
    detail = question.get("detail")
    call = detail.get(TOOL_CALL) if isinstance(detail, dict) else None
    return call if isinstance(call, dict) else None


def _interrupt(question: Mapping[str, Json]) -> dict[str, Json]:
    call = _call_of(question)
    told = {
        "id": question["id"],
        "reason": "question" if call is None else "tool_call",
        "message": question.get("prompt"),
        "toolCallId": None if call is None else call["id"],
        "responseSchema": question.get("schema"),
        "expiresAt": question.get("expiresAt"),
        "metadata": None if question.get("detail") is None else {"detail": question["detail"]},
    }
    return {name: value for name, value in told.items() if value is not None}
