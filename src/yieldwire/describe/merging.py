"""Merges OpenAPI documents, such as that of a host application and that of its actions."""

from collections.abc import Mapping
from typing import Final

from yieldwire.errors import Json

_COMPONENTS: Final = "#/components/"


def merged(document: Json, other: Json) -> dict[str, Json]:
    """Return an OpenAPI document with everything of another one.

    Operations that both have are merged too: lists are joined, and other values are those of
    ``other``. A component of ``other`` whose name ``document`` has for another one is renamed.
    """
    names: dict[str, str] = {}
    for kind, components in other.get("components", {}).items():
        taken = document.get("components", {}).get(kind, {})
        for name, component in components.items():
            free = name
            while free in taken and taken[free] != component:
                free += "_"
            names[f"{_COMPONENTS}{kind}/{name}"] = free
    renamed = {
        kind: {names[f"{_COMPONENTS}{kind}/{name}"]: each for name, each in components.items()}
        for kind, components in other.get("components", {}).items()
    }
    both: dict[str, Json] = _both(document, _renamed({**other, "components": renamed}, names))
    return both


def _both(one: Json, other: Json) -> Json:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        shared = {key: _both(one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **shared}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *(each for each in other if each not in one)]
    return other


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    if isinstance(value, str) and value in names:
        return f"{value.rpartition('/')[0]}/{names[value]}"
    if isinstance(value, Mapping):
        return {key: _renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return value
