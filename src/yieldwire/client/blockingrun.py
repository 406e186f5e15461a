"""A run on a server, for blocking code: the same run, on a loop in another thread.

Written by `make generate` from the asynchronous client; change it there.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from yieldwire.client.body import OnUpload
from yieldwire.client.run import RemoteRun
from yieldwire.client.runtypes import A, C, M, R, RunTypes
from yieldwire.errors import Json
from yieldwire.log.events import Event
from yieldwire.loopthread import LoopThread

C2 = TypeVar("C2")
R2 = TypeVar("R2")


class Closing(ABC):
    """What a ``with`` block closes at its end."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BlockingRun(Closing, Generic[C, R, A, M]):
    """A run on a server, for blocking code. See `RemoteRun`."""

    def __init__(self, loop: LoopThread, run: RemoteRun[C, R, A, M]) -> None:
        self._loop, self._run = loop, run

    def _ipython_display_(self) -> None:
        """Show the run in a notebook's cell, and update that until the run has ended."""

        async def show() -> None:
            self._run._ipython_display_()  # pyright: ignore[reportPrivateUsage]  # its twin's

        self._loop.run(show())

    @property
    def id(self) -> str:
        """The run's id."""
        return self._run.id

    @property
    def cursor(self) -> str:
        """Keep this to resume elsewhere: ``client.attach(run.id, run.cursor)``."""
        return self._run.cursor

    @property
    def first_seq(self) -> int:
        """The first event that the log still has; above 1 if older ones were trimmed."""
        return self._run.first_seq

    @property
    def seq(self) -> int:
        """The seq of the last event that was handed out."""
        return self._run.seq

    def close(self) -> None:
        """Stop reading, without cancelling; reading again continues from the cursor."""
        self._loop.run(self._run.aclose())

    def events(self) -> Iterator[Event]:
        """Yield the events after the cursor, as they come, up to the terminal one.

        Raises:
            YieldwireError: If the log cannot be read further.
            UsageError: If another task is reading this run.
        """
        return self._loop.iterate(self._run.events())

    def read_as(self, types: RunTypes[C2, R2]) -> "BlockingRun[C2, R2]":
        """Return this run, with its values read as other types from now on."""
        return BlockingRun(self._loop, self._run.read_as(types))

    def __iter__(self) -> Iterator[C]:
        """Yield the chunks of the action.

        If the run is restarted, the chunks after its saved place come again: what was yielded
        cannot be taken back. `events` tells of it, with ``restarted`` and what it keeps.

        Raises:
            YieldwireError: If the run fails or is cancelled, or its log cannot be read further.
            ProtocolError: If a chunk does not match its type.
        """
        return self._loop.iterate(aiter(self._run))

    def result(self, *, timeout: float | None = None) -> R:
        """Read on to the run's end, and return its result.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            YieldwireError: If the run failed or was cancelled, or its log cannot be read further.
            ProtocolError: If the result does not match its type.
            TimedOut: If the time is over. The run continues, and this can be called again.
        """
        return self._loop.run(self._run.result(timeout=timeout))

    def show(self) -> R:
        """Show how far the run is until it has ended, and return its result.

        A notebook shows it in the output of the cell, and a terminal as a bar if Rich is installed.
        In a notebook, a cell whose last value is a run shows the same without waiting. What
        iterates the run meanwhile misses nothing.

        Raises:
            YieldwireError: If the run failed or was cancelled, or its log cannot be read further.
            ProtocolError: If the result does not match its type.
        """
        return self._loop.run(self._run.show())

    def wait(self, *, timeout: float | None = None) -> dict[str, Json]:
        """Wait until the run has ended, in whichever way, and return its snapshot.

        The snapshot has the ``status``, and the ``result`` or the ``error``. This reads on its own,
        so what iterates the run meanwhile misses nothing.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            YieldwireError: If the run cannot be read.
            TimedOut: If the time is over. The run continues.
        """
        return self._loop.run(self._run.wait(timeout=timeout))

    def snapshot(self, *, with_input: bool = False) -> dict[str, Json]:
        """Return the run's state in one object.

        Args:
            with_input: Whether it has the run's ``input``. Only its owner gets that, and everyone
                from a development server.
        """
        return self._loop.run(self._run.snapshot(with_input=with_input))

    def log(self) -> Iterator[Event]:
        """Yield the events after the cursor that the log has, each with its time in ``at``.

        This does not wait for more events, and does not move the cursor.

        Raises:
            YieldwireError: If the log cannot be read.
        """
        return self._loop.iterate(self._run.log())

    def waiting(self) -> dict[str, Json] | None:
        """Return where a pending run waits, as the stream has told last; ``None`` if it does not.

        It has ``before``, about how many runs are before it in its queue, ``expectedMs``, about how
        long it waits, and ``notBefore``, when it starts at the earliest; each can be ``None``.
        Before the run is followed, `snapshot` has the same.
        """
        return self._loop.run(self._run.waiting())

    def cancel(self) -> dict[str, Json]:
        """Ask the run to stop, and return its snapshot. Asking twice is asking once."""
        return self._loop.run(self._run.cancel())

    def questions(self) -> Sequence[dict[str, Json]]:
        """Return the questions that are open, in the order in which they were asked.

        Each has an ``id``, a ``prompt``, the ``name`` and the JSON ``schema`` of the answer, and,
        if the action gave them, ``detail`` and ``expiresAt``.
        """
        return self._loop.run(self._run.questions())

    def answer(
        self, question: str, value: A, *, on_upload: OnUpload | None = None
    ) -> dict[str, Json]:
        """Answer a question, and return when the server has the answer.

        The first answer counts. If a connection is lost, the same answer is sent again and is
        still one answer.

        Args:
            question: The question's id.
            value: A value that Pydantic can serialize; it must match the question's schema. Files
                in it are sent as for a start.
            on_upload: Called as they are sent; see `Client.start`.

        Raises:
            ValidationFailed: If the value does not match; the question is still open.
            AlreadyAnswered: If there is another answer, or the question's time is over.
            RunEnded: If the run has ended.
            NotFound: If there is no such run or question.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        return self._loop.run(self._run.answer(question, value, on_upload=on_upload))

    def send(self, message: M, *, on_upload: OnUpload | None = None) -> dict[str, Json]:
        """Send a message to the action, and return when the server has it.

        The answer has the message's ``number``: messages are received in this order. If a
        connection is lost, the message is sent again and is still one message.

        Args:
            message: A value that Pydantic can serialize; it must match what the action takes. Files
                in it are sent as for a start.
            on_upload: Called as they are sent; see `Client.start`.

        Raises:
            ValidationFailed: If it does not match.
            RunEnded: If the run has ended.
            NotFound: If there is no such run, or its action takes no messages.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        return self._loop.run(self._run.send(message, on_upload=on_upload))
