"""Runs that a blocking action starts: its thread waits for them."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, overload

from yieldwire.actions.batch import Batch
from yieldwire.actions.run import Run, check_end
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.running import Thread
from yieldwire.actions.start import Leave, Starter, followed, result_of
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.errors import Json
from yieldwire.log.chunks import Progress
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.message import Message

K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")


class ChildRun(Generic[T]):
    """A run that a blocking action has started: iterate it for its chunks, or wait for its result.

    Each method does the same as that of `Run`, and waits. Use it in the thread of the action.
    """

    def __init__(self, run: Run[T], thread: Thread, leave: Leave | None) -> None:
        self._run, self._thread, self._leave = run, thread, leave
        self.id: Final = run.id

    def __repr__(self) -> str:
        return repr(self._run)

    def __iter__(self) -> Iterator[Json]:
        """Yield the chunks of the action, as plain JSON values.

        Raises:
            asyncio.CancelledError: If the run that iterates must stop. Do not catch it.
            ActionError: If the run fails with an error of the action's own.
            RunError: If it is cancelled, or fails for another reason.
        """
        for event in self._events(followed(self._run.pages(), self._run, self._leave)):
            if event.type is EventType.CHUNK:
                yield event.value
            else:
                check_end(event)

    def result(self) -> T:
        """Return the result when the run has completed, as the type that the action declares.

        Raises:
            asyncio.CancelledError: If the run that waits must stop. Do not catch it.
            ActionError: If the run failed with an error of the action's own.
            RunError: If it was cancelled, or failed for another reason.
        """
        return self._thread.wait_for(partial(result_of, self._run, self._leave))

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events after ``after``, as they come, up to the terminal one."""
        return self._events(self._run.pages(after))

    def _events(self, pages: AsyncGenerator[Sequence[Block], None]) -> Iterator[Event]:
        # A page at a time, as each turn from thread to thread can take a millisecond.
        for page in self._thread.iterate(pages):
            for block in page:
                yield from block.events()

    def questions(self) -> Sequence[Json]:
        """Return the open questions, in the order of asking."""
        return self._thread.wait_for(self._run.questions)

    def answer(
        self, question: str, value: object, *, by: str | None = None, key: str | None = None
    ) -> Message:
        """Answer a question. The first answer counts."""
        answer = partial(self._run.answer, question, value, by=by, key=key)
        return self._thread.wait_for(answer)

    def send(self, message: object, *, by: str | None = None, key: str | None = None) -> Message:
        """Send a message to the action."""
        return self._thread.wait_for(partial(self._run.send, message, by=by, key=key))

    def cancel(self) -> None:
        """Ask the run to stop. Calling it again has no effect."""
        self._thread.wait_for(self._run.cancel)

    def snapshot(self) -> dict[str, Json]:
        """Return the run's state in one object."""
        return self._thread.wait_for(self._run.snapshot)


class BlockingBatch(Generic[T]):
    """Many runs of one action, for a blocking action: see `Batch`."""

    def __init__(self, batch: Batch[T], thread: Thread) -> None:
        self._batch, self._thread = batch, thread

    @property
    def progress(self) -> Progress:
        """How many of the runs have completed, as a chunk that the action can yield."""
        return self._batch.progress

    def __iter__(self) -> Iterator[T]:
        """Yield the results as they come.

        Raises:
            asyncio.CancelledError: If the run that iterates must stop. Do not catch it.
            ActionError: If a run fails with an error of the action's own.
            RunError: If one is cancelled, or fails for another reason.
            YieldwireError: If one cannot be started.
        """
        return self._thread.iterate(aiter(self._batch))


class BlockingStarter(Generic[K]):
    """Starts runs for a blocking action: ``run = ctx.blocking.start(report, month="May")``.

    It takes the same arguments as `Starter`.
    """

    def __init__(self, starter: Starter[K], thread: Thread) -> None:
        self._starter, self._thread = starter, thread

    def with_options(self, *, key: str | None = None) -> "BlockingStarter[K]":
        """Return a starter with a key, by which a later attempt finds the run."""
        return BlockingStarter(self._starter.with_options(key=key), self._thread)

    @overload
    def __call__(
        self, action: Runnable[P, Any, T], /, *args: P.args, **input: P.kwargs
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self, action: Runnable[Concatenate[K, P], Any, T], /, *args: P.args, **input: P.kwargs
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[K, Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[K, StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[Stream[Any], K, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[StreamableValue[Any], K, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> ChildRun[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[..., Any, T],
        input: Mapping[str, object],
        /,
        *,
        key: str | None = None,
    ) -> ChildRun[T]: ...
    def __call__(self, action: Any, /, *args: Any, **input: Any) -> ChildRun[Any]:
        """Start a run.

        Raises:
            asyncio.CancelledError: If the run that starts it must stop. Do not catch it.
            YieldwireError: Any error of `Starter`.
        """
        run: Run[Any] = self._thread.wait_for(partial(self._starter, action, *args, **input))
        return ChildRun(run, self._thread, self._starter.leave)
