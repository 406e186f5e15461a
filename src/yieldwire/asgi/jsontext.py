"""Strict JSON for untrusted input: anything that two parsers could read differently is refused."""

import json
import re
from collections.abc import Sequence
from typing import Final, NoReturn

from pydantic_core import PydanticSerializationError, from_json, to_json

from yieldwire.errors import Json, ParseError

# A string that the body's end cuts, even after a backslash, is one token too. Otherwise the
# search would restart at each quote in it, which takes quadratic time.
TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


_SHORT_BYTES: Final = 1024
"""The size up to which a body is read and written again, to see whether it is the same."""
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = " \t\n\r"


def parse_json(body: bytes, max_depth: int, *, around: int = 0) -> Json:
    """Return the JSON value of ``body``, whose input is nested ``around`` levels deep.

    Raises:
        ParseError: If it is not JSON, nests too deep, names a key twice, or has a number or a
            string that JSON cannot represent.
    """
    if body.count(b"[") + body.count(b"{") > max_depth + around:
        _check_depth(body, max_depth, around)
    if len(body) <= _SHORT_BYTES:
        try:
            value = from_json(body, allow_inf_nan=False)
            if to_json(value) == body:
                return value  # without spaces, as most clients write it: nothing was left out
        except ValueError:
            pass  # what is wrong is said below
    try:
        if body.startswith(_BOM):
            raise ValueError("it begins with a byte order mark")
        text = body.decode("utf-8").rstrip(_SPACE)
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip(_SPACE)))
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
        if b"\\u" in body:
            to_json(value)  # a lone surrogate can be read, but never sent
    except (ValueError, RecursionError, PydanticSerializationError) as exc:
        raise ParseError(f"The body is not valid JSON: {_reason(exc)}.") from exc
    return value


def _reason(exc: Exception) -> str:
    if isinstance(exc, json.JSONDecodeError):
        return f"{exc.msg} at line {exc.lineno}, column {exc.colno}"
    if isinstance(exc, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(exc, PydanticSerializationError):
        return "a string has a lone surrogate"
    if "digits" in str(exc):
        return "a number is too large"  # Python's own limit, with a message for developers
    return str(exc) or "it nests too deep"


def _check_depth(body: bytes, max_depth: int, around: int) -> None:
    depth = -around
    for token in TOKENS.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise ParseError(f"The body nests deeper than {max_depth} levels.")
        elif first in b"]}":
            depth -= 1


def _object(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has the same key twice")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("a number is too large")
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float
)
