"""The chunk types for what language models produce.

Plain text is `Text`, as everywhere. Each of the others is one fact about an answer, so an adapter
for a model's SDK yields them in the order in which the SDK says them, and a dialect writes them
as its client expects. An action can yield any of them itself.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from yieldwire.errors import Json
from yieldwire.log.chunks import Text

FinishReason: TypeAlias = Literal[
    "stop", "length", "content-filter", "tool-calls", "error", "other"
]
"""Why a model ended its answer."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of the model's reasoning; consecutive pieces are concatenated."""

    type: Literal["reasoning"] = field(default="reasoning", init=False, repr=False)
    text: str


@dataclass(frozen=True, slots=True)
class ToolInput:
    """A piece of the input of a tool call, while the model writes it as JSON."""

    type: Literal["tool-input"] = field(default="tool-input", init=False, repr=False)
    id: str
    name: str
    delta: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, with its whole input."""

    type: Literal["tool-call"] = field(default="tool-call", init=False, repr=False)
    id: str
    name: str
    input: Json


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What the call with this id returned; a ``preliminary`` output is replaced by a later one."""

    type: Literal["tool-output"] = field(default="tool-output", init=False, repr=False)
    id: str
    output: Json
    preliminary: bool = False


@dataclass(frozen=True, slots=True)
class ToolError:
    """Why the call with this id has no output, in words that the caller can read."""

    type: Literal["tool-error"] = field(default="tool-error", init=False, repr=False)
    id: str
    message: str


@dataclass(frozen=True, slots=True)
class SourceURL:
    """A page that the answer is based on."""

    type: Literal["source-url"] = field(default="source-url", init=False, repr=False)
    id: str
    url: str
    title: str | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document that the answer is based on."""

    type: Literal["source-document"] = field(default="source-document", init=False, repr=False)
    id: str
    media_type: str
    title: str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that the model made, at a URL, which can be a data URL.

    Example:
        >>> ModelFile.of(b"hello", "text/plain").url
        'data:text/plain;base64,aGVsbG8='
    """

    type: Literal["file"] = field(default="file", init=False, repr=False)
    url: str
    media_type: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> "ModelFile":
        """Return a file with its content in its URL."""
        return cls(f"data:{media_type};base64,{base64.b64encode(content).decode()}", media_type)


@dataclass(frozen=True, slots=True)
class Data:
    """A value of the action's own, for the part ``name`` of the page.

    A later one with the same name and id replaces it. A ``transient`` one is not kept with the
    message.
    """

    type: Literal["data"] = field(default="data", init=False, repr=False)
    name: str
    data: Json
    id: str | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Custom:
    """What only one provider has: ``kind`` is its name, a dot and a name: ``openai.trace``."""

    type: Literal["custom"] = field(default="custom", init=False, repr=False)
    kind: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class MessageMetadata:
    """Facts about the whole message; later ones are merged into earlier ones."""

    type: Literal["message-metadata"] = field(default="message-metadata", init=False, repr=False)
    metadata: dict[str, Json]


@dataclass(frozen=True, slots=True)
class StepStart:
    """A request to the model starts; an answer with tool calls takes several."""

    type: Literal["step-start"] = field(default="step-start", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class StepEnd:
    """The answer to a request is complete."""

    type: Literal["step-end"] = field(default="step-end", init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that one request took. Those of several requests add up.

    ``input_tokens`` includes the ``cached_tokens``, and ``output_tokens`` the
    ``reasoning_tokens``.

    Example:
        >>> Usage(10, 2) + Usage(12, 3)
        Usage(input_tokens=22, output_tokens=5, cached_tokens=0, reasoning_tokens=0)
    """

    type: Literal["usage"] = field(default="usage", init=False, repr=False)
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Finish:
    """The model has ended its answer, for this reason."""

    type: Literal["finish"] = field(default="finish", init=False, repr=False)
    reason: FinishReason


Chunk: TypeAlias = Annotated[
    Text
    | Reasoning
    | ToolInput
    | ToolCall
    | ToolOutput
    | ToolError
    | SourceURL
    | SourceDocument
    | ModelFile
    | Data
    | Custom
    | MessageMetadata
    | StepStart
    | StepEnd
    | Usage
    | Finish,
    Field(discriminator="type"),
]
"""What an action that passes a model's answer on yields."""


_QUIET: Final[Mapping[str, str]] = {
    "reasoning": "text",
    "tool-input": "delta",
    "message-metadata": "metadata",
    "step-start": "type",
    "step-end": "type",
    "usage": "input_tokens",
    "finish": "reason",
}
"""Types of chunks, each with a member by which it differs from an action's own of that name."""


def is_quiet(chunk: Json) -> bool:
    """Whether a chunk, as JSON, is only a piece, or a fact about the answer.

    A page that shows a run's output leaves it out.
    """
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    return isinstance(kind, str) and kind in _QUIET and _QUIET[kind] in chunk
