"""Appends that no task waits for, as long as the action itself waits for something else.

Theory of operation. While an action waits, its task needs no second wait for the store. So its
block is submitted, and the store's answer serves the readers; only if the action can continue
before that does it wait for the answer. With a thousand streams, several hundred blocks can be on
their way at the same time. A waiting task would need four more objects for each of them, and a
few hundred new objects make Python's garbage collector look at others.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable

from yieldwire.actions.encoding import Encoding
from yieldwire.errors import LimitExceeded, YieldwireError
from yieldwire.executors import RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.reporting import LoopReporter
from yieldwire.executors.watched import Log
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.quicklog import quick_log_of


class Submitter(LoopReporter):
    """The part of the writer that has at most one block on its way."""

    __slots__ = (
        "_audience",
        "_busy",
        "_idle",
        "_is_ahead",
        "_is_submitted",
        "_log",
        "_store",
        "_unsettled",
        "is_closed",
        "spawn_flush",
    )

    def __init__(
        self,
        store: Log,
        run: RunRecord,
        encoding: Encoding,
        limits: RunLimits,
        audience: Audience,
    ) -> None:
        super().__init__(run, encoding, limits, asyncio.get_running_loop())
        self._store, self._audience = store, audience
        self._log = quick_log_of(store, run.id)
        self._unsettled: Block | None = None
        """The block that the store has not confirmed. After a failed write the store can have it or
        not: the same append is repeated first, which counts as success if it has."""
        self._busy = False
        self._is_submitted = False
        """Whether a block is on its way, or has failed on it, without which nothing continues."""
        self._is_ahead = False
        """Whether the run must wait for its readers before it continues."""
        self._idle: asyncio.Future[None] | None = None
        self.is_closed: bool = False
        self.spawn_flush: Callable[[], object] | None = None
        """Set by the attempt: runs `flush` in a task that the attempt owns."""

    def _submits(self) -> bool:
        """Submit what is pending, and return whether it is on its way; if not, it must be flushed.

        It is not if the store cannot, if the run must wait, or if it is more than a block.

        Raises:
            LimitExceeded: If the log would be too large.
        """
        log, failure = self._log, self._failure
        if log is None or self._busy or self._is_ahead or self._full or self._unsettled:
            return False
        self._unsettled = block = self._next_block()
        if block is not None:
            self._busy = self._is_submitted = True
            if not log.append_nowait(block, after=self._seq, fence=self._fence, writer=self):
                self._busy = self._is_submitted = False
                return False
        if self._failure is not failure:
            raise self._refusal()
        return block is not None

    def submitted(self, error: YieldwireError | None) -> None:
        """Continue, as the block is in the log, or could not be written because of ``error``."""
        block = self._unsettled
        self._busy = False
        if error is None and block is not None:
            self._seq, self._unsettled, self._is_submitted = block.last, None, False
            self._is_ahead = self._audience.publish(block)
        if (self._pending or self._unsettled) and not self.is_closed:
            self._continue()
        if self._idle is not None and not self._busy:
            self._rest()

    def _continue(self) -> None:
        """Write what failed, or came meanwhile: it can be that nobody waits for it."""
        try:
            is_on_its_way = self._submits()
        except LimitExceeded:
            is_on_its_way = False
        if not is_on_its_way and self.spawn_flush is not None:
            self.spawn_flush()

    def _rest(self) -> None:
        """Stop being busy, and wake those who wait for that."""
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _arrive(self) -> BaseException | None:
        """Wait for what was submitted, and for the readers; return an error for the action."""
        error: BaseException | None = None
        while (self._is_submitted or self._is_ahead) and not self.is_closed:
            try:
                if self._busy:
                    await self._wait_idle()
                elif self._is_submitted:
                    await self.flush()
                else:
                    self._is_ahead = False
                    await self._audience.wait_for_room()
            except asyncio.CancelledError as exc:
                error = exc  # it is thrown into the action
            except Exception as exc:  # noqa: BLE001 - so is this
                return error or exc
        return error

    @abstractmethod
    def flush(self) -> Awaitable[None]:
        """Append everything pending."""

    async def _wait_idle(self) -> None:
        while self._busy:
            if self._idle is None or self._idle.done():
                self._idle = self.loop.create_future()
            await self._idle
