"""Makes examples from JSON Schemas, out of the examples and defaults that are declared in them."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from pydantic_core import to_json

from yieldwire.describe.schema import Definitions, Schema, alternatives, definitions_of, kinds
from yieldwire.errors import Json

RUN: Final = "r0mngb1Af1elGgdmfgIvz"
"""The id of the run in examples."""
_DEEPEST: Final = 8
"""How deep a schema is read, because it can contain itself."""
_Known: TypeAlias = dict[tuple[int, int], list[Json]]
"""The examples of the parts that were read, by their identity and the depth: parts that contain
each other are met at very many places."""


def example_of(schema: Schema) -> list[Json]:
    """Return one example of a value; an empty list if a required part of it has none.

    It is the first declared example, the default, the only possible value, or an object of the
    examples of its members, as flat as possible.
    """
    every = (
        _example(schema, definitions_of(schema), depth, {}) for depth in range(1, _DEEPEST + 1)
    )
    return next(filter(None, every), [])


def _example(schema: Schema, definitions: Definitions, depth: int, known: _Known) -> list[Json]:
    place = id(schema), depth
    if place not in known:
        found = _declared(schema)
        for one in alternatives(schema, definitions) if depth else ():
            found = found or _declared(one) or _members(one, definitions, depth - 1, known)
        known[place] = found[:1]
    return known[place]


def _declared(schema: Schema) -> list[Json]:
    if schema.get("examples"):
        return list(schema["examples"])
    for name in ("default", "const"):
        if name in schema:
            return [schema[name]]
    return list(schema.get("enum", [None] if schema.get("type") == "null" else []))


def _members(schema: Schema, definitions: Definitions, depth: int, known: _Known) -> list[Json]:
    if kinds(schema) != ["object"] or schema.get("additionalProperties"):
        return []
    properties: Mapping[str, Schema] = schema.get("properties", {})
    required: Sequence[str] = schema.get("required", ())
    found = {name: _example(each, definitions, depth, known) for name, each in properties.items()}
    if any(not found.get(name) for name in required):
        return []
    told = {name: one[0] for name, one in found.items() if one}
    return [{name: one for name, one in told.items() if one is not None or name in required}]


def stream_example(chunk: Json, result: list[Json]) -> str:
    """Return a whole stream of server-sent events with one chunk, as it is on the wire."""
    done = {} if result in ([], [None]) else {"result": result[0]}
    opening = {"id": RUN, "status": "running"}
    frames = [("event: run\n", opening), ("", chunk), ("event: done\n", done)]
    return "".join(
        f"id: {RUN}.{seq}\n{name}data: {to_json(data).decode()}\n\n"
        for seq, (name, data) in enumerate(frames)
    )
