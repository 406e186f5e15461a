"""One attempt at a run: from its claim to its terminal event, in its own task."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from pydantic_core import to_json

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.middleware import Middleware, enter_middleware
from yieldwire.actions.resource import Resource
from yieldwire.actions.schema import Output
from yieldwire.actions.shape import Shape
from yieldwire.errors import (
    CallError,
    Fenced,
    InternalError,
    LimitExceeded,
    NotFound,
    RunCancelled,
    RunError,
    RunInterrupted,
    RunTimedOut,
    StoreError,
    UsageError,
    YieldwireError,
)
from yieldwire.errors.debug import cut, debug_of, place_of
from yieldwire.errors.errorobject import Debug
from yieldwire.executors import RunLimits, Work
from yieldwire.executors.audience import Audience
from yieldwire.executors.backoff import LONGEST_PAUSE
from yieldwire.executors.drive import drive
from yieldwire.executors.watched import watched
from yieldwire.executors.writer import LogWriter
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.events import EventType
from yieldwire.log.jsonvalue import check_readable
from yieldwire.log.misfit import invalid_output
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.stores import RunStore

T = TypeVar("T")

logger = logging.getLogger("yieldwire.worker")

TIMED_OUT: Final = "timeout"
INTERRUPTED: Final = "interrupted"
LOST: Final = "lost"
OVER_LIMIT: Final = "limit"
GONE: Final = "gone"


_ANYTHING: Final = Output(Any)

Own: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[Any]]
"""Runs a coroutine in a task that the executor owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Shared by all attempts in this process."""

    store: RunStore
    limits: RunLimits
    middleware_of: Callable[[Action[..., Any, Any]], tuple[Middleware, ...]]
    """What wraps an action's attempts, the outermost first."""
    resources: Mapping[Resource[Any], Any]
    answer_link: Callable[..., str]
    """Makes links for people without an account; see `App.answer_link`."""
    checks_chunks: Callable[[], bool]
    """Whether the chunks of actions are validated."""
    shows_debug: Callable[[], bool] = lambda: False
    """Whether an error shows the details of an unexpected exception, for development."""
    watch: Watch = NOBODY


class Attempt:
    """Runs one claimed run's action. Its end is written exactly once, by the first code to try."""

    def __init__(
        self, services: Services, run: RunRecord, work: Work, audience: Audience, own: Own
    ) -> None:
        self._services, self.run, self._work = services, run, work
        self.audience: Final = audience
        log = watched(services.store, run, services.watch)
        self._writer = LogWriter(log, run, self._encoder(), services.limits, audience)
        self._own = own
        self._writer.spawn_flush = lambda: own(self._flush())
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._has_ended = False
        self.is_lost = False
        """Whether this attempt has lost the run and must not write its end."""
        self.is_leased = True
        """Whether a sweep ends the run if this process cannot."""
        self.renewed_at = asyncio.get_running_loop().time()
        """When the lease was last known to be held, by the loop's clock."""
        self.cancel_reason: str | None = None

    def resume(self, log_bytes: int) -> None:
        """Continue a log in which an earlier attempt wrote ``log_bytes``."""
        self._writer.budget.resume(log_bytes)

    def _encoder(self) -> Callable[..., bytes]:
        chunk = self._work.action.signature.chunk
        if chunk is None:
            return _ANYTHING.encoder
        return chunk.encode_checked if self._services.checks_chunks() else chunk.encoder

    async def execute(self) -> None:
        """Run the action and write its end. Never raises what the action raised."""
        self._task = asyncio.current_task()
        if self.run.timeout is not None:
            self._call_later(self.run.timeout, partial(self.cancel, TIMED_OUT))
        if self.run.cancel_reason is not None:
            self.cancel(self.run.cancel_reason)
        self._services.watch.attempt_started(self.run)
        try:
            # Few nested awaits: each event that is sent alone passes through all of them.
            data = self._data_of(await self._drive())
            self._writer.check_limits()
            await self._end(EventType.DONE, data)
        except asyncio.CancelledError as exc:
            await self._end_by(self._cause(exc))
        except BaseException as exc:
            if self.cancel_reason == GONE:
                raise  # the event loop is gone, and nothing could be awaited
            await self._end_by(exc)
        finally:
            for timer in self._timers:
                timer.cancel()
            # These refer to this attempt, and a cycle would wait for the garbage collector.
            self._timers.clear()
            self._writer.spawn_flush = None

    def _drive(self) -> Awaitable[object]:
        if middleware := self._services.middleware_of(self._work.action):
            return self._drive_within(middleware, self._context())
        # Helpers are started through the context: without a context no group is needed.
        may_spawn = Context in self._work.action.signature.injected.values()
        if may_spawn:
            return self._drive_with_helpers(self._context)
        return drive(self._work, self._context, self._writer)

    def _context(self) -> Context:
        return Context(
            run_id=self.run.id,
            action=self.run.action,
            owner=self.run.owner,
            quota_key=self.run.quota_key,
            attempt=self.run.attempt,
            labels=list(self.run.labels),
            running=self,
            opened=self._services.resources,
            answer_link=self._services.answer_link,
            **self._work.context,
        )

    async def _drive_within(self, middleware: Sequence[Middleware], ctx: Context) -> object:
        async with AsyncExitStack() as stack:
            await enter_middleware(stack, middleware, ctx)
            return await self._drive_with_helpers(lambda: ctx)

    async def _drive_with_helpers(self, context: Callable[[], Context]) -> object:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                return await drive(self._work, context, self._writer)
        except BaseExceptionGroup as errors:
            raise _told(errors) from None
        finally:
            self._group = None

    def _data_of(self, result: object) -> bytes:
        """Return the data of the `done` event."""
        output = self._work.action.signature.result
        if result is None and (output.annotation is None or output.annotation is Any):
            return b"{}"
        if result is None and self._work.action.signature.shape is Shape.VALUE:
            return b'{"result":null}'  # it was never set
        try:
            data = output.encode_checked(result)
            check_readable(data)
            return b'{"result":%b}' % data
        except Exception as exc:
            unsaid = invalid_output(self.run.action, "result", result, exc)
            unsaid.add_note(place_of(self._work.action.function))
            raise unsaid from exc

    async def _flush(self) -> None:
        """Write what a sender emitted that does not wait for the write."""
        try:
            await self._writer.flush()
            self._writer.check_limits()
        except LimitExceeded:
            self.cancel(OVER_LIMIT)
        except Fenced:
            self.lose()
        except StoreError as exc:
            logger.error("the run is stopped: %s", exc, extra={"run_id": self.run.id})  # noqa: TRY400 - says it all
            self.cancel(INTERRUPTED)

    def cancel(self, reason: str) -> None:
        """Stop the action; after ``cancel_within`` seconds the end is written without waiting."""
        if self.cancel_reason is not None or self._has_ended:
            return
        self.cancel_reason = reason
        self._writer.stop()
        if self._task is not None:
            self._task.cancel()
        self._call_later(self._services.limits.cancel_within, self._abandon)

    def _call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, callback))

    def lose(self) -> None:
        """Stop the action and write nothing more: the run was taken over, or its lease is over."""
        if not self._has_ended:
            self.cancel(LOST)
            self._let_go()

    def release(self) -> None:
        """Stop the action and write nothing more: the process stops, and another continues."""
        if not self._has_ended:
            self.cancel(LOST)
            self._write_no_more()
            self.audience.end()
            logger.info("run is released: %s", self.run.action, extra={"run_id": self.run.id})

    def forsake(self) -> None:
        """Write nothing more: the event loop is gone without a close."""
        self.cancel_reason = GONE
        self._write_no_more()

    def _let_go(self) -> None:
        logger.warning(
            "the run was taken away: %s, %s; nothing more of it is written here",
            self.run.action,
            self.run.id,
            extra={"run_id": self.run.id},
        )
        self._write_no_more()
        self.audience.end()

    def _write_no_more(self) -> None:
        self._has_ended = self.is_lost = self._writer.is_closed = True

    def _abandon(self) -> None:
        if not self._has_ended:
            self._own(self.abandon())

    async def abandon(self) -> None:
        """Write the end of a cancelled run, without waiting for the action any longer."""
        if not self._has_ended:
            logger.warning(
                "cleanup of %s takes longer than %g s; its end is written without it",
                self.run.action,
                self._services.limits.cancel_within,
                extra={"run_id": self.run.id},
            )
            await self._end_by(self._stopped())

    def _stopped(self) -> RunError:
        if self.cancel_reason == TIMED_OUT:
            return RunTimedOut(self.run.timeout or 0.0)
        if self.cancel_reason == INTERRUPTED:
            return RunInterrupted()
        if self.cancel_reason == OVER_LIMIT:
            return self._writer.budget.exceeded()
        return RunCancelled(self.cancel_reason or "requested")

    def _cause(self, exc: asyncio.CancelledError) -> BaseException:
        """Return why the run ends after a cancellation."""
        if self.cancel_reason is None:
            if self._task is None or not self._task.cancelling():
                return exc  # the action's own: something that it waited for was cancelled
            # The task itself, by other code: a library, the action, a loop that shuts down.
            self.cancel_reason = INTERRUPTED
            self._writer.stop()
        return self._stopped()

    async def _end_by(self, exc: BaseException) -> None:
        if isinstance(exc, BaseExceptionGroup):
            exc = _told(exc)
        # Only the writer's own: what the action raises can come from another run.
        if isinstance(exc, Fenced) and self._writer.is_fenced and not self._has_ended:
            self._let_go()
            return
        # If the action waited for another run that was cancelled, this one has failed.
        is_cancelled = isinstance(exc, RunCancelled) and self.cancel_reason is not None
        kind = EventType.CANCELLED if is_cancelled else EventType.ERROR
        if isinstance(exc, StoreError) and self._writer.has_failed:
            logger.error("the run is stopped: %s", exc, extra={"run_id": self.run.id})
            exc = RunInterrupted()
        if isinstance(exc, (CallError, RunError)):
            error: YieldwireError = exc
        else:
            error = InternalError(secrets.token_hex(8), self._shown(exc))
            logger.error(
                "run failed: %s, error id %s",
                self.run.action,
                error.error_id,
                exc_info=cut(exc),
                extra={"run_id": self.run.id, "error_id": error.error_id},
            )
        told: object = error
        try:
            told = error.error_object(self.run.id).to_dict()
            data = to_json(told)
            check_readable(data)
        except Exception as fault:  # noqa: BLE001 - the action's own error object can be faulty
            unsaid = invalid_output(self.run.action, "error", told, fault)
            unsaid.__cause__ = exc
            await self._end_by(unsaid)
            return
        await self._end(kind, data)

    def _shown(self, exc: BaseException) -> Debug | None:
        return debug_of(cut(exc)) if self._services.shows_debug() else None

    async def _end(self, kind: EventType, data: bytes) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        try:
            kind = await self._writer.end(kind, data)
        except asyncio.CancelledError:
            # The end is written anyway, in a task that this cancellation does not reach.
            ending = self._own(self._end_again(kind, data))
            while not ending.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(ending)
        except YieldwireError as exc:
            self._note_unwritten_end(exc, kind, data)
        else:
            if (watch := self._services.watch).has_ends:
                watch.run_ended(self.run.changed(status=advance(Status.RUNNING, kind)))

    async def _end_again(self, kind: EventType, data: bytes) -> None:
        self._has_ended = False
        await self._end(kind, data)

    async def _end_later(self, kind: EventType, data: bytes) -> None:
        await asyncio.sleep(LONGEST_PAUSE)
        await self._end_again(kind, data)

    def _note_unwritten_end(self, exc: YieldwireError, kind: EventType, data: bytes) -> None:
        if isinstance(exc, (Fenced, NotFound)):
            self._let_go()
            return
        self.is_lost = True
        extra = {"run_id": self.run.id}
        logger.error("the run's end was not written", exc_info=exc, extra=extra)
        # If runs are leased, the sweep ends it when the lease runs out.
        if not self.is_leased and exc.retryable:
            self._own(self._end_later(kind, data))

    # What the action can use, through its context.

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        """Run a helper in the run's own group; its output is written when it waits."""
        if self._group is None or asyncio._get_running_loop() is None:  # noqa: SLF001
            coroutine.close()
            raise UsageError("spawn() needs a running loop: blocking actions have no helpers.")

        async def helper() -> T:
            return await self._writer.run(coroutine)

        return self._group.create_task(helper())


def _told(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of the run for a group: its one error, a declared one, or all of them.

    If a declared error is chosen, the others are logged.
    """
    every = list(_leaves(errors))
    declared = next((each for each in every if isinstance(each, (CallError, RunError))), None)
    if len(every) > 1 and declared is not None:
        logger.error("a run failed with more errors than the one it reports", exc_info=cut(errors))
    return declared or (every[0] if len(every) == 1 else errors)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    waiting = [error]
    while waiting:  # a loop, because groups can be nested deeper than the recursion limit
        each = waiting.pop()
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(each.exceptions)
        else:
            yield each
