"""Executes runs in this process: claim, lease, heartbeat, input, action, end.

A worker needs a run's id and nothing else. An `Executor` decides which process gets the id.
"""

import asyncio
import logging
import math
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Final, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from yieldwire.errors import Fenced, NotFound, StoreError, Unavailable
from yieldwire.executors import Holder, Loader, Prepared, Work
from yieldwire.executors.attempt import INTERRUPTED, Attempt
from yieldwire.executors.audience import Audience
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.endings import Endings
from yieldwire.executors.leases import LeaseKeeper
from yieldwire.executors.past import Past
from yieldwire.executors.services import Services
from yieldwire.executors.stepper import Stepper
from yieldwire.executors.writer import LogWriter
from yieldwire.log.run import RunRecord, Status
from yieldwire.tasks import Tasks

T = TypeVar("T")

Left: TypeAlias = dict[str, int | None]
"""Unfinished runs of a worker, each with the fence of its attempt if it was claimed."""

WRITING: Final = 0.1
"""Minimum seconds for writing the ends of stopped runs during a close."""

logger: Final = logging.getLogger("yieldwire.worker")


class Worker:
    """Executes runs in this process, each in its own task."""

    def __init__(
        self,
        services: Services,
        load: Loader,
        ended: Callable[[RunRecord], Awaitable[None]],
        *,
        lease: float | None,
    ) -> None:
        self._services, self._load, self._lease = services, load, lease
        self._ended = ended
        self._store, self._limits = services.store, services.limits
        # If runs are not leased, nobody else would ever end them.
        self._patience = math.inf if lease is None else services.limits.store_patience
        self._endings = Endings(services, ended, lease=lease, patience=self._patience)
        self._runs, self._chores = Tasks(), Tasks()
        self._own: Final = self._chores.own
        self._attempts: dict[str, Attempt] = {}
        self._queued: dict[str, asyncio.Task[None]] = {}
        self._nudged: dict[str, str] = {}
        """Why runs must stop whose attempt has not begun here yet."""
        self._again: set[str] = set()
        """Runs that were enqueued while an older attempt at them was still running here."""
        self._delayed: dict[str, asyncio.TimerHandle] = {}
        """Runs whose next attempt starts later."""
        self._left: Left = {}
        """Runs that were not begun at the close."""
        self._is_closing = False
        self._is_forced = asyncio.Event()
        # Each belongs to its readers, or to the attempt while there is one: then it is not here.
        self._audiences = WeakValueDictionary[str, Audience]()
        # By depth: a parent keeps its thread while it waits for its children, which need others.
        self._threads = defaultdict[int, asyncio.Semaphore](
            lambda: asyncio.Semaphore(services.limits.threads)
        )
        if lease is not None:
            LeaseKeeper(services, self._attempts, self._own, lease=lease).begin()

    def begin(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        """Execute a run, after the attempt that is still running here, if any."""
        claimed_at = None if prepared is None else prepared.claimed_at
        if self._is_closing:
            self._left[run_id] = None if prepared is None else prepared.fence
        elif run_id in self._queued:
            self._again.add(run_id)
        else:
            run, work = (None, None) if prepared is None else prepared.take()
            # `_leave` is not a `finally`: a task that is cancelled before its first step has none.
            execution = Stepper(self._execute(run_id, run, work, claimed_at))
            self._queued[run_id] = self._runs.own(execution, self._leave, run_id, work)

    def audience(self, run_id: str, /) -> Audience:
        """Return the readers of a run in this process, whether it is executed here or not."""
        attempt = self._attempts.get(run_id)
        audience = self._audiences.get(run_id) if attempt is None else attempt.audience
        if audience is None:
            audience = self._audiences[run_id] = Audience()
        return audience

    async def execute(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        """Execute a run, and return when this process is done with it.

        An engine calls this for each id that it delivers, in the event loop of the application.
        It can deliver an id several times, in several processes: a run that is not pending is not
        changed. An error of the action is in the run's log, and is not raised here.

        Cancelling this call stops the attempt: another process takes the run over, or, if runs
        are not leased, it ends as ``INTERRUPTED``.

        Raises:
            Unavailable: If this process is stopping; another one must execute the run.
        """
        while (task := self._queued.get(run_id)) is not None:
            await asyncio.wait({task})
        if self._is_closing:
            raise Unavailable
        self.begin(run_id, prepared)
        task = self._queued[run_id]
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            await asyncio.shield(self._own(self._give_back(run_id, task)))
            raise

    async def _give_back(self, run_id: str, task: asyncio.Task[None]) -> None:
        attempt = self._attempts.get(run_id)
        if attempt is None:
            task.cancel()
            return
        self._stop(attempt)
        await asyncio.wait({task}, timeout=self._limits.cancel_within)
        await self._settle(attempt)

    def _stop(self, attempt: Attempt) -> None:
        """Stop an attempt: release its run if another process can take it over, or interrupt it."""
        if self._lease is None:
            attempt.cancel(INTERRUPTED)
        else:
            attempt.release()

    async def _settle(self, attempt: Attempt) -> None:
        """Release the lease of a stopped attempt, or write its end without waiting for cleanup."""
        if not attempt.is_lost:
            await attempt.abandon()
            return
        await attempt.hand_over()
        await self._endings.release(attempt.run)

    async def _execute(
        self, run_id: str, run: RunRecord | None, work: Work | None, claimed_at: float | None
    ) -> None:
        try:
            work = work or await self._loaded(run_id, run)
            if work is None:
                return
            if claimed_at is None:
                run = None  # the claimed one replaces it, and this can take long
            is_blocking = work.action.signature.shape.is_blocking
            threads = self._threads[work.context.get("depth", 0)] if is_blocking else None
            try:
                if threads is not None:
                    await threads.acquire()  # it is pending until there is a thread
                try:
                    if self._is_closing and run is None:
                        return  # it stays pending, for another process
                    attempt = await self._claimed(run_id, run, work, claimed_at or 0.0)
                    del run  # the attempt has it
                    try:
                        # Few nested awaits: each event that is sent alone passes through them all.
                        await attempt.complete(await attempt.start())
                    except BaseException as exc:  # noqa: BLE001 - it is in the run's log
                        await attempt.fail(exc)
                    finally:
                        attempt.finish()
                    if work.action.has_files and not attempt.is_lost:
                        await self._ended(attempt.run)
                finally:
                    if threads is not None:
                        threads.release()
            finally:
                work.close()
        except (Fenced, NotFound):
            logger.debug("no longer pending", extra={"run_id": run_id})
        except StoreError:
            logger.exception("the run is left to a sweep", extra={"run_id": run_id})

    async def _loaded(self, run_id: str, run: RunRecord | None) -> Work | None:
        """Return the work of a run; ``None`` if it is not pending, or cannot be executed."""
        if run is None:
            run = await self._ask(run_id, partial(self._store.get, run_id))
            if run.status is not Status.PENDING:
                return None  # the earlier attempt has ended it
        try:
            return self._load(run)
        except Exception as exc:  # noqa: BLE001 - it must end
            await self._endings.give_up(run_id, exc)
            return None

    def _leave(self, run_id: str, work: Work | None, task: asyncio.Task[None]) -> None:
        self._queued.pop(run_id, None)
        self._nudged.pop(run_id, None)
        attempt, delay = self._attempts.pop(run_id, None), None
        if attempt is not None:
            attempt.audience.end()
            if attempt.audience.has_readers:  # they follow the next attempt as well
                self._audiences[run_id] = attempt.audience
            if attempt.run.queue is None:  # else any process can take the next attempt from there
                delay = attempt.restart_delay
        elif work is not None:
            work.close()  # again, unless the task was cancelled before its first step
        if self._is_closing:
            if attempt is None or delay is not None:
                self._left[run_id] = None
        elif delay is not None:
            self._begin_later(run_id, delay)
        elif run_id in self._again:
            self._again.discard(run_id)
            self.begin(run_id)
        elif task.cancelled() and attempt is None and self._lease is None:
            # By other code, before there was an attempt that could write the run's end; if runs
            # are leased, a sweep does.
            self._own(self._endings.interrupt(run_id))

    def _begin_later(self, run_id: str, delay: float) -> None:
        def begin() -> None:
            del self._delayed[run_id]
            self.begin(run_id)

        self._delayed[run_id] = asyncio.get_running_loop().call_later(delay, begin)

    async def _claimed(
        self, run_id: str, run: RunRecord | None, work: Work, claimed_at: float
    ) -> Attempt:
        """Return the attempt at a ``run`` that was claimed; ``None``: claim it."""
        if run is None:
            claimed_at = 0.0 if self._lease is None else asyncio.get_running_loop().time()
            try:  # the same as `_ask`, without the call
                run = await self._store.claim(run_id, lease=self._lease)
            except StoreError as exc:
                claim = partial(self._store.claim, run_id, lease=self._lease)
                run = await with_backoff(claim, self._patience, run_id, exc)
        # With a lease, or to resume, others have a turn before the attempt can be found.
        is_kept = run.seq > 0 or self._lease is not None or bool(self._audiences)
        audience = self.audience(run_id) if is_kept else Audience()
        attempt = Attempt(self._services, run, work, audience, self._own)
        attempt.is_leased = self._lease is not None
        if run.seq:
            past = Past(await self._ask(run_id, partial(self._store.saved, run_id)))
            behind = partial(self._store.read, run_id)
            await past.read(run, lambda seq: self._ask(run_id, partial(behind, seq)))
            attempt.resume(past)
        if self._lease is not None:
            attempt.renewed_at = claimed_at
            await self._confirm(attempt, claimed_at, self._lease)
        self._attempts[run_id] = attempt
        if (reason := self._nudged.pop(run_id, None)) is not None:
            attempt.run = run.changed(cancel_reason=reason)
        if is_kept:
            self._audiences.pop(run_id, None)
        # A detached run does not need readers, so it does not wait for them.
        audience.begin(run.seq, sys.maxsize if run.detached else self._limits.ahead_bytes)
        return attempt

    async def _confirm(self, attempt: Attempt, asked_at: float, lease: float) -> None:
        """Renew the lease of an attempt that has not begun, if it was claimed a while ago.

        Raises:
            Fenced: If the lease was over, and the run was taken away.
        """
        run, now = attempt.run, asyncio.get_running_loop().time()
        if now - asked_at > lease / 3:
            beat = partial(self._store.heartbeat, run.id, fence=run.fence, lease=lease)
            await self._ask(run.id, beat)
            attempt.renewed_at = now

    async def _ask(self, run_id: str, call: Callable[[], Awaitable[T]]) -> T:
        return await with_backoff(call, self._patience, run_id)

    def nudge(self, run_id: str, reason: str, /) -> None:
        """Stop the run now, if it is executed here."""
        attempt = self._attempts.get(run_id)
        if attempt is not None:
            attempt.cancel(reason)
        elif run_id in self._queued:
            self._nudged[run_id] = reason

    def drop(self, run_id: str, /) -> None:
        """Stop waiting for a run that has ended before it started."""
        if run_id in self._attempts:
            return
        if (timer := self._delayed.pop(run_id, None)) is not None:
            timer.cancel()
        task = self._queued.get(run_id)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    async def close(self, grace: float, /) -> None:
        """Let running actions finish, stop those that have not, and be done within ``grace``.

        A stopped run is released if its log outlives the process: another process takes it over
        as if this one had died. Otherwise it ends as ``INTERRUPTED``.
        """
        self._is_closing = True
        for run_id, timer in self._delayed.items():
            timer.cancel()
            self._left[run_id] = None
        loop = asyncio.get_running_loop()
        until = loop.time() + grace
        cleanup = min(self._limits.cancel_within, grace / 2)
        await self._wait_unless_forced(grace - cleanup)
        stopped = list(self._attempts.values())
        for attempt in stopped:
            self._stop(attempt)
        await self._runs.wait(cleanup)
        last = [self._own(self._settle(attempt)) for attempt in stopped]
        if last:
            await asyncio.wait(last, timeout=max(until - loop.time(), WRITING))
        self._chores.stop()  # a cancelled run waits for the chore that writes its end
        await self._runs.cancel(max(until - loop.time(), WRITING))
        await self._chores.cancel(max(until - loop.time(), WRITING))

    async def adopt(self, left: Left) -> None:
        """Settle the runs that an earlier worker has ``left``: execute them, or end them.

        If runs are leased, the lease of an abandoned attempt ends now.
        """
        for run_id, fence in left.items():
            with suppress(Fenced, NotFound):
                run = await self._store.get(run_id)
                if run.status is Status.PENDING:
                    self.begin(run_id)
                elif run.status is not Status.RUNNING or run.fence != fence:
                    continue
                elif self._lease is None:
                    await self._endings.end(run)
                else:
                    await self._endings.release(run)

    def left(self) -> Left:
        """Return the unfinished runs, after a close or when the loop is gone."""
        return self._left

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon every run, as their ``loop`` is gone."""
        self._is_closing = True
        self._left |= dict.fromkeys([*self._queued, *self._again, *self._delayed])
        for run_id, attempt in self._attempts.items():
            self._left[run_id] = attempt.run.fence
            attempt.forsake()
        self._runs.abandon(loop)
        self._chores.abandon(loop)

    def force_shutdown(self) -> None:
        """Make the current or the next close give running actions no more time."""
        self._is_forced.set()

    async def _wait_unless_forced(self, seconds: float) -> None:
        waits = [self._own(self._runs.wait(seconds)), self._own(self._is_forced.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)

    @staticmethod
    def attempt_in(frame: FrameType) -> Holder | None:
        """Return the attempt of a run if ``frame`` is a function that executes or steps it."""
        if frame.f_code is Stepper.__next__.__code__:
            writer: LogWriter | None = frame.f_locals.get("writer")  # unset where it begins
            return None if writer is None else writer.holder
        is_executing = frame.f_code is Worker._execute.__code__
        attempt: Attempt | None = frame.f_locals.get("attempt") if is_executing else None
        return attempt
