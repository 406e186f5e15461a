"""What there is of a run when a later attempt starts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from yieldwire.log.events import Block, EventType
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord


class Past:
    """What earlier attempts wrote, as far as the next one must know it. Feed it every block.

    ``recorded`` are their checkpoints.
    """

    def __init__(self, recorded: Mapping[str, bytes] | None = None) -> None:
        self.recorded: Mapping[str, bytes] = recorded or {}
        self.log_bytes: int = 0
        self.questions: Final = Questions()

    async def read(
        self, run: RunRecord, behind: Callable[[int], Awaitable[Sequence[Block]]]
    ) -> None:
        """Add the log of a run, whose blocks after a seq are what ``behind`` returns."""
        after = run.first_seq - 1
        while after < run.seq:
            page = await behind(after)
            for block in page:
                self.add(block)
            after = page[-1].last if page else run.seq

    def add(self, block: Block) -> None:
        """Add a block."""
        self.log_bytes += len(block.body)
        if block.has(EventType.QUESTION) or block.has(EventType.ANSWER):
            for event in block.events():
                self.questions.take(event)
