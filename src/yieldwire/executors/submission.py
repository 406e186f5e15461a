"""The way of a block to the log: submitted by an attempt, and reported when it is there.

Theory of operation. Nothing of an action waits for the store as well while the action waits for
something else: its block is submitted, and what the store answers serves the readers. Only if the
action can continue before that does it wait for the answer. A log that takes a block without being
awaited needs no object for that; for any other store, a task appends it. With a thousand streams,
several hundred blocks can be on their way at the same time, and a few hundred new objects make
Python's garbage collector look at others.
"""

import asyncio
from functools import partial
from typing import Final

from yieldwire.actions.encoding import Encoding
from yieldwire.errors import LimitExceeded, StoreError, YieldwireError
from yieldwire.executors import Holder, RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.reporting import LoopReporter
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.stores.quicklog import quick_log_of

_OVER: Final = "The log is not written any more."


class Submitter(LoopReporter):
    """The part of the writer that has at most one block on its way."""

    __slots__ = (
        "_audience",
        "_idle",
        "_log",
        "_store",
        "_unsettled",
        "_watch",
        "error",
        "holder",
        "is_ahead",
        "is_busy",
        "is_closed",
    )

    def __init__(
        self,
        store: RunStore,
        run: RunRecord,
        encoding: Encoding,
        limits: RunLimits,
        audience: Audience,
        watch: Watch = NOBODY,
    ) -> None:
        super().__init__(run, encoding, limits, asyncio.get_running_loop())
        self._watch = watch if watch.has_blocks else None
        self._store, self._audience = store, audience
        self._log = quick_log_of(store, run.id)
        self._unsettled: Block | None = None
        """The block that the store has not confirmed. After a failed write the store can have it or
        not: the same append is repeated first, which counts as success if it has."""
        self.is_busy: bool = False
        """Whether that block is on its way."""
        self.is_ahead: bool = False
        """Whether the run must wait for its readers before it continues."""
        self._idle: asyncio.Event | None = None
        """Set when it is there, if somebody waits for that."""
        self.error: YieldwireError | None = None
        """Why the store refused a block. The run is stopped then, and nothing more is submitted."""
        self.is_closed: bool = False
        self.holder: Holder | None = None
        """The attempt, until it is over."""

    def release(self) -> None:
        """Take nothing more, as the attempt is over."""
        self.is_closed, self.holder = True, None

    def submit(self) -> LimitExceeded | None:
        """Write what is pending: a block of it, unless one is on its way, which others follow.

        Returns the error for the action if the log has no space for all of it.
        """
        if not self._pending or self._unsettled is not None or self.is_closed:
            return None
        failure, block, log = self._failure, self._next_block(), self._log
        if block is not None:
            try:
                is_there = False if log is None else log.append_nowait(block, self._fence, self)
            except Exception as exc:  # noqa: BLE001 - raised in the task that appends
                self._unsettled, self.is_busy = block, True
                self._append_later(exc)
                return None
            if is_there:
                self._settle(block)
            else:
                self._unsettled, self.is_busy = block, True
                if is_there is False:
                    self._append_later()
        return None if self._failure is failure else self.exceeded()

    def submitted(self, error: YieldwireError | None) -> None:
        """Continue, as the block is in the log, or could not be written because of ``error``."""
        if error is not None:
            self._append_later(error)
            return
        block, self._unsettled, self.is_busy = self._unsettled, None, False
        if block is not None:
            self._settle(block)
        if self._idle is not None:
            self._rest()

    def _settle(self, block: Block) -> None:
        """Serve the readers a block that is in the log."""
        self._seq = block.last
        if self._watch is not None:
            self._watch.block_appended(self._run, block)
        self.is_ahead = self._audience.publish(block)
        if self._pending:
            self.loop.call_soon(self._kick)

    def _append_later(self, failure: Exception | None = None) -> None:
        if self.holder is not None:
            task = self.holder.own(self._append_patiently(failure))
            if not task.cancelling():
                return
        self._give_up(StoreError(_OVER))

    async def _append_patiently(self, failure: Exception | None) -> None:
        """Append the block in a task, as often as it takes."""
        try:
            await self._append(failure)
        except YieldwireError as exc:
            self._give_up(exc)
        except BaseException:
            self._give_up(StoreError(_OVER))
            raise  # the process stops, or the store has a fault

    def _give_up(self, error: YieldwireError) -> None:
        self.error, self.is_busy = error, False
        self._rest()
        if self.holder is not None:
            self.holder.stop_by(error)

    async def _append(self, failure: Exception | None = None) -> None:
        """Append the block that is not settled, which is repeated after a ``failure``."""
        run_id, block, after, fence = self._run_id, self._unsettled, self._seq, self._fence
        if block is None:
            return
        try:
            if failure is not None:
                raise failure
            await self._store.append(run_id, block, after=after, fence=fence)
        except StoreError as exc:
            append = partial(self._store.append, run_id, block, after=after, fence=fence)
            await with_backoff(append, self._limits.store_patience, run_id, exc)
        self.submitted(None)

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.set()
            self._idle = None

    def _kick(self) -> None:
        """Write what nobody waits for, and stop the action if the log has no space for it."""
        if self.is_closed or self.holder is None:
            return
        self.submit()
        if self._failure is not None:
            self.holder.stop_by(self._failure)

    async def flush(self) -> None:
        """Return when everything that was put is in the log, and its readers are not far behind.

        Raises:
            LimitExceeded: If the log would be too large.
            StoreError: If the store failed for longer than `store_patience`.
        """
        while not self.is_closed:
            if (error := self.submit()) is not None:
                raise error
            await self._wait()
            if not (self.is_busy or self.is_ahead or self._pending):
                return

    async def reach(self, seq: int) -> bool:
        """Return whether the log has everything up to ``seq``, once it does or the writer closes.

        Raises:
            LimitExceeded: If the log would be too large.
            StoreError: If the store failed for longer than `store_patience`.
        """
        while self._seq < seq and not self.is_closed:
            if (error := self.submit()) is not None:
                raise error
            await self._wait_idle()
            if self._seq < seq and not self._pending:
                raise self._refusal()  # it was dropped, as the log has no space for it
        return self._seq >= seq

    async def arrive(self, error: BaseException | None) -> None:
        """Wait for what was submitted, and for the readers; then raise ``error``, if there is one.

        Raises:
            BaseException: ``error``, a cancellation, or why the block could not be appended.
        """
        while (self.is_busy or self.is_ahead) and not self.is_closed:
            try:
                await self._wait()
            except asyncio.CancelledError as exc:
                error = exc
            except YieldwireError as exc:
                error = error or exc
                break
        if error is not None:
            try:
                raise error
            finally:
                del error  # it would keep this frame

    async def _wait(self) -> None:
        """Wait for the block that is on its way, and then for the readers."""
        await self._wait_idle()
        if self.is_ahead:
            self.is_ahead = False
            await self._audience.wait_for_room()

    async def _wait_idle(self) -> None:
        """Wait until no block is on its way.

        Raises:
            StoreError: If one could not be appended.
        """
        while self.is_busy:
            if self._idle is None:
                self._idle = asyncio.Event()  # a future would be cancelled with each who waits
            await self._idle.wait()
        if self.error is not None:
            raise self.error
