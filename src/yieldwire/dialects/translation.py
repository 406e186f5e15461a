"""From a run's log to the frames of a foreign format, as one reader of the run gets them.

An encoder can keep state. After a resume that state is rebuilt by encoding the log from its start
and dropping the frames that the client already has.
"""

import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from yieldwire.asgi.exchange import BrokenOff
from yieldwire.errors import ErrorObject, InternalError, NotFound, RunInterrupted, Unavailable
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.question import Questions

logger: Final = logging.getLogger("yieldwire.dialects")

UNANSWERABLE: Final = "unanswerable"
"""The reason for which a run is cancelled that asks a client who cannot answer."""
DELETED: Final = "The events that follow were deleted."
"""What a client is told whose place is before the first event that a log still has."""


def _nothing() -> None:
    pass


class DialectEncoder(ABC):
    """Encodes the events of one run in a foreign format, for one reader.

    Every method returns frames: the messages that the client counts, as bytes. It is pure: the same
    events give the same frames, so that a client can resume after any of them.
    """

    media_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    """The value of ``Content-Type``."""
    headers: Sequence[tuple[str, str]] = ()
    """Headers of each stream in addition to the usual ones."""
    greeting: bytes = b""
    """Bytes at the start of each response, before any frame."""
    closing: ClassVar[bytes] = b""
    """Bytes after the last frame of a run that has ended."""
    tells_errors: ClassVar[bool] = True
    """Whether the format can tell an error after its start. If it cannot, the connection of a run
    that did not complete is broken off, so that nobody mistakes the end for success."""

    is_stateless: ClassVar[bool] = False
    """Whether no frame depends on an event before it. Then a resume is encoded from its place, and
    what `begin` returns is sent in any case."""

    is_paused: bool = False
    """Set by `question`: the response ends after its frames, because the client answers in another
    request, which is answered with the rest."""

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the frames before the first event."""
        return ()

    @abstractmethod
    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the frames of a chunk.

        Raises:
            Exception: If the format cannot express it: the client is told an internal error, and
                the log has what was raised.
        """

    @abstractmethod
    def done(self, event: Event) -> Iterable[bytes]:
        """Return the frames of a completed run; the event's value can have a ``result``."""

    @abstractmethod
    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the frames of a failed run, or of a stream that cannot continue."""

    def cancelled(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the frames of a run that was stopped; by default those of an error."""
        return self.error(error)

    def question(self, event: Event) -> Iterable[bytes] | None:
        """Return the frames of a question, or ``None`` if the client cannot answer one."""
        return None

    def answer(self, event: Event) -> Iterable[bytes]:
        """Return the frames of an answer."""
        return ()

    def restarted(self, keep: int) -> Iterable[bytes] | None:
        """Return the frames that take back everything after event ``keep``.

        ``None`` if the format cannot: the client is told that the run was interrupted.
        """
        return None

    def flush(self) -> Iterable[bytes]:
        """Return the frames of what other methods kept back, to send a block as fewer frames.

        Called at the end of each block.
        """
        return ()

    def cut(self, error: ErrorObject) -> Iterable[bytes] | None:
        """Return the frames that tell why the stream ends before its run does.

        ``None``: the connection is broken off, which a client that can resume understands better.
        """
        return None

    def keepalive(self) -> bytes:
        """Return bytes that the client ignores."""
        return b": keepalive\n\n"


class Translation:
    """An encoder of a foreign format, as an encoder of blocks for one reader.

    Args:
        encoder: What encodes.
        open_: Called when the stream begins, before its head is sent.
        leave: Lets the reader end, because nothing can follow.
        ask: Called when the run asks a question that the client cannot answer.
        after: The event after which the client continues; 0: none.
        skip: The number of frames that it already has.
    """

    def __init__(
        self,
        encoder: DialectEncoder,
        *,
        open_: Callable[[], object] = _nothing,
        leave: Callable[[], None] = _nothing,
        ask: Callable[[], None] = _nothing,
        after: int = 0,
        skip: int = 0,
    ) -> None:
        self._encoder: Final = encoder
        self.media_type: Final = encoder.media_type
        self.carries_end: Final = encoder.tells_errors
        self._open, self._leave, self._ask = open_, leave, ask
        self._after, self._skip = after, skip
        self._questions = Questions()
        self._chunk_seq = after if encoder.is_stateless else 0
        """The last chunk that the client has; at most this, if it was not encoded here."""
        self._is_over = False
        """Whether the client was told that nothing follows, although the run continues."""

    def opening(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the greeting, and the frames before the first event."""
        self._open()
        frames = self._encoder.begin(cursor.run_id)
        if self._encoder.is_stateless:
            return self._encoder.greeting + b"".join(frames)
        return self._encoder.greeting + self._new(frames, 0)

    def encode(self, block: Block, /) -> bytes:
        """Return the frames of the block's events that the client does not have yet."""
        sent: list[bytes] = []
        for event in block.events():
            if self._is_over:
                break
            try:
                frames = self._frames(event)
            except Exception as exc:  # noqa: BLE001 - the encoder's; the client is told an id
                frames = self._fault(event, exc)
            sent.append(self._new(frames, event.seq))
            if self._encoder.is_paused:
                self._is_over = True
                sent.append(self._encoder.closing)
                self._leave()
        sent.append(self._new(self._encoder.flush(), block.last))
        if len(self._questions) and block.last > self._after:
            self._ask()
        if block.end is not None and not self._is_over:
            sent.append(self._encoder.closing)
        return b"".join(sent)

    def _frames(self, event: Event) -> Iterable[bytes]:
        encoder = self._encoder
        match event.type:
            case EventType.CHUNK:
                self._chunk_seq = event.seq
                return encoder.chunk(event)
            case EventType.DONE:
                return encoder.done(event)
            case EventType.ERROR:
                return encoder.error(ErrorObject.from_dict(event.value))
            case EventType.CANCELLED:
                return encoder.cancelled(explained(ErrorObject.from_dict(event.value)))
            case EventType.RESTARTED:
                return self._restart(event.value.get("keep", 0))
            case _:
                return self._conversation(event)

    def _conversation(self, event: Event) -> Iterable[bytes]:
        if event.type is EventType.ANSWER:
            self._questions.take(event)
            return self._encoder.answer(event)
        frames = self._encoder.question(event)
        if frames is None:
            self._questions.take(event)
            return ()
        return frames

    def _restart(self, keep: int) -> Iterable[bytes]:
        if keep >= self._chunk_seq:
            return ()  # the client has nothing that no longer counts
        frames = self._encoder.restarted(keep)
        if frames is not None:
            self._chunk_seq = keep
            return frames
        error = RunInterrupted("The run was restarted, which this client cannot show.")
        return self._fail(error.error_object())

    def _fault(self, event: Event, exc: Exception) -> Iterable[bytes]:
        error = InternalError(secrets.token_hex(8))
        logger.error(
            "event %d cannot be sent in this dialect, error id %s",
            event.seq,
            error.error_id,
            exc_info=exc,
            extra={"error_id": error.error_id},
        )
        return self._fail(error.error_object())

    def _fail(self, error: ErrorObject) -> Sequence[bytes]:
        if not self.carries_end:
            raise BrokenOff(error.message)
        self._is_over, self._skip, self._after = True, 0, 0
        self._leave()
        return [*self._encoder.error(error), *self._encoder.flush(), self._encoder.closing]

    def _new(self, frames: Iterable[bytes], seq: int) -> bytes:
        """Return those frames of event ``seq`` that the client does not have yet."""
        if self._skip:
            frames = list(frames)
            skipped = min(self._skip, len(frames))
            self._skip -= skipped
            frames = frames[skipped:]
        return b"" if seq <= self._after and self._after else b"".join(frames)

    def keepalive(self) -> bytes:
        """Return bytes that the client ignores."""
        return self._encoder.keepalive()

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return nothing: foreign clients know no runs that wait."""
        return b""

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return the frames that tell a client that events before ``first_seq`` are gone."""
        if self._encoder.is_stateless and (frames := self._encoder.restarted(0)) is not None:
            return b"".join([*frames, *self._encoder.flush()])
        error = NotFound(DELETED)
        return b"".join(self._fail(error.error_object(run_id)))

    def farewell(self, retry_ms: int, /) -> bytes | None:
        """Return what tells the client that this is the end; else it is broken off."""
        if self._is_over:
            return b""
        error = Unavailable("The stream ended before its run did.").error_object()
        frames = self._encoder.cut(error) if self.carries_end else None
        return None if frames is None else b"".join([*frames, self._encoder.closing])


class Counting(Translation):
    """Counts the frames that an encoder makes of a log."""

    def __init__(self, encoder: DialectEncoder, run_id: str) -> None:
        super().__init__(encoder)
        self.count: int = 0
        self.opening(Cursor(run_id, 0), b"")

    def _new(self, frames: Iterable[bytes], seq: int) -> bytes:
        self.count += len(list(frames))
        return b""


def explained(error: ErrorObject) -> ErrorObject:
    """Return the error of a cancelled run, whose message says if it asked a question in vain."""
    if isinstance(error.data, dict) and error.data.get("reason") == UNANSWERABLE:
        message = "The run asked a question, which this client cannot answer."
        return replace(error, message=message)
    return error
