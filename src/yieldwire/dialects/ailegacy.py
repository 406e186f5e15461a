"""The data stream of the AI SDK 3 and 4: a line for each part, its code, a colon and JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.aicall import as_text, body_of, label_of, reading
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json, NotFound
from yieldwire.log.events import Event, one_line

_Lines = Iterable[bytes]


def line(code: str, value: Json) -> bytes:
    """Return one part."""
    return b"%b:%b\n" % (code.encode(), one_line(to_json(value)))


class AILegacyEncoder(DialectEncoder):
    """Encodes a run as data stream parts."""

    media_type: ClassVar[str] = "text/plain; charset=utf-8"
    headers: Sequence[tuple[str, str]] = (("x-vercel-ai-data-stream", "v1"),)

    def __init__(self) -> None:
        self._usage = {"promptTokens": 0, "completionTokens": 0}
        self._reason = "stop"
        self._calls = set[str]()
        self._run_id = ""

    def begin(self, run_id: str) -> _Lines:
        """Return the start of a step, with the id of the message."""
        return [line("f", {"messageId": run_id})]

    def chunk(self, event: Event) -> _Lines:
        """Return the part of a chunk; an action's own chunk is data."""
        value = event.value
        kind = value.get("type") if isinstance(value, dict) else None
        try:
            if isinstance(kind, str) and kind in _MAKERS:
                return _MAKERS[kind](self, value)
        except KeyError:  # an action's own chunk can have the same type
            pass
        return [line("0", value)] if isinstance(value, str) else [line("2", [value])]

    def done(self, event: Event) -> _Lines:
        """Return the end of the step and of the message."""
        result = event.value.get("result")
        ended = {"finishReason": self._reason, "usage": self._usage}
        return [
            *([] if result is None else [line("2", [{"type": "result", "result": result}])]),
            line("e", {**ended, "isContinued": False}),
            line("d", ended),
        ]

    def error(self, error: ErrorObject) -> _Lines:
        """Return the error."""
        return [line("3", error.message)]

    def keepalive(self) -> bytes:
        """Return an empty list of data, which changes nothing."""
        return b"2:[]\n"

    def wrote(self, chunk: dict[str, Any]) -> _Lines:
        """Return a piece of a tool's input."""
        if chunk["id"] not in self._calls:
            self._calls.add(chunk["id"])
            yield line("b", {"toolCallId": chunk["id"], "toolName": chunk["name"]})
        if chunk["delta"]:
            yield line("c", {"toolCallId": chunk["id"], "argsTextDelta": chunk["delta"]})

    def called(self, chunk: dict[str, Any]) -> _Lines:
        """Return a tool's whole input."""
        self._calls.add(chunk["id"])
        told = {"toolCallId": chunk["id"], "toolName": chunk["name"], "args": chunk["input"]}
        return [line("9", told)]

    def noted(self, chunk: dict[str, Any]) -> _Lines:
        """Keep the usage for the end."""
        self._usage["promptTokens"] += chunk["input_tokens"]
        self._usage["completionTokens"] += chunk["output_tokens"]
        return []

    def ended(self, chunk: dict[str, Any]) -> _Lines:
        """Keep why the model ended its answer."""
        self._reason = chunk["reason"]
        return []


def _returned(id: str, result: Json) -> _Lines:
    return [line("a", {"toolCallId": id, "result": result})]


def _file(url: str, media_type: str) -> _Lines:
    """Return a file, if its content is in its URL: there is no other."""
    head, _, data = url.partition(";base64,")
    return [line("k", {"data": data, "mimeType": media_type})] if head.startswith("data:") else []


_MAKERS: Final[Mapping[str, Callable[[AILegacyEncoder, dict[str, Any]], _Lines]]] = {
    "text": lambda _, chunk: [line("0", chunk["text"])],
    "append": lambda _, chunk: [line("0", chunk["text"])],
    "reasoning": lambda _, chunk: [line("g", chunk["text"])],
    "tool-input": lambda out, chunk: out.wrote(chunk),
    "tool-call": lambda out, chunk: out.called(chunk),
    "tool-output": lambda _, chunk: (
        [] if chunk["preliminary"] else _returned(chunk["id"], chunk["output"])
    ),
    "tool-error": lambda _, chunk: _returned(chunk["id"], {"error": chunk["message"]}),
    "source-url": lambda _, chunk: [
        line(
            "h",
            {
                "sourceType": "url",
                "id": chunk["id"],
                "url": chunk["url"],
                "title": chunk["title"] or "",
            },
        )
    ],
    "file": lambda _, chunk: _file(chunk["url"], chunk["media_type"]),
    "message-metadata": lambda _, chunk: [line("8", [chunk["metadata"]])],
    "step-start": lambda _out, _chunk: [],
    "step-end": lambda _out, _chunk: [],
    "usage": lambda out, chunk: out.noted(chunk),
    "finish": lambda out, chunk: out.ended(chunk),
}


class AILegacy(Dialect):
    """Answers `useChat` and `useCompletion` of the AI SDK 3 and 4.

    The action gets those of its inputs that the client sends, such as ``messages`` or ``prompt``.

    Args:
        target: As in `Dialect`.
        resumable: Whether a run waits for a reader to come back, for `experimental_resume`; by
            default ``stop()`` stops the run.
        waits_for_answers: As in `Dialect`.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        resumable: bool = False,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        self._resumable: Final = resumable

    async def answer(self, call: ForeignCall) -> None:
        """Start a run, or resume the newest one of a chat."""
        action = call.action(call.head.path)
        if call.head.method == "GET":
            label = label_of(dict(call.head.query).get("chatId"))
            run = await call.newest(action, label) if label else None
            if run is None or run.status.is_terminal:
                raise NotFound("There is no answer to continue.")
            await call.stream(run, AILegacyEncoder(), skip=0)
            return
        body = await body_of(call)
        label = label_of(body.get("id"))
        linger, labels = None if self._resumable else 0.0, [label] if label else []
        run = await call.start(action, reading(action, body), labels=labels, linger=linger)
        await call.stream(run, AILegacyEncoder())

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error's message as the body, which the client makes an ``Error`` of."""
        return as_text(error)
