"""Actions with types, and their calls, for blocking code.

Written by `make generate` from the asynchronous client; change it there.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Generic

from yieldwire.client.blockingrun import BlockingRun
from yieldwire.client.body import OnUpload
from yieldwire.client.calling import A, AsyncAction, AsyncCall, C, M, P, R
from yieldwire.errors import Json
from yieldwire.loopthread import LoopThread


class BlockingAction(Generic[P, C, R, A, M]):
    """An action, called by a `Client`. See `AsyncAction`."""

    def __init__(self, loop: LoopThread, action: AsyncAction[P, C, R, A, M]) -> None:
        self.__doc__ = action.__doc__
        self._loop, self._action = loop, action

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> "BlockingCall[C, R, A, M]":
        """Return a call, which starts a run when it is iterated, entered or started."""
        return BlockingCall(self._loop, self._action(*args, **kwargs))

    def attach(self, run_id: str, after: str | None = None) -> "BlockingRun[C, R, A, M]":
        """Return an existing run of the action. See `Client.attach`."""
        return BlockingRun(self._loop, self._action.attach(run_id, after))

    def cancel_start(self, key: str) -> dict[str, Json]:
        """Cancel the run that was started with ``key``. See `Client.cancel_start`."""
        return self._loop.run(self._action.cancel_start(key))


class BlockingCall(Generic[C, R, A, M]):
    """A call of an action that is not made yet. See `AsyncCall`; `result` returns the result."""

    def __init__(self, loop: LoopThread, call: AsyncCall[C, R, A, M]) -> None:
        self._loop, self._call = loop, call

    def start(
        self,
        *,
        key: str | None = None,
        detached: bool = True,
        webhook: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> "BlockingRun[C, R, A, M]":
        """Start a run, and return it when the server has it. See `Client.start`.

        A feed is opened, as `Client.open` does: it is always attached, and has no key.

        Raises:
            ActionError: If the action refused the input.
            YieldwireError: If the call was refused, or the run failed before its first event.
        """
        return BlockingRun(
            self._loop,
            self._loop.run(
                self._call.start(key=key, detached=detached, webhook=webhook, on_upload=on_upload)
            ),
        )

    def result(self, *, timeout: float | None = None) -> R:
        """Start an attached run, and return its result.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            ActionError: If the action refused the input, or failed on purpose.
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; the run then waits for a reader for its action's
                ``linger``.
        """
        return self._loop.run(self._call.result(timeout=timeout))

    def __iter__(self) -> Iterator[C]:
        """Start an attached run, and yield its chunks."""
        return self._loop.iterate(aiter(self._call))

    def __enter__(self) -> "BlockingRun[C, R, A, M]":
        return BlockingRun(self._loop, self._loop.run(self._call.__aenter__()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.run(self._call.__aexit__(kind, error, traceback))
