"""The chunks of an attempt that are not in its log yet, as the blocks in which they get there.

A chunk for which the log has no space is refused where it is put; accepted chunks fit, unless one
that was yielded before them grows as its line breaks are escaped. A block holds about
`BLOCK_BYTES`.
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

BLOCK_EVENTS: Final = 512
"""Large enough to make the cost of a block small compared with that of its events."""
BLOCK_BYTES: Final = 64 * 1024
MOST_BLOCK_EVENTS: Final = 2 * BLOCK_EVENTS
"""The maximum of chunks in a block."""


class Pending(Budget):
    """Chunks as JSON, from where they are put to their blocks."""

    __slots__ = (
        "_checked_bytes",
        "_encoding",
        "_epoch",
        "_failure",
        "_fence",
        "_pending",
        "_pending_at",
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
        """The size of their JSON, if there are any."""
        self._pending_at = 0.0
        """When the first one was put, by the loop's clock."""
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

    @property
    def _is_several_blocks(self) -> bool:
        """Whether the pending chunks are more than one block."""
        data = self._pending
        size = self._pending_bytes - len(data[-1]) if data else 0
        return size >= BLOCK_BYTES or len(data) > MOST_BLOCK_EVENTS

    def _next_block(self) -> Block | None:
        """Return the pending chunks, or about `BLOCK_BYTES`, as far as the log has space."""
        data: Sequence[bytes] = self._pending
        at = self._pending_at
        first = last = self._seq + 1
        if len(data) == 1:
            self._pending, body = (), data[0] + b"\n"
        else:
            if self._pending_bytes <= BLOCK_BYTES and len(data) <= MOST_BLOCK_EVENTS:
                self._pending = ()  # the same as `_cut`, without the calls
            else:
                data = self._cut()
            body, last = b"\n".join([*data, b""]), self._seq + len(data)
        if not body.isascii():
            body = one_line(body)
        block = Block(self._run_id, first, last, body, None, self._epoch + at)
        left = self._left_bytes - len(body)
        if left >= 0 and last <= self._most_seq and self._kept is None:
            self._left_bytes = left  # the same as `take`, without the call
            return block
        part = self.take(block)
        if part is not block:
            self._failure, self._pending = self.exceeded(), ()
        return part

    def _cut(self) -> Sequence[bytes]:
        """Remove the chunks of the next block, and return them."""
        data, count, size = self._pending, 0, 0
        if not (data and self._is_several_blocks):
            self._pending = ()
            return data
        while count < MOST_BLOCK_EVENTS and size < BLOCK_BYTES:
            size += len(data[count])
            count += 1
        self._pending_bytes -= size
        block = data[:count]
        del data[:count]  # a copy of the rest, for each block, would take long if there are many
        return block
