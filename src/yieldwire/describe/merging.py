"""Merges OpenAPI documents, such as that of a host application and that of its actions."""

from collections.abc import Mapping
from typing import Final

from yieldwire.errors import Json

_SCHEMAS: Final = "#/components/schemas/"


def merged(document: Json, other: Json) -> dict[str, Json]:
    """Return an OpenAPI document with everything of another one.

    Operations that both have are merged too: lists are joined, and other values are those of
    ``other``. A schema of ``other`` whose name ``document`` has for another schema is renamed.
    """
    taken = document.get("components", {}).get("schemas", {})
    names: dict[str, str] = {}
    for name, schema in other.get("components", {}).get("schemas", {}).items():
        free = name
        while free in taken and taken[free] != schema:
            free += "_"
        names[name] = free
    schemas = other.get("components", {}).get("schemas", {})
    renamed = {names[name]: _renamed(schema, names) for name, schema in schemas.items()}
    components = {**_renamed(other.get("components", {}), names), "schemas": renamed}
    both: dict[str, Json] = _both(document, {**_renamed(other, names), "components": components})
    return both


def _both(one: Json, other: Json) -> Json:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        shared = {key: _both(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **shared}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *(each for each in other if each not in one)]
    return other


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    if isinstance(value, str) and value.startswith(_SCHEMAS):
        name = value.removeprefix(_SCHEMAS)
        return _SCHEMAS + names.get(name, name)
    if isinstance(value, Mapping):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return value
