"""What there is of a run when a later attempt starts."""

from collections.abc import Mapping
from typing import Final

from yieldwire.log.events import Block, EventType
from yieldwire.log.question import Questions


class Past:
    """What earlier attempts wrote, as far as the next one must know it. Feed it every block.

    ``recorded`` are their checkpoints.
    """

    def __init__(self, recorded: Mapping[str, bytes] | None = None) -> None:
        self.recorded: Mapping[str, bytes] = recorded or {}
        self.log_bytes: int = 0
        self.questions: Final = Questions()

    def add(self, block: Block) -> None:
        """Add a block."""
        self.log_bytes += len(block.body)
        if block.has(EventType.QUESTION) or block.has(EventType.ANSWER):
            for event in block.events():
                self.questions.take(event)
