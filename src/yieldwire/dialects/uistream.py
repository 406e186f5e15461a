"""The AI SDK's UI message stream, version 1, from the chunks of a run.

Theory of operation. The client builds a message of parts. A text or a reasoning has a start, deltas
and an end, and nothing of another part is between them: so consecutive chunks of one kind are one
part, which the next other frame closes. A step begins before the first part if the action says
nothing of steps. All of this is state of one reader; the same events give the same frames.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, TypeAlias

from pydantic_core import to_json

from yieldwire.ai.approval import TOOL_CALL
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.events import Event, one_line

Version: TypeAlias = Literal[5, 6, 7]
Told: TypeAlias = Iterator[bytes]
_Chunk: TypeAlias = dict[str, Any]

APPROVALS: Final = 6
"""The first version whose client knows questions about tools."""


def frame(type: str, **members: Json) -> bytes:
    """Return a frame; members that are ``None`` are left out."""
    told = {name: value for name, value in members.items() if value is not None}
    return b"data: %b\n\n" % one_line(to_json({"type": type, **told}))


class UIStreamEncoder(DialectEncoder):
    """Encodes a run for one reader.

    Args:
        version: The oldest major version of the clients: only what it knows is sent.
        answered: Says of a question's id and its event's seq whether the run has its answer.
        after: The question after which the client continues; what is before it is not sent.
        must_finish: Whether a client waits for ``finish`` even if the run is cancelled.
    """

    media_type: ClassVar[str] = "text/event-stream"
    headers: Sequence[tuple[str, str]] = (("x-vercel-ai-ui-message-stream", "v1"),)
    greeting: bytes = b": stream-open\n\n"
    closing: ClassVar[bytes] = b"data: [DONE]\n\n"

    def __init__(
        self,
        version: Version,
        *,
        answered: Callable[[str, int], bool] | None = None,
        after: Collection[str] = (),
        must_finish: bool = False,
    ) -> None:
        self._version: Final = version
        self._answered, self._must_finish = answered, must_finish
        self._muted = set(after)
        self._part = ""
        """The kind of the open part: ``text``, ``reasoning`` or nothing."""
        self._parts = 0
        self._in_step = False
        self._open_calls: dict[str, str] = {}
        """The names of the tools whose calls the client knows without their whole input."""
        self._calls = set[str]()
        """The calls that the client knows with their input, and that were not denied."""
        self._approvals: dict[str, str] = {}
        self._usage: dict[str, int] = {}
        self._reason = "stop"

    # The events.

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the start of the message, whose id is the run's."""
        return [frame("start", messageId=run_id)]

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the frames of a chunk; one of the action's own is data."""
        value = event.value
        kind = value.get("type") if isinstance(value, dict) else None
        try:
            make = _MAKERS.get(kind, _own) if isinstance(kind, str) else _own
            frames = list(make(self, value))
        except KeyError:  # an action's own chunk can have the same type
            frames = list(_own(self, value))
        return self._heard(frames)

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the end of the message, with the run's result as data and its usage."""
        result = event.value.get("result")
        frames = [] if result is None else [*self.closed(), frame("data-result", data=result)]
        return [*frames, *self._ending()]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error: the client drops the rest."""
        return [*self.closed(), frame("error", errorText=error.message)]

    def cancelled(self, error: ErrorObject) -> Iterable[bytes]:
        """Return that the message was stopped."""
        reason = error.message if self._version >= APPROVALS else None
        frames = [*self.closed(), frame("abort", reason=reason)]
        return [*frames, frame("finish")] if self._must_finish else frames

    def question(self, event: Event) -> Iterable[bytes] | None:
        """Return the request to approve a tool call, and end the response until it is answered."""
        question = event.value
        detail = question.get("detail")
        call = detail.get(TOOL_CALL) if isinstance(detail, dict) else None
        if self._version < APPROVALS or not isinstance(call, dict):
            return None
        id_: str = question["id"]
        self._approvals[id_] = call["id"]
        if self._muted:
            self._muted.discard(id_)
            self._part, self._in_step = "", False
            return ()
        frames = [*self.closed()]
        if call["id"] not in self._calls:
            frames += self.called(call["id"], call["name"], call["input"])
        frames.append(frame("tool-approval-request", approvalId=id_, toolCallId=call["id"]))
        if self._answered is None or not self._answered(id_, event.seq):
            self.is_paused: bool = True
            self._reason = "tool-calls"
            frames += self._ending()
        return frames

    def answer(self, event: Event) -> Iterable[bytes]:
        """Return what a person decided, for readers who did not."""
        id_, value = event.value["id"], event.value.get("value")
        call = self._approvals.get(id_)
        if call is None:
            return ()
        is_approved = isinstance(value, dict) and value.get("approved") is True
        frames = list[bytes]()
        if self._version > APPROVALS:
            frames.append(frame("tool-approval-response", approvalId=id_, approved=is_approved))
        if not is_approved:
            self._calls.discard(call)  # a denied call has no output
            frames.append(frame("tool-output-denied", toolCallId=call))
        return self._heard(frames)

    def _heard(self, frames: list[bytes]) -> list[bytes]:
        return [] if self._muted else frames

    # The parts of the message.

    def closed(self) -> Told:
        """Yield the end of the open part."""
        if self._part:
            yield frame(f"{self._part}-end", id=f"{self._part}-{self._parts}")
            self._part = ""

    def stepped(self) -> Told:
        """Yield the start of a step, if none is open."""
        if not self._in_step:
            self._in_step = True
            yield frame("start-step")

    def grown(self, kind: str, text: str) -> Told:
        """Yield a piece of a text or a reasoning."""
        if not text:
            return
        if self._part != kind:
            yield from self.closed()
            yield from self.stepped()
            self._part, self._parts = kind, self._parts + 1
            yield frame(f"{kind}-start", id=f"{kind}-{self._parts}")
        yield frame(f"{kind}-delta", id=f"{kind}-{self._parts}", delta=text)

    def part(self, type: str, **members: Json) -> Told:
        """Yield a part that is one frame."""
        yield from self.closed()
        yield from self.stepped()
        yield frame(type, **members)

    def step_ended(self) -> Told:
        """Yield the end of the step."""
        yield from self.closed()
        if self._in_step:
            self._in_step = False
            yield frame("finish-step")

    def wrote(self, id: str, name: str, delta: str) -> Told:
        """Yield a piece of a tool's input."""
        if id not in self._open_calls:
            self._open_calls[id] = name
            yield from self.part("tool-input-start", toolCallId=id, toolName=name)
        if delta:
            yield frame("tool-input-delta", toolCallId=id, inputTextDelta=delta)

    def called(self, id: str, name: str, input: Json) -> Told:
        """Yield a tool's whole input."""
        self._calls.add(id)
        yield from self.closed()
        yield from self.stepped()
        told = to_json({"type": "tool-input-available", "toolCallId": id, "toolName": name})
        yield b"data: %b\n\n" % one_line(b'%b,"input":%b}' % (told[:-1], to_json(input)))

    def returned(self, id: str, output: Json, *, is_preliminary: bool) -> Told:
        """Yield a tool's output; that of a call which the client does not know is left out."""
        if id in self._calls and not (is_preliminary and self._version < APPROVALS):
            yield from self.closed()
            told = to_json({"type": "tool-output-available", "toolCallId": id})
            flag = b',"preliminary":true' if is_preliminary else b""
            body = b'%b,"output":%b%b}' % (told[:-1], to_json(output), flag)
            yield b"data: %b\n\n" % one_line(body)

    def failed(self, id: str, message: str) -> Told:
        """Yield why a tool has no output."""
        name = self._open_calls.get(id)
        if name and id not in self._calls and self._version < APPROVALS:
            yield from self.called(id, name, None)  # the first clients know no other way
        if id in self._calls:
            yield from self.closed()
            yield frame("tool-output-error", toolCallId=id, errorText=message)
        elif name:
            yield from self.closed()
            told = {"toolCallId": id, "toolName": name, "input": "", "errorText": message}
            yield frame("tool-input-error", **told)

    def custom(self, kind: str, data: Json) -> Told:
        """Yield what only one provider has, to clients that know such parts."""
        provider, dot, name = kind.partition(".")
        if self._version > APPROVALS and provider and dot and name:
            told = data if isinstance(data, dict) else {"data": data}
            yield from self.part("custom", kind=kind, providerMetadata={provider: told})

    def noted(self, usage: _Chunk) -> Told:
        """Keep the usage for the end of the message, and yield nothing."""
        for name, key in (("inputTokens", "input_tokens"), ("outputTokens", "output_tokens")):
            self._usage[name] = self._usage.get(name, 0) + usage[key]
        yield from ()

    def ended(self, reason: str) -> Told:
        """Keep why the model ended its answer, and yield nothing."""
        self._reason = reason
        yield from ()

    def _ending(self) -> Told:
        yield from self.step_ended()
        usage = self._usage
        total = {**usage, "totalTokens": sum(usage.values())}
        yield frame(
            "finish",
            finishReason=self._reason if self._version >= APPROVALS else None,
            messageMetadata={"usage": total} if usage else None,
        )


_Maker: TypeAlias = Callable[[UIStreamEncoder, _Chunk], Told]

_MAKERS: Final[Mapping[str, _Maker]] = {
    "text": lambda out, chunk: out.grown("text", chunk["text"]),
    "append": lambda out, chunk: out.grown("text", chunk["text"]),
    "reasoning": lambda out, chunk: out.grown("reasoning", chunk["text"]),
    "tool-input": lambda out, chunk: out.wrote(chunk["id"], chunk["name"], chunk["delta"]),
    "tool-call": lambda out, chunk: out.called(chunk["id"], chunk["name"], chunk["input"]),
    "tool-output": lambda out, chunk: out.returned(
        chunk["id"], chunk["output"], is_preliminary=chunk["preliminary"]
    ),
    "tool-error": lambda out, chunk: out.failed(chunk["id"], chunk["message"]),
    "source-url": lambda out, chunk: out.part(
        "source-url", sourceId=chunk["id"], url=chunk["url"], title=chunk["title"]
    ),
    "source-document": lambda out, chunk: out.part(
        "source-document",
        sourceId=chunk["id"],
        mediaType=chunk["media_type"],
        title=chunk["title"],
        filename=chunk["filename"],
    ),
    "file": lambda out, chunk: out.part("file", url=chunk["url"], mediaType=chunk["media_type"]),
    "data": lambda out, chunk: out.part(
        f"data-{chunk['name']}",
        id=chunk["id"],
        data=chunk["data"],
        transient=chunk["transient"] or None,
    ),
    "custom": lambda out, chunk: out.custom(chunk["kind"], chunk["data"]),
    "message-metadata": lambda _, chunk: iter(
        [frame("message-metadata", messageMetadata=chunk["metadata"])]
    ),
    "step-start": lambda out, _: out.stepped(),
    "step-end": lambda out, _: out.step_ended(),
    "usage": lambda out, chunk: out.noted(chunk),
    "finish": lambda out, chunk: out.ended(chunk["reason"]),
}


def _own(out: UIStreamEncoder, value: Json) -> Told:
    """Yield a chunk of the action's own: text, or data named by its type."""
    if isinstance(value, str):
        return out.grown("text", value)
    kind = value.get("type") if isinstance(value, dict) else None
    name = kind if isinstance(kind, str) and kind else "chunk"
    # The newest progress, and the newest value, replace those before.
    id_ = name if name in {"progress", "value"} else None
    return out.part(f"data-{name}", id=id_, data=value)
