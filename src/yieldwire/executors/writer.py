"""Writes what an action emits into the log.

Theory of operation. Chunks are encoded as they come and collected. They are appended, as one
block, when the action suspends: a slow stream is written event by event without delay, and a
hot loop fills its blocks. `Stepper` detects when the action suspends: it steps the action's
coroutine by hand, and submits what is there before the task waits. So an event needs no queue
and no timer, and no task either unless its store has to be awaited.

What is collected is limited, however long nobody awaits: see `Pending`.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from yieldwire.actions.encoding import Encoding
from yieldwire.actions.running import Thread
from yieldwire.errors import LimitExceeded, YieldwireError
from yieldwire.errors.debug import at_yield
from yieldwire.executors import RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.generator import cancelled_at_yield, last_word
from yieldwire.executors.pending import BLOCK_BYTES, BLOCK_EVENTS
from yieldwire.executors.submission import Submitter
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.chunks import Result
from yieldwire.log.events import Block, EventType, one_line
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore

FIRST_SECONDS: Final = 0.0005
"""How long after a wait an action can keep an event back: if producing one event is slow, the
next can be as slow."""
BLOCK_SECONDS: Final = 0.005
"""How long an action that never waits can keep an event, and the loop, to itself."""


class LogWriter(Submitter):
    """Writes one attempt's events. The attempt's end closes it."""

    __slots__ = (
        "_ending",
        "due_at",
        "is_stepping",
        "is_stopping",
        "patience",
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
        super().__init__(store, run, encoding, limits, audience, watch)
        self.bridge: Thread | None = None
        self.tracked: object | None = None
        self._ending: tuple[Block, EventType] | None = None
        """The block that ends the log, and its last type, once that is settled."""
        self.patience: float = FIRST_SECONDS
        """For how many seconds after a wait an action can keep an event."""
        self.due_at: float = self.loop.time() + FIRST_SECONDS
        """When the action must write what it has, by the loop's clock, if it has not waited yet."""
        self.is_stopping: bool = False
        self.is_stepping: bool = False
        """Whether the action's own coroutine is being stepped, so that its next wait writes."""

    async def put_all(self, chunks: AsyncGenerator[object, None]) -> object:  # noqa: C901, PLR0912 - hot
        """Take every chunk of an action, and return the value of its `Result`, if it has one.

        Raises:
            InvalidOutput: If one does not match its type, or cannot be written as JSON.
            UsageError: If something follows the `Result`.
        """
        # The same as `put`, without the calls: this runs for nearly every event.
        (quick, full), most, loop = self._encoding, self._checked_bytes, self.loop
        rest = chunks
        try:
            while True:
                async for chunk in rest:
                    if type(chunk) is Result:
                        return await last_word(chunk, chunks)
                    try:
                        data = quick(chunk) if quick else full(chunk, by_alias=True, warnings=False)
                    except Exception:  # noqa: BLE001 - each encoder has its own
                        data = self._encoded_at_yield(chunk, chunks)
                    size = len(data)
                    if size > most and (refusal := self._refusal_of(chunk, data)):
                        raise at_yield(refusal, chunks)
                    pending, now = self._pending, loop.time()
                    if pending:
                        pending.append(data)
                        size += self._pending_bytes
                        if len(pending) >= BLOCK_EVENTS:
                            now = math.inf
                    elif self.is_closed or self._failure is not None:
                        raise self._refusal()
                    else:
                        self._pending, self._pending_at = [data], now
                    self._pending_bytes = size
                    if now >= self.due_at or size >= BLOCK_BYTES:
                        try:
                            await self.turn()
                        except asyncio.CancelledError as exc:
                            if self.is_stopping:
                                raise
                            rest = cancelled_at_yield(chunks, exc, rest)
                            break
                    del chunk, data, pending  # while the action waits, they are only memory
                else:
                    return None
        finally:
            await chunks.aclose()

    def _encoded_at_yield(self, chunk: object, chunks: AsyncGenerator[object, None]) -> bytes:
        try:
            return self._encoding.full(chunk, by_alias=True, warnings=False)
        except Exception as exc:
            raise at_yield(self._refused(chunk, exc), chunks) from exc

    def put(self, chunk: object, /) -> None:
        """Take a chunk; it is written when the action waits, or drains.

        Raises:
            LimitExceeded: If it is too large, or the log has no space for it.
        """
        was_full = self._failure is not None
        try:
            self.put_encoded(self.encode(chunk))
        except LimitExceeded:
            if was_full or (self._failure is not None and not self.is_stepping):
                # The action ignored it, or has not seen it yet: the run ends anyway.
                self.loop.call_soon(self._kick)
            raise

    @property
    def last_put(self) -> int:
        """The seq that the last chunk has in the log, or will have."""
        seq = self._seq if self._unsettled is None else self._unsettled.last
        return seq + len(self._pending)

    def put_encoded(self, data: bytes) -> None:
        """Take a chunk's JSON.

        Raises:
            LimitExceeded: If the log has no space for it.
        """
        if self.is_closed or self._failure is not None:
            raise self._refusal()
        if not data.isascii():
            data = one_line(data)  # so that it has the same size as in the log
        pending = self._pending
        size = len(data) + (self._pending_bytes if pending else 0)
        if not self.has_space(self.last_put + 1, size + len(pending) + 1):
            self._failure = self.exceeded()
            raise self._refusal()
        if pending:
            pending.append(data)
        else:
            self._pending, self._pending_at = [data], self.loop.time()
            if not self.is_stepping:
                self.loop.call_soon(self._kick)
        self._pending_bytes = size

    def stop(self) -> None:
        """Stop the action at its next chunk, unless it waits before that."""
        self.is_stopping = True
        self.due_at, self.patience = 0.0, -math.inf

    async def drain(self) -> None:
        """Write if it is time to, and give others a turn; wait while the log is too far behind."""
        pending = self._pending
        is_full = pending and self._pending_bytes >= BLOCK_BYTES
        if is_full or len(pending) >= BLOCK_EVENTS or self.loop.time() >= self.due_at:
            await self.turn()

    async def turn(self) -> None:
        """Write everything pending, and give every other task a turn.

        Raises:
            asyncio.CancelledError: If the run must stop.
        """
        await self.flush()
        await asyncio.sleep(0)
        if self.is_stopping:
            raise asyncio.CancelledError
        self.due_at = self.loop.time() + BLOCK_SECONDS  # it did not wait for anything itself

    async def write_rest(self) -> None:
        """Append everything pending, and close: another attempt continues the log.

        Raises:
            LimitExceeded: If the log would be too large.
            StoreError: If the store failed for longer than `store_patience`.
        """
        self._close()
        await self._append_rest(is_ending=False)
        self.check_limits()

    def _close(self) -> None:
        """Take no more chunks."""
        self.is_closed = True
        self._audience.close()

    async def _append_rest(self, *, is_ending: bool) -> None:
        """Append what was submitted, also if that has failed, and what is pending.

        If the log is ending, the last block is left for its terminal event.
        """
        with suppress(YieldwireError):
            await self._wait_idle()
        while self._unsettled or (self._is_several_blocks if is_ending else self._pending):
            self._unsettled = self._unsettled or self._next_block()
            await self._append()

    async def end(self, kind: EventType, data: bytes) -> EventType:
        """Append everything pending and the terminal event in the last block, and close.

        If the log has no space for it, `LimitExceeded` is written as the end instead. Returns
        the type of the event that was written.

        If it fails or is cancelled, it can be called again with the same arguments.

        Raises:
            Fenced: If the run was taken away.
            StoreError: If the store failed for longer than `store_patience`.
        """
        self._close()
        if self._unsettled is not None or self._is_several_blocks:
            await self._append_rest(is_ending=True)
        if self._ending is None:
            self._ending = self._last_block(kind, data)
        block, kind = self._ending
        if self._seq < block.last:  # else it was what had failed before
            self._unsettled = block
            await self._append()
        self._audience.end()
        return kind

    def _last_block(self, kind: EventType, data: bytes) -> tuple[Block, EventType]:
        """Return the block that ends the log, as far as there is space, and its last type."""
        rest = self._next_block() if self._pending else None
        if self._failure is not None and kind is EventType.DONE:
            kind, data = self.end_as(self._failure)
        else:
            kind, data = self.end_within(kind, data)
        if rest is not None:
            return rest.ended(kind, data), kind
        at = self.now()
        return Block.of_event(self._run.id, self._seq + 1, kind, data, at), kind
