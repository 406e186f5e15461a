"""What an action pushes its output to, if it does not yield: a stream, or a changing value."""

import io
from typing import ClassVar, Final, Generic, Protocol, TypeVar, cast

from yieldwire.actions.parameter import Injected
from yieldwire.errors import ActionError, UsageError
from yieldwire.log.chunks import Append, Value

C = TypeVar("C")
V = TypeVar("V")


class Sink(Protocol):
    """Receives chunks: the writer of the run's log."""

    def put(self, chunk: object, /) -> object:
        """Take a chunk; it is written when the action next waits."""
        ...

    async def drain(self) -> None:
        """Return when the chunks are in the log, or the log is close enough behind."""
        ...


class Stream(Injected, Generic[C]):
    """A stream that the action pushes to; returning closes it."""

    carries: ClassVar[str | None] = "stream"

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._closed = False

    async def send(self, chunk: C) -> None:
        """Send a chunk. Waits while the log is too far behind.

        Raises:
            UsageError: If the stream is closed.
        """
        if self._closed:
            raise UsageError("The stream is closed; nothing can be sent on it.")
        self._sink.put(chunk)
        await self._sink.drain()

    def close(self) -> None:
        """End the stream early; the action can continue and return its result."""
        self._closed = True


_UNSET: Final = object()


class StreamableValue(Injected, Generic[V]):
    """One value that changes while the action runs; returning is `done`.

    The run's result is the last value. The methods do not wait; their changes are sent when the
    action next waits.
    """

    carries: ClassVar[str | None] = "value"

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._value: object = _UNSET
        self._grown: io.StringIO | None = None  # the appended text; a list takes far more memory
        self._closed = False
        self.failure: ActionError | None = None

    @property
    def value(self) -> V | None:
        """The current value; ``None`` before the first."""
        if self._grown is not None:
            start = self._value if isinstance(self._value, str) else ""
            self._value, self._grown = start + self._grown.getvalue(), None
        return None if self._value is _UNSET else cast("V", self._value)

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("The value is done; it cannot change any more.")

    def update(self, value: V) -> None:
        """Replace the value.

        Raises:
            UsageError: If the value is done.
            LimitExceeded: If the run's log has no room for it; the value does not change.
        """
        self._check_open()
        self._sink.put(Value(value))
        self._value, self._grown = value, None

    def append(self, text: str) -> None:
        """Append to the value, which must be text or not set yet.

        Raises:
            UsageError: If the value is done, or is not text.
            LimitExceeded: If the run's log has no room for it; the value does not change.
        """
        self._check_open()
        if self._value is not _UNSET and not isinstance(self._value, str):
            raise UsageError("Only text can be appended to; use update() for other values.")
        self._sink.put(Append(text))
        if self._grown is None:
            self._grown = io.StringIO(newline="")
        self._grown.write(text)

    def done(self, value: object = _UNSET) -> None:
        """Declare the value final, with a last value if one is given.

        Raises:
            UsageError: If the value is already done.
        """
        if value is _UNSET:
            self._check_open()
        else:
            self.update(cast("V", value))
        self._closed = True

    def error(self, error: ActionError | str) -> None:
        """End the value with an error, which fails the run when the action returns.

        Raises:
            UsageError: If the value is done.
        """
        self._check_open()
        self._closed = True
        self.failure = error if isinstance(error, ActionError) else ActionError("FAILED", error)
