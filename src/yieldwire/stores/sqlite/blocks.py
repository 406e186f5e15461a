"""Blocks on their way to the file: each by itself, or small ones of many runs together.

A thousand slow streams can have several hundred blocks on their way at the same time, and a few
hundred new objects make Python's garbage collector look at others. So what a small block needs
for its append is kept as values in one list, which are those of the statement that appends them.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from yieldwire.log.events import Block
from yieldwire.stores.quicklog import BlockWriter, report_unheard
from yieldwire.stores.sqlite.item import Item
from yieldwire.stores.sqlite.lane import MOST_AT_ONCE, MOST_BYTES_AT_ONCE
from yieldwire.stores.sqlite.log import LogTable

SMALL: Final = 4096
"""Bytes of a block that is worth joining with others: SQLite keeps a copy of each until
the next ones take its place."""
VALUES: Final = 7
"""How many values an append has: the run's id, the writer's fence, the seq before the block, its
last seq, the type of its terminal event or nothing, its body and its time."""
BODY: Final = 5
"""The place of the body."""

Note: TypeAlias = Callable[[Sequence[Block], int | None, BaseException | None], object]
"""Notes that blocks are in logs that start at this seq, or can be there after this error."""


class BlockItem(Item):
    """A block, and the right to append it to its log. Its result is the log's first seq."""

    __slots__ = ("after", "block", "fence", "log", "note")

    def __init__(self, log: LogTable, note: Note, block: Block, after: int, fence: int) -> None:
        super().__init__(len(block.body))
        self.log: LogTable = log
        self.note: Note = note
        self.block: Block = block
        self.after: int = after
        self.fence: int = fence

    def do(self, connection: sqlite3.Connection) -> int:
        """Append the block by itself."""
        return self.log.append(connection, self.block, after=self.after, fence=self.fence)

    @property
    def values(self) -> Sequence[object]:
        """What the append needs."""
        block = self.block
        end = "" if block.end is None else block.end.value
        return block.run_id, self.fence, self.after, block.last, end, block.body, block.at

    def tell(self) -> None:
        """Report the outcome."""
        self.note([self.block], self.result, self.error)
        super().tell()


class Submission(BlockItem):
    """A block whose outcome is reported by a call, so that no task needs to wait for it."""

    __slots__ = ("writer",)

    writer: BlockWriter

    def tell(self) -> None:
        """Report the outcome."""
        self.note([self.block], self.result, self.error)
        self.writer.submitted(self.error)


class Submissions(Item):
    """Such blocks, of which each is simple and does not end its log."""

    __slots__ = ("blocks", "log", "note", "values", "writers")

    def __init__(self, log: LogTable, note: Note) -> None:
        super().__init__()
        self.log: LogTable = log
        self.note: Note = note
        self.blocks: list[Block] = []
        self.writers: list[BlockWriter] = []
        self.values: list[Any] = []
        """What their appends need, one after the other."""
        self.count: int = 0
        self.size: int = 0
        self.is_joint = True

    def add(self, block: Block, fence: int, writer: BlockWriter) -> None:
        """Add a block, which follows the one before it."""
        body = block.body
        self.count += 1
        self.size += len(body)
        self.is_open: bool = self.count < MOST_AT_ONCE and self.size < MOST_BYTES_AT_ONCE
        self.blocks.append(block)
        self.writers.append(writer)
        self.values += (block.run_id, fence, block.first - 1, block.last, "", body, block.at)

    def parts(self) -> Iterator[Submission]:
        """Yield each block with what its append needs."""
        rights = zip(self.values[2::VALUES], self.values[1::VALUES], strict=True)
        for block, writer, right in zip(self.blocks, self.writers, rights, strict=True):
            part = Submission(self.log, self.note, block, *right)
            part.writer = writer
            yield part

    def tell(self) -> None:
        """Report the outcome, which is the same for all."""
        try:
            self.note(self.blocks, 1 if self.error is None else None, self.error)
        except Exception as exc:  # noqa: BLE001 - the writers have an outcome anyway
            report_unheard(exc)
        for writer in self.writers:
            try:
                writer.submitted(self.error)
            except Exception as exc:  # noqa: BLE001 - the others have an outcome too
                report_unheard(exc)
