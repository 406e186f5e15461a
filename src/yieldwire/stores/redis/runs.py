"""Runs: reading them, and writing the steps in their lives.

A step is decided in Python, from the run as it was read, and written by one script if the run is
still the same; otherwise it is decided again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias, cast

from yieldwire.errors import Conflict, NotFound, StoreError
from yieldwire.log.delivery import deliveries_of
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import REVOCATION_SECONDS, Query, no_such_run
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import (
    Kept,
    changed_fields,
    delivery_fields,
    entry_of,
    number,
    pairs,
    to_record,
)
from yieldwire.stores.redis.scripts import Argument, RedisCommand, Scripts

logger: Final = logging.getLogger("yieldwire.worker")

Decision: TypeAlias = tuple[RunRecord, Block | None]
Decide: TypeAlias = Callable[[Kept], Decision]
Lease: TypeAlias = float | Literal["keep"] | None
"""Seconds of a new lease, the one that there is, or none. A run that waits in a queue has none."""

TRIES: Final = 100
"""How often a step is decided; others change a run a few times in its life."""
SLACK_SECONDS: Final = 86_400
"""How long after its retention an ended run expires, if no process was there to purge it."""
_MOST_SECONDS: Final = 1_000_000_000
_DUE: Final = 500
"""How many runs a sweep or a purge takes at once."""
_LEAST: Final = 10
_PAGE: Final = 200
"""How many runs a search reads at once."""
_LIVE: Final = frozenset({Status.PENDING, Status.RUNNING})


class RunKeys:
    """The hashes of the runs, and their indexes."""

    def __init__(self, links: RedisLinks, scripts: Scripts) -> None:
        self._links, self._scripts = links, scripts
        self._damaged = set[str]()

    async def kept(self, run_id: str) -> Kept:
        """Return a run as it is.

        Raises:
            NotFound: If there is no such run.
        """
        run = self._scripts.key("run:", run_id)
        reply, time = await self._links.writer.ask((b"HGETALL", run), (b"TIME",))
        if not reply:
            raise no_such_run(run_id)
        fields = pairs(reply)
        record, fingerprint = to_record(run_id, fields), fields[b"fingerprint"].decode()
        return Kept(record, fields[b"version"], fingerprint, self._scripts.now(time))

    async def step(self, run_id: str, decide: Decide, lease: Lease = "keep") -> RunRecord:
        """Write what ``decide`` returns, and return the run.

        Raises:
            NotFound: If there is no such run.
            StoreError: If the run is changed all the time.
        """
        return cast("RunRecord", await self._step(run_id, decide, lease, ""))

    async def _step(
        self, run_id: str, decide: Decide, lease: Lease, index: str
    ) -> RunRecord | None:
        """Take a step; ``None``: the run is not due in ``index``, if that is given."""
        for _ in range(TRIES):
            kept = await self.kept(run_id)
            run, block = decide(kept)
            if run is kept.record and lease == "keep":
                return run
            command = self._command(kept, run, block, lease, index)
            outcome, *rest = await self._links.writer.finish(command)
            if outcome == b"ok":
                return run.changed(first_seq=int(rest[0]))
            if outcome == b"missing":
                raise no_such_run(run_id)
            if outcome == b"early":
                return None
        raise StoreError(f"Run {run_id} is being changed all the time.")

    def _command(
        self, kept: Kept, run: RunRecord, block: Block | None, lease: Lease, index: str
    ) -> RedisCommand:
        expires = min(run.retention + SLACK_SECONDS, _MOST_SECONDS)
        entry: Sequence[Argument] = ("", "", "", "")
        if block is not None:
            entry = (block.last, *entry_of(block))
        fields = changed_fields(run)
        return self._scripts.call(
            "step",
            run.id,
            kept.version,
            "" if block is None else kept.record.seq,
            index,
            _lease_of(run, lease),
            run.quota_key,
            "ended" if run.status.is_terminal else "closing" if run.cancel_reason else "open",
            number(run.retention),
            int(expires),
            *entry,
            len(fields) // 2,
            *fields,
            *delivery_fields(deliveries_of(run, block)),
        )

    async def step_due(
        self, index: str, decide: Decide, *, lease: Lease = "keep"
    ) -> list[RunRecord]:
        """Take one step for each run that is due in an index, and return those that took it."""
        command = self._scripts.call("due", index, _DUE, number(REVOCATION_SECONDS))
        run_ids = [each.decode() for each in await self._links.writer.finish(command)]
        take = partial(self._step_alone, decide=decide, lease=lease, index=index)
        steps = await asyncio.gather(*map(take, run_ids))
        return [run for run in steps if run is not None]

    async def _step_alone(
        self, run_id: str, *, decide: Decide, lease: Lease, index: str
    ) -> RunRecord | None:
        """Take a step, unless the run is damaged or lost, which does not affect the others."""
        try:
            return await self._step(run_id, decide, lease, index)
        except NotFound:
            await self._links.writer.ask(
                (b"ZREM", self._scripts.key(index), run_id),
                (b"HDEL", self._scripts.key("taken"), run_id),
            )
        except StoreError as exc:
            if exc.retryable:
                raise
            self._note_damaged(run_id, exc)
        return None

    async def forget(self, run_id: str) -> None:
        """Delete a run that has ended, with its deliveries.

        Raises:
            NotFound: If there is no such run.
            Conflict: If it has not ended.
        """
        outcome = await self._links.writer.finish(self._scripts.call("forget", run_id, "now"))
        if outcome == b"missing":
            raise no_such_run(run_id)
        if outcome == b"alive":
            raise Conflict(f"Run {run_id} has not ended; cancel it first.")

    async def forget_expired(self) -> list[str]:
        """Delete the runs past their retention, and return their ids."""
        writer = self._links.writer
        expired = await writer.finish(self._scripts.call("expired", _DUE))
        if not expired:
            return []
        forget = [self._scripts.call("forget", run_id, "due") for run_id in expired]
        outcomes = await self._links.whole(writer.ask(*forget))
        return [
            run_id.decode()
            for run_id, outcome in zip(expired, outcomes, strict=True)
            if outcome == b"ok"
        ]

    async def asked_to_stop(self, run_ids: Collection[str]) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those among these that must."""
        if not run_ids:
            return {}
        ids = [*run_ids]
        keys = (self._scripts.key("run:", run_id) for run_id in ids)
        commands = [(b"HMGET", key, b"cancel_reason", b"ended_at") for key in keys]
        replies = await self._links.reader.ask(*commands)
        return {
            run_id: reason.decode()
            for run_id, (reason, ended_at) in zip(ids, replies, strict=True)
            if reason is not None and ended_at is None
        }

    def _note_damaged(self, run_id: str, exc: StoreError) -> None:
        if run_id not in self._damaged:  # logged once
            self._damaged.add(run_id)
            logger.error("a run in Redis is damaged and is ignored: %s", exc)

    async def find(self, query: Query) -> list[RunRecord]:
        """Return the matching runs, newest first, without damaged ones."""
        below: bytes | None = b"+inf"
        if query.before is not None:
            score = (b"ZSCORE", self._scripts.key("runs"), query.before)
            (below,) = await self._links.reader.ask(score)
        found, index = list[RunRecord](), self._index_for(query)
        while below is not None and len(found) < query.limit:
            count = max(_LEAST, min(_PAGE, query.limit - len(found)))
            page = (index, b"(" + below, b"-inf", b"WITHSCORES", b"LIMIT", 0, count)
            (listed,) = await self._links.reader.ask((b"ZREVRANGEBYSCORE", *page))
            runs = await self._listed(index, [each.decode() for each in listed[::2]])
            found += [run for run in runs if query.matches(run)]
            below = listed[-1] if len(listed) == 2 * count else None
        return found[: query.limit]

    def _index_for(self, query: Query) -> str:
        """Return the key of the shortest index that has all matching runs."""
        if query.parent is not None:
            return self._scripts.key("parent:", query.parent)
        if query.status in _LIVE:
            return self._scripts.key("live")
        if query.everyone:
            return self._scripts.key("runs")
        if query.owner is None:
            return self._scripts.key("ownerless")
        return self._scripts.key("owner:", query.owner)

    async def _listed(self, index: str, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return the runs of a part of an index, which loses those that are gone."""
        if not run_ids:
            return []
        hashes = [(b"HGETALL", self._scripts.key("run:", run_id)) for run_id in run_ids]
        runs, gone = list[RunRecord](), list[str]()
        for run_id, reply in zip(run_ids, await self._links.reader.ask(*hashes), strict=True):
            if not reply:
                gone.append(run_id)
                continue
            try:
                runs.append(to_record(run_id, pairs(reply)))
            except StoreError as exc:
                self._note_damaged(run_id, exc)
        if gone:
            await self._links.writer.finish((b"ZREM", index, *gone))
        return runs


def _lease_of(run: RunRecord, lease: Lease) -> str:
    if isinstance(lease, str):
        return lease
    if lease is None:
        return ""
    return "queue" if run.is_queued else number(lease)
