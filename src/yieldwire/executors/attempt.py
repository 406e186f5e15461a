"""One attempt at a run: from its claim to its terminal event, in its own task."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Final, TypeVar

from yieldwire.actions.context import Context
from yieldwire.actions.middleware import Middleware, enter_middleware
from yieldwire.actions.track import REPORTER
from yieldwire.actions.upload import Uploads
from yieldwire.errors import (
    AppendConflict,
    Fenced,
    LimitExceeded,
    NotFound,
    RunCancelled,
    RunError,
    RunInterrupted,
    RunTimedOut,
    StoreError,
    YieldwireError,
)
from yieldwire.errors.debug import cut
from yieldwire.executors import Work
from yieldwire.executors.audience import Audience
from yieldwire.executors.backoff import LONGEST_PAUSE, with_backoff
from yieldwire.executors.drive import drive
from yieldwire.executors.fetching import fetch
from yieldwire.executors.outcome import error_data, one_of, result_data
from yieldwire.executors.past import Past
from yieldwire.executors.services import Own, Services
from yieldwire.executors.tools import Tools
from yieldwire.executors.writer import LogWriter
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status, advance

T = TypeVar("T")

logger: Final = logging.getLogger("yieldwire.worker")

TIMED_OUT: Final = "timeout"
INTERRUPTED: Final = "interrupted"
LOST: Final = "lost"
RELEASED: Final = "released"
OVER_LIMIT: Final = "limit"
GONE: Final = "gone"
_RUNNING: Final = Status.RUNNING  # an enum finds its members slowly before Python 3.12
_DONE: Final = EventType.DONE


class Attempt(Tools):
    """Runs one claimed run's action. Its end is written exactly once, by the first code to try."""

    __slots__ = (
        "_error",
        "_has_ended",
        "_status",
        "_task",
        "_timers",
        "audience",
        "is_leased",
        "is_lost",
        "renewed_at",
        "restart_delay",
    )

    def __init__(
        self, services: Services, run: RunRecord, work: Work, audience: Audience, own: Own
    ) -> None:
        self.audience: Final = audience
        encoding = services.encoding_of(work.action)
        writer = LogWriter(services.store, run, encoding, services.limits, audience, services.watch)
        super().__init__(services, run, work, writer, own)
        writer.holder = self
        self._task: asyncio.Task[Any] | None = None
        self._timers: tuple[asyncio.TimerHandle, ...] = ()
        self._has_ended = False
        self._error: BaseException | None = None
        self._status = _RUNNING
        """The run's status after this attempt."""
        self.is_lost: bool = False
        """Whether this attempt has lost the run and must not write its end."""
        self.is_leased: bool = True
        """Whether a sweep ends the run if this process cannot."""
        self.renewed_at: float = 0.0
        """When the lease was last known to be held, by the loop's clock."""
        self.restart_delay: float | None = None
        """Seconds until the next attempt, if this one has ended for another."""

    def resume(self, past: Past) -> None:
        """Continue what earlier attempts wrote."""
        self._past = past
        self._writer.resume(past.log_bytes)

    def start(self) -> Awaitable[object]:
        """Start the action, and return what gives its result.

        That is for `complete`, and any exception for `fail`; `finish` must follow in any case.
        """
        reason = self.run.cancel_reason
        if reason is not None:
            self.cancel(reason)  # not this task, which writes the end
        self._task = asyncio.current_task()
        REPORTER.set(self._writer)
        if self.run.timeout is not None:
            self._call_later(self.run.timeout, partial(self.cancel, TIMED_OUT))
        self._services.watch.attempt_started(self.run)
        if reason is not None:
            return _not_begun()
        uploads = self._work.uploads
        return self._drive() if uploads is None else self._fetch_and_drive(uploads)

    async def complete(self, result: object) -> None:
        """Write the end of a run whose action has returned."""
        data = result_data(self._work.action, result)
        self._writer.check_limits()
        await self._end(_DONE, data)

    async def fail(self, exc: BaseException) -> None:
        """Write the end of a run whose action, or its completion, has raised ``exc``."""
        is_cancelled = isinstance(exc, asyncio.CancelledError)
        self._error = error = self._cause(exc) if is_cancelled else exc
        if self.cancel_reason == GONE and not is_cancelled:
            raise exc  # the event loop is gone, and nothing could be awaited
        await self._end_by(error)

    def finish(self) -> None:
        """Release what the attempt has."""
        for timer in self._timers:
            timer.cancel()
        if self._conversation is not None:
            self._conversation.close()
        # These refer to this attempt, and a cycle would wait for the garbage collector.
        error, self._error, self._timers = self._error, None, ()
        self._writer.release()
        if (watch := self._services.watch).has_attempt_ends:
            watch.attempt_ended(self.run.changed(status=self._status), error)

    async def _fetch_and_drive(self, uploads: Uploads) -> object:
        """Open the files of the input, which can be far away: only now is the lease renewed."""
        try:
            await fetch(uploads, self._services.limits.store_patience, self.run.id)
        except (OSError, StoreError) as exc:
            extra = {"run_id": self.run.id}
            logger.error("the run cannot be executed", exc_info=cut(exc), extra=extra)  # noqa: TRY400 - it is cut
            raise RunInterrupted from exc
        return await self._drive()

    def _drive(self) -> Awaitable[object]:
        if middleware := self._services.middleware_of(self._work.action):
            return self._drive_within(middleware, self._context())
        # Helpers are started through the context: without a context no group is needed.
        if Context in self._work.action.signature.injected.values():
            return self._drive_with_helpers(self._context)
        running = drive(self._work, self._context, self._writer)
        self._work.forget()
        return running

    def _context(self) -> Context:
        return self._services.context(self.run, self._work, self)

    async def _drive_within(self, middleware: Sequence[Middleware], ctx: Context) -> object:
        async with AsyncExitStack() as stack:
            await enter_middleware(stack, middleware, ctx)
            return await self._drive_with_helpers(lambda: ctx)

    async def _drive_with_helpers(self, context: Callable[[], Context]) -> object:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                result = await drive(self._work, context, self._writer)
                if self._conversation is not None:
                    self._conversation.end()
                return result
        except BaseExceptionGroup as errors:
            raise one_of(errors) from None
        finally:
            self._group = None

    def stop_by(self, error: YieldwireError, /) -> None:
        """Stop the action: something of it cannot be written."""
        if isinstance(error, LimitExceeded):
            self.cancel(OVER_LIMIT)
        elif isinstance(error, (Fenced, AppendConflict, NotFound)):
            self.lose()
        else:
            logger.error("the run is stopped: %s", error, extra={"run_id": self.run.id})
            self.cancel(INTERRUPTED)

    def cancel(self, reason: str) -> None:
        """Stop the action; after ``cancel_within`` seconds the end is written without waiting."""
        if self.cancel_reason is not None or self._has_ended:
            return
        self.cancel_reason: str | None = reason
        self._writer.stop()
        if self._task is not None:
            self._task.cancel()
        self._call_later(self._services.limits.cancel_within, self._abandon)

    def _call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, callback)
        self._timers = (*self._timers, timer)

    def lose(self) -> None:
        """Stop the action and write nothing more: the run was taken over, or its lease is over."""
        if not self._has_ended:
            self.cancel(LOST)
            self._let_go()

    def release(self) -> None:
        """Stop the action and write no end: the process stops, and another continues.

        `hand_over` follows, when the action has ended or has had its time.
        """
        if not self._has_ended:
            self.cancel(RELEASED)
            self._has_ended = self.is_lost = True
            self.audience.end()
            logger.info("run is released: %s", self.run.action, extra={"run_id": self.run.id})

    async def hand_over(self) -> None:
        """Write what is not written up to the saved place of a released attempt, and no more."""
        is_due = self._checkpoints is not None and self._checkpoints.is_due
        if is_due and self.cancel_reason == RELEASED:
            try:
                await self._finish()
            except YieldwireError as exc:
                extra = {"run_id": self.run.id}
                logger.warning("the run continues at an earlier place: %s", exc, extra=extra)
        self._write_no_more()

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
            self.own(self.abandon())

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
            return self._writer.exceeded()
        return RunCancelled(self.cancel_reason or "requested")

    def _cause(self, exc: BaseException) -> BaseException:
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
            exc = one_of(exc)
        if self._is_retried(exc):
            self._has_ended = True
            if await self._surely(self._restart(exc)) is not False:
                return
        # If the action waited for another run that was cancelled, this one has failed.
        is_cancelled = isinstance(exc, RunCancelled) and self.cancel_reason is not None
        kind = EventType.CANCELLED if is_cancelled else EventType.ERROR
        is_stopped = self._writer.error is not None or self.cancel_reason == INTERRUPTED
        if isinstance(exc, StoreError) and is_stopped:
            logger.error("the run is stopped: %s", exc, extra={"run_id": self.run.id})
            exc = RunInterrupted()
        data = error_data(self.run, exc, shows_debug=self._services.shows_debug())
        await self._end(kind, data)

    def _is_retried(self, exc: BaseException) -> bool:
        is_over = self._has_ended or self.cancel_reason is not None
        has_more = self.run.attempt <= self.run.retries
        return has_more and not is_over and self._work.action.retry.names(exc)

    async def _restart(self, exc: BaseException) -> bool:
        """End this attempt for another one; return whether that has worked."""
        extra = {"run_id": self.run.id}
        delay = self._work.action.retry.pause(self.run.attempt)
        restart = partial(self._services.store.restart, fence=self.run.fence, delay=delay)
        try:
            await self._finish()
            run = await with_backoff(
                partial(restart, self.run.id), self._services.limits.store_patience, self.run.id
            )
        except (Fenced, AppendConflict, NotFound):
            self._let_go()
            return True
        except YieldwireError as fault:
            logger.error("the run is not tried again", exc_info=fault, extra=extra)  # noqa: TRY400 - it says all
            self._has_ended = False
            return False
        self._write_no_more()
        self.audience.end()
        self._status = run.status
        if run.status.is_terminal:  # it was cancelled meanwhile
            self._services.watch.run_ended(run)
            self.own(self._services.families.end(run.id))
            return True
        self.restart_delay = delay
        message = "run failed: %s; tried again in %.3g s"
        logger.warning(message, self.run.action, delay, exc_info=cut(exc), extra=extra)
        return True

    async def _finish(self) -> None:
        """Write everything up to the saved place, and the place: another attempt follows."""
        await self._writer.write_rest()
        if self._checkpoints is not None:
            await self._checkpoints.finish()

    async def _surely(self, ending: Coroutine[Any, Any, T]) -> T | None:
        """Await a coroutine in a task that no cancellation reaches, except at the loop's end."""
        task = self.own(ending)
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(task)
        return None if task.cancelled() else task.result()

    async def _end(self, kind: EventType, data: bytes) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        try:
            kind = await self._writer.end(kind, data)
        except asyncio.CancelledError:
            await self._surely(self._end_again(kind, data))  # it is written anyway
        except YieldwireError as exc:
            self._note_unwritten_end(exc, kind, data)
        else:
            self._status = advance(_RUNNING, kind)
            if (watch := self._services.watch).has_ends:
                watch.run_ended(self.run.changed(status=self._status))
            if kind is not _DONE and (self._children or self.run.attempt > 1):
                self.own(self._services.families.end(self.run.id))

    async def _end_again(self, kind: EventType, data: bytes) -> None:
        self._has_ended = False
        await self._end(kind, data)

    async def _end_later(self, kind: EventType, data: bytes) -> None:
        await asyncio.sleep(LONGEST_PAUSE)
        await self._end_again(kind, data)

    def _note_unwritten_end(self, exc: YieldwireError, kind: EventType, data: bytes) -> None:
        if isinstance(exc, (Fenced, AppendConflict, NotFound)):
            self._let_go()
            return
        self.is_lost = True
        logger.error("the run's end was not written", exc_info=exc, extra={"run_id": self.run.id})
        # If runs are leased, the sweep ends it when the lease runs out.
        if not self.is_leased and exc.retryable:
            self.own(self._end_later(kind, data))


async def _not_begun() -> object:
    """Take the place of an action that was stopped before it began."""
    raise asyncio.CancelledError
