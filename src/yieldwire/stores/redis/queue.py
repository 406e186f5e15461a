"""Queues in which runs wait for a worker."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from pydantic_core import from_json

from yieldwire.log.run import RunRecord
from yieldwire.stores.line import Line, QueuedGroup, QueuedPlace
from yieldwire.stores.queue import NO_SLOTS, Slots, Waiting, next_in_line
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import number, pairs, to_record
from yieldwire.stores.redis.scripts import Scripts
from yieldwire.stores.redis.waits import QUEUE, RedisWaits


class RedisQueue:
    """The part of a Redis store that gives runs to workers.

    Who is next is decided in Python, from the line as it was read. The run is given if nothing
    was taken since; otherwise it is decided again.
    """

    _links: RedisLinks
    _scripts: Scripts
    _waits: RedisWaits

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        """Give the run that is next in line to the caller."""
        if not queues:
            return None
        run, queued = await self._take(queues, slots, lease)
        if run is None and wait > 0:
            await self._waits.wait(self._waits.takers, QUEUE, queued, wait)
            run, _ = await self._take(queues, slots, lease)
        return run

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        look = self._scripts.call("places", queue, *run_ids)
        return _line(*await self._links.writer.finish(look))

    async def _take(
        self, queues: Collection[str], slots: Mapping[str, Slots], lease: float
    ) -> tuple[RunRecord | None, int]:
        """Take a run; also return how many were queued when it was decided which."""
        while True:
            look = self._scripts.call("line", *queues)
            takes, queued, taken, groups = await self._links.writer.finish(look)
            next_run = _next(taken, groups, slots)
            if next_run is None:
                return None, int(queued)
            take = self._scripts.call("take", next_run, takes, number(lease))
            reply = await self._links.writer.finish(take)
            if reply is not None:
                return to_record(next_run.decode(), pairs(reply)), int(queued)


def _line(groups: list[Any], since: list[Any], taken: list[bytes], places: list[Any]) -> Line:
    """Return the reply of the script ``places`` as a line."""
    merged = dict[tuple[str, int], QueuedGroup]()
    for name, size, first in groups:
        _, caller, priority = from_json(name)
        number = int(float(first))
        known = merged.get((caller, priority)) or QueuedGroup(caller, priority, 0, number)
        merged[caller, priority] = QueuedGroup(
            caller, priority, known.size + size, min(known.first, number)
        )
    found = dict[str, QueuedPlace]()
    for run_id, name, number, rank in places:
        _, caller, priority = from_json(name)
        found[run_id.decode()] = QueuedPlace(caller, priority, int(float(number)), rank)
    callers = Counter(from_json(place)[1] for place in taken)
    times = [float(time) for time in since if time is not None]
    return Line([*merged.values()], callers, found, max(times, default=None))


def _next(taken: list[bytes], groups: list[Any], slots: Mapping[str, Slots]) -> bytes | None:
    """Return the id of the run that is next in line."""
    places = Counter((action, caller) for action, caller in map(from_json, taken))
    waiting = dict[Waiting, bytes]()
    for group, created, run_id in groups:
        action, caller, priority = from_json(group)
        waiting[Waiting(action, caller, priority, int(float(created)))] = run_id
    found = next_in_line(waiting, places, slots)
    return None if found is None else waiting[found]
