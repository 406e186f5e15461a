"""How Python values are sent to PostgreSQL, and text is read.

PostgreSQL's text has no NUL character, which names that callers choose can have. It is escaped
with SUB, so that every other text is stored as it is.
"""

from typing import Final

from psycopg import adapters
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format
from psycopg.types.array import ListBinaryDumper
from psycopg.types.bool import BoolBinaryDumper
from psycopg.types.numeric import FloatBinaryDumper, Int8BinaryDumper
from psycopg.types.string import BytesBinaryDumper, StrBinaryDumper

_NUL: Final = "\0"
_SUB: Final = "\x1a"


def escaped(text: str) -> str:
    """Return a text that PostgreSQL can store."""
    if _NUL not in text and _SUB not in text:
        return text
    return text.replace(_SUB, _SUB + "1").replace(_NUL, _SUB + "0")


def unescaped(text: str) -> str:
    """Return the text that was `escaped`."""
    if _SUB not in text:
        return text
    return text.replace(_SUB + "0", _NUL).replace(_SUB + "1", _SUB)


class TextDumper(StrBinaryDumper):
    """Sends a string."""

    def dump(self, obj: str) -> Buffer | None:
        """Return the bytes to send."""
        return escaped(obj).encode()


class TextLoader(Loader):
    """Reads a string."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        """Return the string."""
        return unescaped(bytes(data).decode())


def adaptation() -> AdaptContext:
    """Return how values are sent and read.

    Every number that is whole is sent as ``bigint``: a statement is prepared for the types of its
    values, and by default a number's type depends on its size.
    """
    own = AdaptersMap(adapters)
    own.register_dumper(str, TextDumper)
    own.register_dumper(int, Int8BinaryDumper)
    own.register_dumper(float, FloatBinaryDumper)
    own.register_dumper(bytes, BytesBinaryDumper)
    own.register_dumper(bool, BoolBinaryDumper)
    own.register_dumper(list, ListBinaryDumper)
    own.register_loader("text", TextLoader)
    return _Adaptation(own)


class _Adaptation:
    def __init__(self, own: AdaptersMap) -> None:
        self._own = own

    @property
    def adapters(self) -> AdaptersMap:
        return self._own

    @property
    def connection(self) -> None:
        return None
