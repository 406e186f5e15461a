"""`Context.blocking`: the context's methods that wait, for blocking actions."""

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, overload

from yieldwire.actions.retry import Retries
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.step import Step

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """What a blocking action can use of its run, and waits for: each method as in `Context`."""

    def __init__(self, running: RunningAttempt) -> None:
        self._running = running

    @overload
    def step(
        self,
        name: str,
        function: Callable[..., Awaitable[T]],
        /,
        *args: object,
        retries: Retries,
        **kwargs: object,
    ) -> T: ...
    @overload
    def step(
        self,
        name: str,
        function: Callable[..., T],
        /,
        *args: object,
        retries: Retries,
        **kwargs: object,
    ) -> T: ...
    @overload
    def step(
        self, name: str, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    def step(
        self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call ``function`` once in all attempts, as `Context.step`, in this thread.

        A coroutine function runs in the event loop.

        Raises:
            asyncio.CancelledError: If the run must stop. Do not catch it.
            UsageError: As `Context.step`, and if this is not the thread of a blocking action.
            LimitExceeded: If the run's checkpoints would take more than ``max_saved_bytes``.
            Exception: Any error of the function.
        """
        step = Step(name, function, args, kwargs)
        return self._running.checkpoints.blocking_step(step)
