"""The messages of a page that uses the AI SDK, as an action's input: validated and typed."""

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic.alias_generators import to_camel

from yieldwire.errors import Json


class UIPart(BaseModel):
    """A part of a message. Members that are not listed here are kept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class UIOther(UIPart):
    """A part that has no class of its own, such as the start of a step."""

    type: str


class UIText(UIPart):
    """A text."""

    type: Literal["text"] = "text"
    text: str


class UIReasoning(UIPart):
    """The model's reasoning."""

    type: Literal["reasoning"] = "reasoning"
    text: str


class UIFile(UIPart):
    """A file at a URL, which is often a data URL."""

    type: Literal["file"] = "file"
    media_type: str
    url: str
    filename: str | None = None


class UIApproval(UIPart):
    """The approval of a tool call, and what a person said to it."""

    id: str
    approved: bool | None = None
    reason: str | None = None


class UITool(UIPart):
    """A tool call: its type is ``tool-`` and the tool's name, or ``dynamic-tool``."""

    type: str
    tool_call_id: str
    tool_name: str = ""
    state: str
    input: Json = None
    output: Json = None
    error_text: str | None = None
    approval: UIApproval | None = None

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool_name or self.type.removeprefix("tool-")


class UIData(UIPart):
    """A value of the action's own: its type is ``data-`` and a name."""

    type: str
    id: str | None = None
    data: Json = None


def _kind_of(part: Any) -> str:  # noqa: ANN401 - anything can come
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    if kind in {"text", "reasoning", "file"}:
        return str(kind)
    if isinstance(kind, str) and (kind.startswith("tool-") or kind == "dynamic-tool"):
        return "tool"
    return "data" if isinstance(kind, str) and kind.startswith("data-") else "other"


AnyUIPart: TypeAlias = Annotated[
    Annotated[UIText, Tag("text")]
    | Annotated[UIReasoning, Tag("reasoning")]
    | Annotated[UIFile, Tag("file")]
    | Annotated[UITool, Tag("tool")]
    | Annotated[UIData, Tag("data")]
    | Annotated[UIOther, Tag("other")],
    Discriminator(_kind_of),
]


class UIMessage(BaseModel):
    """A message of the conversation, as the page has it.

    It comes from the caller: what it says that the assistant said, or that a tool returned, can be
    made up. Limit what tools can do by who the caller is.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    role: Literal["system", "user", "assistant"]
    parts: list[AnyUIPart] = Field(default_factory=list)
    metadata: Json = None

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, UIText))

    @property
    def tools(self) -> list[UITool]:
        """Its tool calls."""
        return [part for part in self.parts if isinstance(part, UITool)]
