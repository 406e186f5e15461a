"""A model's chunk in one line, for a terminal."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import to_json

from yieldwire.ai.chunks import is_quiet
from yieldwire.errors import Json


def _json(value: Json) -> str:
    return to_json(value).decode()


_LINES: Final[Mapping[str, Callable[[dict[str, Any]], str]]] = {
    "tool-call": lambda chunk: f"Calls {chunk['name']} {_json(chunk['input'])}",
    "tool-output": lambda chunk: f"Output: {_json(chunk['output'])}",
    "tool-error": lambda chunk: f"The call failed: {chunk['message']}",
    "source-url": lambda chunk: f"Source: {chunk['title'] or ''} {chunk['url']}".replace("  ", " "),
    "source-document": lambda chunk: f"Source: {chunk['title']}",
    "file": lambda chunk: f"File: {chunk['media_type']}, {len(chunk['url'])} characters",
    "usage": lambda chunk: f"{chunk['input_tokens']} tokens in, {chunk['output_tokens']} out",
    "finish": lambda chunk: "" if chunk["reason"] == "stop" else f"Ended: {chunk['reason']}",
}


def line_of(chunk: Json) -> str | None:
    """Return the line; empty for a chunk that has none, and ``None`` for one of another kind."""
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    if not isinstance(kind, str):
        return None
    try:
        return _LINES[kind](chunk)
    except (KeyError, TypeError):  # an action's own chunk can have the same type
        return "" if is_quiet(chunk) else None
