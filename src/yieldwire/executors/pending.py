"""The chunks of an attempt that are not in its log yet, as the blocks in which they get there.

A chunk for which the log has no space is refused where it is put; accepted chunks always fit. A
block holds about `BLOCK_BYTES`: a full one is set aside, and the next chunk starts another.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from yieldwire.actions.encoding import Encoding
from yieldwire.errors import Fenced, InvalidOutput, LimitExceeded
from yieldwire.executors import RunLimits
from yieldwire.executors.budget import Budget
from yieldwire.log.events import Block, one_line
from yieldwire.log.jsonvalue import UNCHECKED_BYTES
from yieldwire.log.misfit import invalid_output, unreadable_output
from yieldwire.log.run import RunRecord


class Pending(Budget):
    """Chunks as JSON, from where they are put to their blocks."""

    __slots__ = (
        "_checked_bytes",
        "_encoding",
        "_epoch",
        "_failure",
        "_fence",
        "_full",
        "_pending",
        "_pending_bytes",
        "_run",
        "_seq",
        "loop",
    )

    def __init__(
        self,
        run: RunRecord,
        encoding: Encoding,
        limits: RunLimits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(run, limits)
        self._run, self._seq, self._fence = run, run.seq, run.fence
        self._encoding = encoding
        self._checked_bytes = min(limits.max_event_bytes, UNCHECKED_BYTES)
        self._pending: list[bytes] | tuple[()] = ()
        self._pending_bytes = 0
        self._full: list[tuple[list[bytes], int]] | None = None
        """Full blocks of chunks before the pending ones, with their bytes. None if none pend."""
        self._failure: LimitExceeded | None = None
        self.loop: Final = loop
        """The event loop of the attempt."""
        self._epoch = (run.started_at or 0.0) - loop.time()
        """The store's time, by which the attempt has just begun, less the loop's."""

    def encode(self, chunk: object) -> bytes:
        """Return the chunk's JSON. Can be called from any thread.

        Raises:
            InvalidOutput: If it does not match its type, or cannot be written as JSON.
            LimitExceeded: If it is too large.
        """
        try:
            data = self._encoding.encode(chunk)
        except Exception as exc:
            raise self._refused(chunk, exc) from exc
        if len(data) > self._checked_bytes and (refusal := self._refusal_of(chunk, data)):
            raise refusal
        return data

    def now(self) -> float:
        """Return the store's time, as far as the attempt knows it."""
        return self._epoch + self.loop.time()

    def _refused(self, chunk: object, exc: Exception) -> InvalidOutput:
        return invalid_output(self._run.action, "chunk", chunk, exc)

    def _refusal_of(self, chunk: object, data: bytes) -> Exception | None:
        if len(data) <= (most := self._limits.max_event_bytes):
            return unreadable_output(self._run.action, "chunk", chunk, data)
        return LimitExceeded(
            f"A chunk of {len(data)} bytes is over the limit of {most}; send it in smaller pieces."
        )

    def _refusal(self) -> LimitExceeded | Fenced:
        if self._failure is not None:
            return LimitExceeded(str(self._failure))  # one that is raised again grows
        return Fenced(f"Run {self._run.id} has ended; nothing can be sent any more.")

    def check_limits(self) -> None:
        """Return if the log is within its limits.

        Raises:
            LimitExceeded: If it is not, even if the action ignored that.
        """
        if self._failure is not None:
            raise self._refusal()

    def _next_block(self) -> Block | None:
        """Return the pending chunks, or about `BLOCK_BYTES`, as far as the log has space."""
        data: Sequence[bytes]
        if self._full:
            data, size = self._full.pop(0)
        else:
            data, self._pending = self._pending, ()
            size, self._pending_bytes = self._pending_bytes, 0
        seq, at = self._seq + 1, self._epoch + self.loop.time()
        if len(data) == 1:  # the same as below, without the call
            body = data[0] + b"\n"
            body = body if body.isascii() else one_line(body)
            block = Block(self._run_id, seq, seq, body, None, at)
        else:
            block = Block.of_chunks(self._run_id, seq, data, at)
        if self.take(block, size):
            return block
        self._failure = self.exceeded()
        self._full = None
        self._pending, self._pending_bytes = (), 0
        return self.take_part(block)
