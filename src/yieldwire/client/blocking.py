"""The client's blocking twin, for scripts: the same client, on a loop in its own thread.

It is written by hand: each method is one line and a signature that type checkers and editors show,
and a generator would save little. Tests compare its names and signatures with those
of the asynchronous client.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.body import Input, OnUpload
from yieldwire.client.patience import Patience
from yieldwire.client.run import RemoteRun
from yieldwire.client.runtypes import A, C, M, R, RunTypes
from yieldwire.client.transport import TransportName
from yieldwire.client.wire import ApplicationURL, HeaderFields, Token
from yieldwire.errors import Json
from yieldwire.log.events import Event
from yieldwire.loopthread import LoopThread
from yieldwire.setting import CountOrZero, settings

C2 = TypeVar("C2")
R2 = TypeVar("R2")


class _Closing(ABC):
    """What a ``with`` block closes at its end."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BlockingRun(_Closing, Generic[C, R, A, M]):
    """A run on a server, for blocking code. See `RemoteRun`."""

    def __init__(self, loop: LoopThread, run: RemoteRun[C, R, A, M]) -> None:
        self._loop, self._run = loop, run

    @property
    def id(self) -> str:
        """The run's id."""
        return self._run.id

    @property
    def cursor(self) -> str:
        """Keep this to resume elsewhere: ``client.attach(run.id, run.cursor)``."""
        return self._run.cursor

    @property
    def seq(self) -> int:
        """The seq of the last event that was read."""
        return self._run.seq

    @property
    def first_seq(self) -> int:
        """The first event that the log still has; above 1 if older ones were trimmed."""
        return self._run.first_seq

    def events(self) -> Iterator[Event]:
        """Yield the events after the cursor, as they come, up to the terminal one."""
        return self._loop.iterate(self._run.events())

    def read_as(self, types: RunTypes[C2, R2]) -> "BlockingRun[C2, R2]":
        """Return this run, with its values read as other types from now on."""
        return BlockingRun(self._loop, self._run.read_as(types))

    def __iter__(self) -> Iterator[C]:
        """Yield the chunks of the action.

        Raises:
            YieldwireError: If the run fails or is cancelled, or its log cannot be read further.
        """
        return self._loop.iterate(aiter(self._run))

    def result(self, *, timeout: float | None = None) -> R:
        """Wait for the run's end, and return its result. See `RemoteRun.result`.

        Raises:
            YieldwireError: If the run failed or was cancelled, or its log cannot be read further.
        """
        return self._loop.run(self._run.result(timeout=timeout))

    def wait(self, *, timeout: float | None = None) -> dict[str, Json]:
        """Wait until the run has ended, and return its snapshot. See `RemoteRun.wait`."""
        return self._loop.run(self._run.wait(timeout=timeout))

    def cancel(self) -> dict[str, Json]:
        """Ask the run to stop, and return its snapshot."""
        return self._loop.run(self._run.cancel())

    def snapshot(self, *, with_input: bool = False) -> dict[str, Json]:
        """Return the run's state in one object."""
        return self._loop.run(self._run.snapshot(with_input=with_input))

    def log(self) -> Iterator[Event]:
        """Yield the events after the cursor that the log has, each with its time in ``at``."""
        return self._loop.iterate(self._run.log())

    def waiting(self) -> dict[str, Json] | None:
        """Return where a pending run waits, as the stream has told last."""
        return self._loop.run(self._run.waiting())

    def questions(self) -> Sequence[dict[str, Json]]:
        """Return the questions that are open, in the order in which they were asked."""
        return self._loop.run(self._run.questions())

    def answer(
        self, question: str, value: A, *, on_upload: OnUpload | None = None
    ) -> dict[str, Json]:
        """Answer a question, and return when the server has the answer."""
        return self._loop.run(self._run.answer(question, value, on_upload=on_upload))

    def send(self, message: M, *, on_upload: OnUpload | None = None) -> dict[str, Json]:
        """Send a message to the action, and return when the server has it."""
        return self._loop.run(self._run.send(message, on_upload=on_upload))

    def close(self) -> None:
        """Stop reading, without cancelling."""
        self._loop.run(self._run.aclose())


@settings
class Client(_Closing):
    """The blocking twin of `AsyncClient`, which describes the arguments and the calls.

    Example:
        >>> with Client("https://example.com/api/_actions") as client:
        ...     for chunk in client.stream("count", {"to": 3}):
        ...         ...
    """

    def __init__(
        self,
        url: ApplicationURL,
        *,
        token: Token = None,
        headers: HeaderFields | None = None,
        patience: Patience | None = None,
        transport: TransportName = "http",
        direct_from: CountOrZero | None = None,
    ) -> None:
        self._client = AsyncClient(
            url,
            token=token,
            headers=headers,
            patience=patience,
            transport=transport,
            direct_from=direct_from,
        )
        self._loop = LoopThread("yieldwire-client")

    def close(self) -> None:
        """Stop reading every run, and end the thread."""
        self._loop.close(self._client.aclose())

    def start(
        self,
        action: str,
        input: Input = None,
        *,
        key: str | None = None,
        detached: bool = True,
        webhook: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> BlockingRun:
        """Start a run, and return it when the server has it.

        ``on_upload`` is called in the thread of the client's loop, and must not block.
        """
        start = self._client.start(
            action, input, key=key, detached=detached, webhook=webhook, on_upload=on_upload
        )
        return BlockingRun(self._loop, self._loop.run(start))

    def open(
        self,
        action: str,
        input: Mapping[str, object] | None = None,
        *,
        webhook: str | None = None,
    ) -> BlockingRun:
        """Read a feed, an action that is declared with ``@actions.feed``."""
        run = self._loop.run(self._client.open(action, input, webhook=webhook))
        return BlockingRun(self._loop, run)

    def stream(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> Iterator[Json]:
        """Start a run and yield its chunks."""
        stream = self._client.stream(
            action, input, webhook=webhook, timeout=timeout, on_upload=on_upload
        )
        return self._loop.iterate(stream)

    def call(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> Json:
        """Start a run and return its result."""
        call = self._client.call(
            action, input, webhook=webhook, timeout=timeout, on_upload=on_upload
        )
        return self._loop.run(call)

    def attach(self, run_id: str, after: str | None = None) -> BlockingRun:
        """Return an existing run."""
        return BlockingRun(self._loop, self._client.attach(run_id, after))

    def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return a run's state in one object."""
        return self._loop.run(self._client.snapshot(run_id))

    def cancel(self, run_id: str) -> dict[str, Json]:
        """Ask a run to stop, and return its snapshot."""
        return self._loop.run(self._client.cancel(run_id))

    def answer(self, run_id: str, question: str, value: object) -> dict[str, Json]:
        """Answer a question of a run. See `RemoteRun.answer`."""
        return self._loop.run(self._client.answer(run_id, question, value))

    def send(self, run_id: str, message: object) -> dict[str, Json]:
        """Send a message to a run's action. See `RemoteRun.send`."""
        return self._loop.run(self._client.send(run_id, message))

    def cancel_start(self, action: str, key: str) -> dict[str, Json]:
        """Cancel the run that was started with ``key``, without its id."""
        return self._loop.run(self._client.cancel_start(action, key))

    def delete(self, run_id: str) -> None:
        """Delete a run that has ended, and its log."""
        self._loop.run(self._client.delete(run_id))

    def list(  # noqa: PLR0913 - filters, passed by name
        self,
        *,
        status: str | None = None,
        action: str | None = None,
        label: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
        before: str | None = None,
        details: bool = False,
    ) -> dict[str, Json]:
        """Return a page of the caller's own runs, newest first."""
        return self._loop.run(
            self._client.list(
                status=status,
                action=action,
                label=label,
                parent=parent,
                limit=limit,
                before=before,
                details=details,
            )
        )

    def watch(
        self,
        *,
        status: str | None = None,
        action: str | None = None,
        label: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
        details: bool = False,
    ) -> Iterator[dict[str, Json]]:
        """Yield the caller's own runs that match, and then each that is new or has changed."""
        return self._loop.iterate(
            self._client.watch(
                status=status,
                action=action,
                label=label,
                parent=parent,
                limit=limit,
                details=details,
            )
        )

    def manifest(self) -> dict[str, Json]:
        """Return the actions, with JSON Schemas."""
        return self._loop.run(self._client.manifest())
