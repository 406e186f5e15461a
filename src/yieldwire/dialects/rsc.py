"""ai/rsc: `readStreamableValue` of `@ai-sdk/rsc`, over rows of React Flight.

As the published packages read it: `@ai-sdk/rsc` 3.0 with the Flight client of React 19. A row is
its number in hexadecimal, a colon, JSON and a line feed, and ``$@n`` is a promise of row *n*. A
promise that is open when the connection ends is rejected, so a cut stream is never an end.
"""

from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi import Actions
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event

_TYPE: Final = "$Sui.streamable.value"
"""The symbol by which the client knows a streamable value."""
_MEDIA_TYPE: Final = "text/x-component"
_IDLE_ROWS: Final = 0x4000000
"""The first number of the rows that nothing refers to."""


class RSCEncoder(DialectEncoder):
    """A streamable value: each chunk is a change of it, and a promise of the next one."""

    media_type: ClassVar[str] = _MEDIA_TYPE

    def __init__(self) -> None:
        self._row = 0
        self._idle_row = _IDLE_ROWS
        self._is_text = self._has_value = False

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the root row, a value that is not set yet."""
        return [self._change({"type": _TYPE})]

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return a new value, or text that is appended to the current one."""
        value, self._has_value = event.value, True
        text = text_of(event.data)
        if text is None:
            is_value = isinstance(value, dict) and value.get("type") == "value"
            value = value.get("value") if is_value else value
            self._is_text = isinstance(value, str)
            return [self._change({"curr": _escaped(value)})]
        if self._is_text:
            return [self._change({"diff": [0, _escaped(text)]})]
        self._is_text = True
        return [self._change({"curr": _escaped(text)})]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the last row; the result is the value of an action that streams nothing."""
        result = event.value.get("result")
        is_only = not self._has_value and result is not None
        return [self._last({"curr": _escaped(result)} if is_only else {})]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the last row, whose error the client throws."""
        return [self._last({"error": _told(error)})]

    def cut(self, error: ErrorObject) -> Iterable[bytes]:
        """Return an error: the client cannot resume."""
        return self.error(error)

    def keepalive(self) -> bytes:
        """Return a row that nothing refers to: the format has no bytes without meaning."""
        self._idle_row += 1
        return b"%x:null\n" % self._idle_row

    def _change(self, row: dict[str, Json]) -> bytes:
        number, self._row = self._row, self._row + 1
        return b"%x:%b\n" % (number, to_json({**row, "next": f"$@{self._row:x}"}))

    def _last(self, row: dict[str, Json]) -> bytes:
        return b"%x:%b\n" % (self._row, to_json(row))


class RSC(Dialect):
    """Answers `createFromFetch` with a streamable value, for `readStreamableValue`.

    The value of an action with a `StreamableValue` is that value, the texts of a run are one text
    that grows, and every other chunk is a new value. A client that leaves cannot come back, so its
    run stops at once, unless the action lets it continue without readers (``linger=None``).
    """

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the Flight client of a page sends such a request."""
        return head.headers.get("accept", "").startswith(_MEDIA_TYPE)

    async def answer(self, call: ForeignCall) -> None:
        """Start the run of the path's action, and answer with its value."""
        action = call.action(call.head.path)
        run = await call.start(action, partial(call.fields, action.input_schema), linger=0.0)
        await call.stream(run, RSCEncoder())

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return a value with an error, which the client throws."""
        row = to_json({"type": _TYPE, "error": _told(error)})
        return Reply(status=error.status, body=b"0:%b\n" % row, media_type=_MEDIA_TYPE)


def _told(error: ErrorObject) -> Json:
    return _escaped({key: value for key, value in error.to_dict().items() if value is not None})


def _escaped(value: Json) -> Json:
    """Return a value in which no string is taken for a reference."""
    if isinstance(value, str):
        return f"${value}" if value.startswith("$") else value
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value
