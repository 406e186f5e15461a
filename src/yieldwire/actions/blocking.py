"""`Context.blocking`: the context's methods that wait, for blocking actions."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar, overload

from yieldwire.actions.child import BlockingBatch, BlockingStarter
from yieldwire.actions.question import UNSET, Inquiry
from yieldwire.actions.retry import Retries
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.step import Step
from yieldwire.errors import Json

K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")


class Blocking(Generic[K]):
    """What a blocking action can use of its run, and waits for: each method as in `Context`."""

    def __init__(self, running: RunningAttempt) -> None:
        self._running = running

    # Other runs.

    @property
    def start(self) -> BlockingStarter[K]:
        """Start a run of another action, as `Context.start`, and return it.

        Raises:
            UsageError: If this is not the thread of a blocking action.
        """
        return BlockingStarter(self._running.children.start, self._running.thread("start"))

    @property
    def run(self) -> BlockingStarter[K]:
        """Run another action as a part of this one, as `Context.run`.

        The run is started at once. Iterate it for its chunks, or wait for its result::

            for chunk in ctx.blocking.run(report, month="May"):
                ...
            letter = ctx.blocking.run(report, month="May").result()

        The child's error is raised here. If the loop or the wait is left early, the child is
        cancelled.

        Raises:
            UsageError: If this is not the thread of a blocking action.
        """
        return BlockingStarter(self._running.children.run, self._running.thread("run"))

    def map(
        self, action: Runnable[..., Any, T], inputs: Iterable[object], *, concurrency: int = 8
    ) -> BlockingBatch[T]:
        """Run another action once for each input, some at a time, as `Context.map`.

        Iterate it for the results, as they come.

        Raises:
            UsageError: As `Context.map`, and if this is not the thread of a blocking action.
        """
        running, thread = self._running, self._running.thread("map")
        spawn = running.spawn
        batch = running.children.map(action, inputs, concurrency=concurrency, spawn=spawn)
        return BlockingBatch(batch, thread)

    # What a later attempt does not do again.

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

    # What others say.

    @overload
    def ask(
        self,
        kind: type[T],
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: T = ...,
        id: str | None = None,
        detail: Json = None,
    ) -> T: ...
    @overload
    def ask(
        self,
        kind: object,
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: object = ...,
        id: str | None = None,
        detail: Json = None,
    ) -> Any: ...  # noqa: ANN401 - of the type in the declaration
    def ask(
        self,
        kind: object,
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: object = UNSET,
        id: str | None = None,
        detail: Json = None,
    ) -> Any:
        """Ask the run's readers, and return the answer, as `Context.ask`.

        What was yielded before is before the question in the log.

        Raises:
            asyncio.CancelledError: If the run must stop. Do not catch it.
            AnswerTimedOut: If it is too late for an answer, and there is no default.
            UsageError: As `Context.ask`, and if this is not the thread of a blocking action.
        """
        question = Inquiry(
            kind=kind, prompt=prompt, timeout=timeout, default=default, id=id, detail=detail
        )
        ask = partial(self._running.conversation.ask, question)
        return self._running.thread("ask").wait_for(ask)

    @overload
    def inbox(self, kind: type[T], /) -> Iterator[T]: ...
    @overload
    def inbox(self, kind: object, /) -> Iterator[Any]: ...
    def inbox(self, kind: object, /) -> Iterator[Any]:
        """Iterate over the messages to the run, as `Context.inbox`; only a cancellation ends it.

        Raises:
            asyncio.CancelledError: If the run must stop. Do not catch it.
            UsageError: As `Context.inbox`, and if this is not the thread of a blocking action.
        """
        return self._running.conversation.blocking_inbox(kind)

    @overload
    def receive(self, kind: type[T], /, *, timeout: float | None = None) -> T | None: ...
    @overload
    def receive(self, kind: object, /, *, timeout: float | None = None) -> Any: ...  # noqa: ANN401 - as above
    def receive(self, kind: object, /, *, timeout: float | None = None) -> Any:
        """Return the next message to the run, as `Context.receive`.

        Raises:
            asyncio.CancelledError: If the run must stop. Do not catch it.
            UsageError: As `Context.receive`, and if this is not the thread of a blocking action.
        """
        receive = partial(self._running.conversation.receive, kind, timeout)
        return self._running.thread("receive").wait_for(receive)
