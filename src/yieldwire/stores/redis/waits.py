"""Everybody in this process who waits for something on the server."""

import asyncio
import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from yieldwire.stores.reads import Reads
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.scripts import RedisCommand, Scripts
from yieldwire.stores.redis.wakeups import Followed, Wakeups
from yieldwire.stores.tails import Tails
from yieldwire.stores.waiters import Heads, Waiters

QUEUE: Final = "queue"
"""What takers of runs follow instead of a run: its seq counts the runs that were queued."""


def head_command(scripts: Scripts, run_id: str) -> RedisCommand:
    """Return the command for the seq, the last message's number and the end of a run."""
    return (b"HMGET", scripts.key("run:", run_id), b"seq", b"messages", b"ended_at")


class RedisWaits:
    """The readers of logs and of inboxes, by run, and the takers of runs.

    What others have written is announced (`wakeups`) while somebody waits, and some time longer.
    """

    def __init__(self, links: RedisLinks, scripts: Scripts, reads: Reads, tails: Tails) -> None:
        self._links, self._scripts, self._reads = links, scripts, reads
        self.logs: Final = Waiters(partial(self._ask_heads, 0))
        self.inboxes: Final = Waiters(partial(self._ask_heads, 1))
        self.takers: Final = Waiters(partial(self._ask_heads, 0))
        self._all: Final = (self.logs, self.inboxes, self.takers)
        self._wakeups = Wakeups(
            links,
            scripts.key("wake:"),
            tails,
            look=self._look,
            wake=self._wake_announced,
            is_awaited=lambda run_id: any(run_id in waiters for waiters in self._all),
        )
        self.wrote: Final = self._wakeups.wrote
        self.own: Final[dict[str, int]] = {}
        """The seq to which this process is appending, by run: its readers are woken then."""

    async def wait(self, waiters: Waiters, run_id: str, after: int, timeout: float) -> None:
        """Wait until there is something after ``after``, or the run has ended or is gone."""
        try:
            with waiters.waiter(run_id, after, timeout) as waiter:
                known = self._wakeups.follow(run_id)
                if (known.number if waiters is self.inboxes else known.seq) > after:
                    return
                if known.is_subscribed and not known.is_sure:
                    waiters.look([run_id])
                await waiter
        finally:
            self._wakeups.release(run_id)

    def wake(self, run_id: str) -> None:
        """Wake all who wait for something of a run, as it can have ended or be gone."""
        self._reads.forget_all()
        self.logs.wake(run_id)
        self.inboxes.wake(run_id)

    def forget_all(self) -> None:
        """Drop all waits, as their event loop is gone."""
        for waiters in self._all:
            waiters.forget_all()
        self.own.clear()
        self._wakeups.forget_all()

    async def close(self) -> None:
        """Wake all who wait, and close the connection that listens."""
        for waiters in self._all:
            waiters.wake_all()
        await self._wakeups.close()

    def _look(self, run_ids: Iterable[str]) -> None:
        for waiters in self._all:
            waiters.look([run_id for run_id in run_ids if run_id in waiters])

    def _wake_announced(self, run_id: str, known: Followed) -> None:
        is_own = self.own.get(run_id) == known.seq
        if not is_own:
            self._reads.forget_all()
        for waiters in self._all:
            if is_own and waiters is self.logs:
                continue
            place = known.number if waiters is self.inboxes else known.seq
            waiters.wake(run_id, None if math.isinf(place) else int(place))

    def _ask_heads(self, place: int, run_ids: set[str]) -> "asyncio.Future[Heads]":
        return self._links.begin(self._heads(place, [*run_ids]))

    async def _heads(self, place: int, run_ids: Sequence[str]) -> Heads:
        """Return where the unfinished runs are, and note it for those whose changes arrive."""
        subscribed, heads = self._wakeups.subscribed(run_ids), dict[str, int]()
        commands = [head_command(self._scripts, run_id) for run_id in run_ids]
        replies = await self._links.reader.ask(*commands)
        for run_id, followed, (seq, messages, ended_at) in zip(
            run_ids, subscribed, replies, strict=True
        ):
            is_over = ended_at is not None or (seq is None and run_id != QUEUE)
            known = (math.inf, math.inf) if is_over else (int(seq or 0), int(messages or 0))
            if followed is not None and followed.is_subscribed:
                followed.note(*known)
                followed.is_sure = True
            if not is_over:
                heads[run_id] = int(known[place])
        self._reads.forget_all()
        return heads
