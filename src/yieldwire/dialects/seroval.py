"""JSON as nodes of seroval's cross-reference JSON, and back: how TanStack Start writes values.

Each object and each array has a number, by which a later node can refer to it. Only what JSON can
express is read: dates become their text, sets and maps become arrays and objects.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from yieldwire.errors import Json, ParseError, PayloadTooLarge

Node = dict[str, Json]
"""One node: its type ``t``, and what its type needs."""

UNDEFINED: Final[Node] = {"t": 2, "s": 1}
_CONSTANTS: Final = {None: 0, True: 2, False: 3}
_READ_CONSTANTS: Final[Mapping[int, Json]] = {0: None, 1: None, 2: True, 3: False, 4: 0}
_NUMBER, _STRING, _CONSTANT, _BIGINT, _REFERENCE, _DATE = range(6)
_SET, _MAP, _ARRAY, _OBJECT, _NULL_OBJECT = range(7, 12)
MAX_NODES: Final = 100_000
"""The most values of one input, each as often as the document refers to it."""
_ERROR: Final = 13
_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\b": "\\b",
    "\t": "\\t",
    "\f": "\\f",
    "<": "\\x3C",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_UNESCAPES: Final = {escaped: character for character, escaped in _ESCAPES.items()}
_SPECIAL: Final = re.compile(r'["\\\n\r\b\t\f<\u2028\u2029]')
_ESCAPED: Final = re.compile(r'\\(?:["\\nrbtf]|x3C|u2028|u2029)')


def escape(text: str) -> str:
    """Return ``text`` as seroval writes it."""
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text)


def unescape(text: str) -> str:
    """Return the text that seroval wrote."""
    return _ESCAPED.sub(lambda match: _UNESCAPES[match[0]], text)


class Writer:
    """Writes JSON values as nodes. All nodes of one answer have different numbers.

    Args:
        first: The first number.
    """

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def write(self, value: Json) -> Node:
        """Return the node of a JSON value."""
        if isinstance(value, str):
            return {"t": _STRING, "s": escape(value)}
        if value is None or isinstance(value, bool):
            return {"t": _CONSTANT, "s": _CONSTANTS[value]}
        if isinstance(value, (int, float)):
            return {"t": _NUMBER, "s": value}
        number = self._number()
        if isinstance(value, list):
            return {"t": _ARRAY, "i": number, "a": [self.write(each) for each in value], "o": 0}
        return {"t": _OBJECT, "i": number, "p": self._members(value), "o": 0}

    def error(self, message: str, members: Mapping[str, Json]) -> Node:
        """Return the node of an ``Error`` with these properties."""
        number = self._number()
        node = {"t": _ERROR, "i": number, "s": 0, "m": escape(message)}
        return {**node, "p": self._members(members)}

    def wrap(self, name: str, node: Callable[[], Node]) -> Node:
        """Return the node of an object with one member, whose node comes after it."""
        number = self._number()
        return {"t": _OBJECT, "i": number, "p": {"k": [name], "v": [node()]}, "o": 0}

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number

    def _members(self, members: Mapping[str, Json]) -> dict[str, Json]:
        return {
            "k": list(map(escape, members)),
            "v": [self.write(each) for each in members.values()],
        }


def read(document: Json) -> Json:
    """Return the value of a document that `toJSONAsync` wrote.

    Raises:
        ParseError: If it is not such a document, or has a value that JSON cannot express.
    """
    if not isinstance(document, dict):
        raise ParseError("The payload is not a document of seroval.")
    try:
        return _Reader().read(document["t"])
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ParseError("The payload is not a document of seroval.") from exc


class _Reader:
    """Reads one document. Objects that are referred to again are counted again.

    Otherwise a short document could mean a value that is too large to write.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Json, int]] = {}
        self._count = 0

    def read(self, node: Any) -> Json:  # noqa: ANN401 - not checked yet
        self._add(1)
        kind = node["t"]
        if kind in _SIMPLE:
            return _SIMPLE[kind](node["s"])
        if kind == _REFERENCE:
            value, size = self._known[node["i"]]
            self._add(size)
            return value
        before = self._count
        value = self._collection(kind, node)
        self._known[node["i"]] = value, self._count - before
        return value

    def _collection(self, kind: Json, node: Any) -> Json:  # noqa: ANN401 - as above
        if kind in {_SET, _ARRAY}:
            return [self.read(each) for each in node["a"]]
        if kind == _MAP:
            pairs = zip(node["e"]["k"], node["e"]["v"], strict=True)
            return {str(self.read(key)): self.read(value) for key, value in pairs}
        if kind not in {_OBJECT, _NULL_OBJECT}:
            raise ParseError(f"An input cannot have a value of seroval's type {kind!r:.20}.")
        members = zip(node["p"]["k"], node["p"]["v"], strict=True)
        return {_text(key): self.read(value) for key, value in members if value != UNDEFINED}

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MAX_NODES:
            raise PayloadTooLarge(f"An input can have at most {MAX_NODES} values.")


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError
    return unescape(value)


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return value


def _constant(value: Json) -> Json:
    return _READ_CONSTANTS[value]


def _bigint(value: Json) -> int:
    return int(_text(value))  # Python limits how many digits it has


_SIMPLE: Final[Mapping[int, Callable[[Json], Json]]] = {
    _NUMBER: _number,
    _STRING: _text,
    _CONSTANT: _constant,
    _BIGINT: _bigint,
    _DATE: _text,
}
