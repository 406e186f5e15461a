"""Which Python values are plain JSON, and which part of a value is not."""

import math
from typing import Any, Final

_DEPTH: Final = 100
"""How deep a value may nest. A value that contains itself has no end."""


def json_fault(value: object, path: str = "", *, depth: int = _DEPTH) -> str | None:
    """Return what in ``value`` is not plain JSON, and where; ``None`` if all of it is.

    Plain JSON is ``None``, ``bool``, ``int``, finite ``float``, ``str``, and lists, tuples and
    dictionaries of those, with keys that are ``str``.

    Example:
        >>> json_fault({"rows": [1, {2}]}, "state")
        "state['rows'][1] is a set"
    """
    if isinstance(value, (dict, list, tuple)):
        return _fault_within(value, path, depth)
    if isinstance(value, str):
        return None if _is_text(value) else f"{path} has half of a surrogate pair"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path} is {value}"
    return None if value is None or isinstance(value, int) else f"{path} is a {_type_of(value)}"


def _fault_within(value: Any, path: str, depth: int) -> str | None:  # noqa: ANN401 - of three kinds
    if depth == 0:
        return f"{path[:40]}… is nested too deeply"
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(value, dict) and not isinstance(key, str):
            return f"{path} has the key {key!r:.40}, which is not a string"
        fault = json_fault(item, f"{path}[{key!r:.40}]", depth=depth - 1)
        if fault is not None:
            return fault
    return None


def _type_of(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
