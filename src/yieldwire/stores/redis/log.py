"""Logs: appending to them, and reading them page by page."""

from collections.abc import Sequence
from typing import Any, Final

from yieldwire.errors import NotFound, StoreError
from yieldwire.log.cursor import check_within
from yieldwire.log.delivery import is_told
from yieldwire.log.events import Block
from yieldwire.stores import no_such_run, page_of
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import entry_of, to_block
from yieldwire.stores.redis.scripts import RedisCommand, Scripts

_FIRST_ENTRIES: Final = 16
"""How many entries a page asks for at first: a hot log's are large, and fill it."""
_MOST_ENTRIES: Final = 4_000
"""How many it asks for at most. How many fill the page is known from the first ones."""


def first_seq_in(reply: bytes | None, run_id: str) -> int | None:
    """Return a log's first seq, as the reply to an append says; ``None``: it needs a decision.

    Raises:
        StoreError: If the log is gone although its run is there.
    """
    if reply == b"lost":
        error = StoreError(f"The log of run {run_id} is lost: Redis has evicted it.")
        error.retryable = False
        raise error
    return None if reply is None else int(reply)


class LogKeys:
    """The streams of the runs' blocks."""

    def __init__(self, links: RedisLinks, scripts: Scripts) -> None:
        self._links, self._scripts = links, scripts

    async def append(self, run_id: str, block: Block, after: int, fence: int) -> int | None:
        """Append a block, and return the log's first seq; ``None``: that needs a decision.

        Raises:
            StoreError: If the log is gone although its run is there.
        """
        if block.first != after + 1 or is_told(block):
            return None
        reply = await self._links.writer.finish(self.command_of(block, after, fence))
        return first_seq_in(reply, run_id)

    def command_of(self, block: Block, after: int, fence: int) -> RedisCommand:
        """Return what appends a block of chunks after a seq."""
        return self._scripts.append(block.run_id, fence, after, block.last, *entry_of(block))

    async def has(self, run_id: str, block: Block) -> bool:
        """Whether a log has exactly the bytes of ``block`` at its place."""
        log = self._scripts.key("log:", run_id)
        command = (b"XRANGE", log, f"{block.first}-0", b"+", b"COUNT", block.size)
        (entries,) = await self._links.writer.ask(command)
        there = [to_block(run_id, entry) for entry in entries]
        if not there or there[0].first != block.first:
            return False
        return Block.join(there).begins_with(block)

    async def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the blocks after ``after``, about ``max_bytes`` of them.

        Raises:
            NotFound: If there is no such run, or its log is lost.
            ForeignCursor: If ``after`` is beyond the log's end.
        """
        run = self._scripts.key("run:", run_id)
        seq, entries = await self._links.reader.ask(
            (b"HGET", run, b"seq"), self._range(run_id, after, _FIRST_ENTRIES), size=max_bytes
        )
        if seq is None:
            raise no_such_run(run_id)
        if not entries:
            check_within(after, int(seq))
            if after < int(seq):
                raise NotFound(f"The log of run {run_id} is lost: Redis has evicted it.")
            return ()
        return page_of(await self._fill(run_id, entries, max_bytes), after, max_bytes)

    async def _fill(self, run_id: str, entries: Sequence[Any], max_bytes: int) -> Sequence[Block]:
        """Return the blocks of these entries, and of as many others as fill the page."""
        asked, page = _FIRST_ENTRIES, [to_block(run_id, entry) for entry in entries]
        size = sum(len(block.body) for block in page)
        while len(entries) == asked and size < max_bytes:
            asked = min(_MOST_ENTRIES, (max_bytes - size) * len(page) // max(1, size) + 1)
            more = self._range(run_id, page[-1].last, asked)
            (entries,) = await self._links.reader.ask(more, size=max_bytes - size)
            blocks = [to_block(run_id, entry) for entry in entries]
            if blocks and blocks[0].first != page[-1].last + 1:
                break  # trimmed meanwhile: the next page says so
            page += blocks
            size += sum(len(block.body) for block in blocks)
        return page

    def _range(self, run_id: str, after: int, count: int) -> RedisCommand:
        log = self._scripts.key("log:", run_id)
        return (b"XRANGE", log, f"{after + 1}-0", b"+", b"COUNT", count)
