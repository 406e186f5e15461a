"""The manifest: what an application's actions are, for clients, the command line and pages."""

from collections.abc import Iterable
from typing import Any

from yieldwire.actions.action import Action
from yieldwire.errors import Json


def manifest(actions: Iterable[Action[..., Any, Any]]) -> dict[str, Json]:
    """Return the manifest of ``actions``, in their order."""
    return {"actions": [description_of(action) for action in actions]}


def description_of(action: Action[..., Any, Any]) -> dict[str, Json]:
    """Return the description of an action for callers."""
    chunk = action.signature.chunk
    return {
        "name": action.name,
        "alias": action.alias,
        "doc": action.doc,
        "method": action.method,
        "streams": action.signature.shape.streams,
        "input": action.input_schema,
        "chunk": chunk.json_schema if chunk is not None else None,
        "result": action.signature.result.json_schema,
        "errors": action.declared_errors,
        "asks": {name: kind.json_schema for name, kind in action.asks.items()},
        "inbox": None if action.inbox is None else action.inbox.json_schema,
        "linger": action.options.linger,
        "timeout": action.options.timeout,
        "shared": action.options.shared,
    }
