"""Which Python values are plain JSON, which part of a value is not, and what can be read back."""

import math
import re
from typing import Any, Final

from pydantic_core import from_json

MOST_DIGITS: Final = 4_300
"""Digits of an integer that Python can read; longer ones can be written, but not read."""
MOST_LEVELS: Final = 190
"""How deep a written value can nest. 200 levels can be read, some of them around it."""
UNCHECKED_BYTES: Final = 2 * MOST_LEVELS
"""JSON of this size is always readable."""

_SPARE: Final = 200 - MOST_LEVELS
_STRIDE: Final = MOST_DIGITS // 10
_DIGITS: Final = re.compile(rb"[0-9]{10}")

_TOO_LONG: Final = 10**MOST_DIGITS

_DEPTH: Final = 100
"""How deep a value can nest. A value that contains itself would never end."""


class Unreadable(ValueError):
    """JSON that can be written but not read back. The message says why."""


def check_readable(data: bytes) -> None:
    """Return if ``data``, valid JSON, can be read back.

    Raises:
        Unreadable: If it nests too deep or has a number that is too long.
    """
    # Both tests are cheap and rarely positive; then the data is parsed to be sure.
    if data.count(b"[") + data.count(b"{") > MOST_LEVELS or _DIGITS.search(data[::_STRIDE]):
        try:
            from_json(b"[" * _SPARE + data + b"]" * _SPARE, cache_strings=False)
        except ValueError as exc:
            if "number" in str(exc):
                reason = f"has a number of more than {MOST_DIGITS} digits"
            else:
                reason = f"nests deeper than {MOST_LEVELS} levels"
            raise Unreadable(reason) from exc


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
        return None if _is_text(value) else f"{path} has a lone surrogate"
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path} is {value}"
    if isinstance(value, int):
        return None if abs(value) < _TOO_LONG else f"{path} has more than {MOST_DIGITS} digits"
    return None if value is None else f"{path} is a {_type_of(value)}"


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
