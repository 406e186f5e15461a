"""The client's blocking twin, for scripts: the same client, on a loop in its own thread.

Written by `make generate` from the asynchronous client; change it there.
"""

from collections.abc import Iterator, Mapping

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.blockingrun import BlockingRun, Closing
from yieldwire.client.body import Input, OnUpload
from yieldwire.client.patience import Patience
from yieldwire.client.transport import TransportName
from yieldwire.client.wire import ApplicationURL, HeaderFields, Token
from yieldwire.errors import Json
from yieldwire.loopthread import LoopThread
from yieldwire.setting import CountOrZero, settings


@settings
class Client(Closing):
    """The blocking twin of `AsyncClient`, which describes the arguments.

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

        If this is given up before that, by a timeout or Ctrl-C, the server is told to cancel the
        run; this can take up to two seconds. With a ``key`` it is not told,
        because the same call finds the run again; `cancel_start` cancels it.

        Args:
            action: The action's name.
            input: Its fields; a `pathlib.Path`, an `Upload` or a file opened in binary mode,
                or a list of those, is sent as a file.
            key: Calls with the same key and input give one run; default: a new key per call.
            detached: Whether the run keeps running without readers; ``False``: it is attached, and
                stops when nobody has read it for as long as its action's ``linger`` says.
            webhook: A URL that is told about the run, if the server allows you to name it.
            on_upload: Called with a `Progress` of the bytes of the input's files as they are sent;
                it begins again at 0 if they are sent again. It runs in the client's event loop, and
                must not block.

        Raises:
            Forbidden: If you are not allowed to name the webhook.
            YieldwireError: If the call was refused, or the run failed before its first event;
                then ``run_id`` names it.
        """
        return BlockingRun(
            self._loop,
            self._loop.run(
                self._client.start(
                    action, input, key=key, detached=detached, webhook=webhook, on_upload=on_upload
                )
            ),
        )

    def open(
        self, action: str, input: Mapping[str, object] | None = None, *, webhook: str | None = None
    ) -> BlockingRun:
        """Read a feed, an action that is declared with ``@actions.feed``.

        Raises:
            YieldwireError: If the call was refused.
        """
        return BlockingRun(
            self._loop, self._loop.run(self._client.open(action, input, webhook=webhook))
        )

    def stream(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> Iterator[Json]:
        """Start a run and yield its chunks.

        Leaving the loop early does not cancel the run: it waits for a reader for its action's
        ``linger``.

        Args:
            action: The action's name.
            input: Its fields; see `start`.
            webhook: A URL that is told about the run; see `start`.
            timeout: How many seconds all of this can take, until the last chunk is there.
            on_upload: Called as files are sent; see `start`.

        Raises:
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; then the loop is left early.
        """
        return self._loop.iterate(
            self._client.stream(
                action, input, webhook=webhook, timeout=timeout, on_upload=on_upload
            )
        )

    def call(
        self,
        action: str,
        input: Input = None,
        *,
        webhook: str | None = None,
        timeout: float | None = None,
        on_upload: OnUpload | None = None,
    ) -> Json:
        """Start a run and return its result. See `stream` for the arguments.

        Raises:
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; the run then waits for a reader for its action's
                ``linger``.
        """
        return self._loop.run(
            self._client.call(action, input, webhook=webhook, timeout=timeout, on_upload=on_upload)
        )

    def attach(self, run_id: str, after: str | None = None) -> BlockingRun:
        """Return an existing run, to be read from its start, or from after a cursor.

        Args:
            run_id: The run's id.
            after: The ``cursor`` of a run that was read before; its next event is the first.

        Raises:
            ParseError: If ``after`` is not a cursor.
            ForeignCursor: If it belongs to another run.
        """
        return BlockingRun(self._loop, self._client.attach(run_id, after))

    def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return a run's state in one object."""
        return self._loop.run(self._client.snapshot(run_id))

    def cancel(self, run_id: str) -> dict[str, Json]:
        """Ask a run to stop, and return its snapshot. It is idempotent."""
        return self._loop.run(self._client.cancel(run_id))

    def answer(self, run_id: str, question: str, value: object) -> dict[str, Json]:
        """Answer a question of a run. See `RemoteRun.answer`."""
        return self._loop.run(self._client.answer(run_id, question, value))

    def send(self, run_id: str, message: object) -> dict[str, Json]:
        """Send a message to a run's action. See `RemoteRun.send`."""
        return self._loop.run(self._client.send(run_id, message))

    def cancel_start(self, action: str, key: str) -> dict[str, Json]:
        """Cancel the run that was started with ``key``, without its id.

        If there is none, a start with the key that arrives later is refused with `RunCancelled`.
        The answer has the ``runId``, which can be ``None``, and the ``status``.

        Args:
            action: The action's name.
            key: The key that was passed to `start`.

        Raises:
            YieldwireError: If the call was refused.
        """
        return self._loop.run(self._client.cancel_start(action, key))

    def delete(self, run_id: str) -> None:
        """Delete a run that has ended, and its log.

        Raises:
            NotFound: If the run does not exist.
            YieldwireError: If the call was refused; with ``CONFLICT``, if the run has not ended.
        """
        self._loop.run(self._client.delete(run_id))

    def list(
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
        """Return a page of the caller's own runs, newest first: ``runs``, and ``next`` if any.

        Args:
            status: Only runs with this status.
            action: Only runs of this action.
            label: Only runs with this label.
            parent: Only runs that the action of this run has started.
            limit: The maximum number of runs.
            before: The ``next`` of the previous page.
            details: Whether those that have not ended have their ``progress``, ``questions``,
                ``waiting`` and ``cancelRequested``.
        """
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
        """Yield the caller's own runs that match, and then each that is new or has changed.

        First come the newest ones, newest first. A run that changes often is told about once a
        second; one that no longer matches is told once more. Lost connections are made again, and
        if something on the way holds the stream back, the list is polled. It ends only if it is
        refused, or closed.

        Args:
            status: Only runs with this status.
            action: Only runs of this action.
            label: Only runs with this label.
            parent: Only runs that the action of this run has started.
            limit: How many of the newest runs are watched: 1 to 200, by default 50.
            details: Whether those that have not ended have their ``progress``, ``questions``,
                ``waiting`` and ``cancelRequested``.

        Raises:
            YieldwireError: If the call was refused, or the server is away for too long.
        """
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
        """Return the actions, under ``actions``, with JSON Schemas."""
        return self._loop.run(self._client.manifest())
