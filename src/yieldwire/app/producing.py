"""A run whose events come from a block of code: a job of another system, or a script.

The block is one attempt at the run, with its lease, its heartbeats, and its one end. It drives a
small function in place of the action's own, which waits for the block.
"""

import asyncio
import copy
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, Protocol

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.shape import Shape
from yieldwire.actions.stream import Stream
from yieldwire.actions.track import REPORTER, Reporter, reporting_to
from yieldwire.app.opening import Opening
from yieldwire.errors import Conflict, RunCancelled
from yieldwire.executors import Prepared, Work
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import RunStore

_STREAM: Final = "yieldwire stream"
_CONTEXT: Final = "yieldwire context"
"""Names that no parameter of an action can have."""


class Producer:
    """What a block of code produces as a run.

    Attributes:
        run_id: The run.
        arguments: The validated input, by the names of the action's parameters.
        ctx: The context of the attempt: questions, steps, the saved place, sub-runs.
        reporter: Where `track` reports in the block.
    """

    def __init__(self, run: RunRecord, arguments: Mapping[str, Any]) -> None:
        self.run_id: Final = run.id
        self.arguments: Final = arguments
        self.ctx: Context
        self._stream: Stream[Any]
        self.reporter: Reporter
        self._result: object = None
        self._began, self._left = asyncio.Event(), asyncio.Event()
        self._error: BaseException | None = None
        self._block = asyncio.current_task()
        self.is_cancelled: bool = False
        """Whether the run was asked to stop, or this attempt has lost it."""

    async def send(self, chunk: object) -> None:
        """Send a chunk. Waits while the log is too far behind.

        Raises:
            RunCancelled: If the run was asked to stop.
        """
        if self.is_cancelled:
            raise RunCancelled
        try:
            await self._stream.send(chunk)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RunCancelled from None  # the run was stopped, and not this task

    def finish(self, result: object) -> None:
        """Set the run's result, which is written when the block ends."""
        self._result = result

    async def _produce(self, /, **injected: Any) -> object:  # noqa: ANN401 - and the arguments
        self.ctx, self._stream = injected[_CONTEXT], injected[_STREAM]
        self.reporter = REPORTER.get()
        self._began.set()
        try:
            await self._left.wait()
        except asyncio.CancelledError:
            self.is_cancelled = True
            if self._block is not None and not self._left.is_set():
                self._block.cancel()
            await self._left.wait()  # its cleanup; the end is written anyway after a while
            raise
        if self._error is not None:
            raise self._error
        return self._result

    def action_for(self, action: Action[..., Any, Any]) -> Action[..., Any, Any]:
        """Return an action like ``action`` whose function waits for the block."""
        injected = {_STREAM: Stream, _CONTEXT: Context}
        signature = replace(action.signature, shape=Shape.STREAM, injected=injected, resources={})
        produced = copy.copy(action)
        vars(produced).update(function=self._produce, signature=signature)
        return produced

    async def wait_for_begin(self, execution: "asyncio.Task[None]") -> bool:
        """Wait until the attempt has begun, and return whether it has, or ended before that."""
        began = asyncio.ensure_future(self._began.wait())  # noqa: TID251 - awaited here
        try:
            await asyncio.wait({began, execution}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            began.cancel()
        return self._began.is_set()

    def leave(self, error: BaseException | None = None) -> None:
        """End the attempt, with an error if there is one."""
        self._error = error
        self._left.set()


class Producible(Protocol):
    """What producing needs of an application."""

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    async def ready(self) -> Opening:
        """Return the current opening."""
        ...

    def load(self, run: RunRecord, /) -> Work:
        """Return what an attempt at a run needs."""
        ...


class Producing:
    """Lets code elsewhere produce the runs of one application."""

    def __init__(self, app: Producible) -> None:
        self._app = app

    @asynccontextmanager
    async def produce(self, run_id: str, /) -> AsyncGenerator[Producer, None]:
        """Execute a pending run as the block of code that follows.

        The run completes at the end of the block, with the result of `Producer.finish`. An
        exception fails it, as one of the action does, and is raised here too. If the run is asked
        to stop, the block is cancelled, and `RunCancelled` is raised after it.

        Raises:
            NotFound: If there is no such run.
            Conflict: If it is not pending: another job has begun it, or it has ended.
            RunCancelled: If the run was asked to stop, or this process has lost it.
        """
        opening = await self._app.ready()
        run = await self._app.store.get(run_id)
        if run.status is not Status.PENDING:
            raise Conflict(f"Run {run_id} is {run.status.value}, not pending.")
        work = self._app.load(run)
        producer = Producer(run, work.arguments)
        work.action = producer.action_for(work.action)
        execution = opening.tasks.own(self._execute(opening, run, work))
        try:
            has_begun = await producer.wait_for_begin(execution)
        except asyncio.CancelledError:
            producer.leave()
            execution.cancel()
            raise
        if not has_begun:
            raise Conflict(f"Run {run_id} is not pending any more.")
        try:
            with reporting_to(producer.reporter):
                yield producer
        except asyncio.CancelledError as exc:
            producer.leave(exc)
            await _end(execution)
            if not producer.is_cancelled:
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            raise RunCancelled from None
        except BaseException as exc:
            producer.leave(exc)
            await _end(execution)
            raise
        producer.leave()
        await _end(execution)
        if producer.is_cancelled:
            raise RunCancelled

    async def _execute(self, opening: Opening, run: RunRecord, work: Work) -> None:
        prepared = Prepared(run, work)
        try:
            await opening.worker.execute(run.id, prepared)
        finally:
            prepared.close()


async def _end(execution: "asyncio.Task[None]") -> None:
    """Wait until the end of the run is in the log."""
    await asyncio.wait({execution})
