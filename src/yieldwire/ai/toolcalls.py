"""Puts the inputs of tool calls together, which models write piece by piece as JSON."""

from collections.abc import Hashable

from pydantic_core import from_json

from yieldwire.ai.chunks import ToolCall, ToolError, ToolInput


class ToolCalls:
    """The tool calls of one answer that the model has not finished writing.

    Each has a key, by which its stream names it.
    """

    def __init__(self) -> None:
        self._open: dict[Hashable, tuple[str, str, list[str]]] = {}

    def start(self, key: Hashable, id: str, name: str) -> ToolInput:
        """Begin a call, and return its first, empty piece."""
        self._open[key] = id, name, []
        return ToolInput(id, name, "")

    def add(self, key: Hashable, delta: str) -> ToolInput | None:
        """Add a piece; ``None`` if it is empty, or of nothing that was started."""
        id_, name, pieces = self._open.get(key, ("", "", []))
        if not (id_ and delta):
            return None
        pieces.append(delta)
        return ToolInput(id_, name, delta)

    def end(self, key: Hashable) -> ToolCall | ToolError | None:
        """Return the call with its whole input, or that its input is not JSON."""
        id_, name, pieces = self._open.pop(key, ("", "", []))
        return parsed_call(id_, name, "".join(pieces)) if id_ else None

    def end_all(self) -> list[ToolCall | ToolError]:
        """End every call that is open, in the order of their starts."""
        ended = [self.end(key) for key in [*self._open]]
        return [call for call in ended if call is not None]


def parsed_call(id: str, name: str, text: str) -> ToolCall | ToolError:
    """Return the call with the input that ``text`` is, as JSON; nothing is an empty object."""
    try:
        return ToolCall(id, name, from_json(text) if text.strip() else {})
    except ValueError:
        return ToolError(id, f"The input of {name} is not valid JSON.")
