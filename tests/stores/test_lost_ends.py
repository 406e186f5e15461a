"""A store that has lost the end of a run's log: readers and writers are told, on every way."""

import asyncio
import re
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_core import from_json

from tests.support.calls import Call, get, post, send
from tests.support.line import Line
from tests.support.postgres import PostgresServer
from tests.support.valkey import RedisServer
from tests.support.world import ALICE, NDJSON, SSE, WHOLE, opened, world
from yieldwire import Actions
from yieldwire.errors import AppendConflict, Fenced, ForeignCursor, StoreError
from yieldwire.log.cursor import Cursor, mark_of
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.redis import RedisStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import chunks, claimed, ending, log_of

Lose = Callable[[], Awaitable[None]]
Keep = Callable[[], Awaitable[Lose]]
Place = tuple[Callable[[], RunStore], Keep]
"""Where runs are: what opens it, and what keeps a copy of it, to which it can fall back."""


@asynccontextmanager
async def in_a_replica() -> AsyncGenerator[Place]:
    """Valkey, whose replica is promoted after it was cut off."""
    with RedisServer("--repl-diskless-sync-delay", "0") as primary, RedisServer() as replica:
        async with Line(primary.port) as line, Line(primary.port) as replication:

            async def keep() -> Lose:
                follow = ("replicaof", "127.0.0.1", str(replication.port))
                await asyncio.to_thread(replica.ask, *follow)
                await asyncio.to_thread(primary.ask, "wait", "1", "20000")
                replication.freeze()
                return fail_over

            async def fail_over() -> None:
                primary.kill()
                await asyncio.to_thread(replica.ask, "replicaof", "no", "one")
                line.target = replica.port

            yield lambda: RedisStore(f"redis://127.0.0.1:{line.port}"), keep


@asynccontextmanager
async def in_a_dump() -> AsyncGenerator[Place]:
    """Valkey, which is started again with an older dump."""
    with RedisServer() as server:

        async def keep() -> Lose:
            await asyncio.to_thread(server.ask, "save")
            return lose

        async def lose() -> None:
            server.restart()

        yield lambda: RedisStore(server.url), keep


@asynccontextmanager
async def in_postgres() -> AsyncGenerator[Place]:
    """PostgreSQL, whose data are restored."""
    server = PostgresServer()
    server.start()
    try:
        data = server.folder / "data"

        async def keep() -> Lose:
            server.stop()
            await asyncio.to_thread(_copy, data, server.folder / "copy")
            server.start()
            return lose

        async def lose() -> None:
            server.stop()
            data.rename(server.folder / "lost")
            (server.folder / "copy").rename(data)
            server.start()

        yield lambda: PostgresStore(server.dsn(), timeout=5.0), keep
    finally:
        server.delete()


def _copy(folder: Path, to: Path) -> None:
    subprocess.run(["/bin/cp", "-a", folder, to], check=True)  # with its owner


PLACES = {"replica": in_a_replica, "dump": in_a_dump, "postgres": in_postgres}


@pytest.fixture(params=[*PLACES])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with PLACES[request.param]() as place:
        yield place


def written(run: RunRecord, first: int, count: int, at: float) -> Block:
    return replace(chunks(run.id, first, count, text=f"at {at}"), at=at)


async def fall_back(store: RunStore, run: RunRecord, lose: Lose) -> RunRecord:
    """Lose events 3 and 4, and let another attempt write others in their places."""
    await lose()
    with pytest.raises(AppendConflict, match="at seq 2, not at 4; the store has lost"):
        await eventually(lambda: append(store, run, written(run, 5, 1, 13.0)))
    await store.restart(run.id, fence=run.fence, delay=0.0)
    again = await store.claim(run.id, lease=60.0)
    await append(store, again, written(run, 4, 3, 14.0))
    with pytest.raises(Fenced):
        await append(store, run, written(run, 7, 1, 13.0))
    return again


async def append(store: RunStore, run: RunRecord, block: Block) -> int:
    return await store.append(run.id, block, after=block.first - 1, fence=run.fence)


async def eventually(call: Callable[[], Awaitable[int]]) -> int:
    """Call until the server can be reached, and return or raise what comes then."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await call()
            except StoreError as exc:
                if not exc.retryable:
                    raise
                await asyncio.sleep(0.02)


def ways(run_id: str, cursor: str) -> dict[str, Call]:
    """Return every request that names a place in a log."""
    header, events = ("last-event-id", cursor), f"/runs/{run_id}/events"
    return {
        "events": get(events, [*ALICE, SSE, header]),
        "lines": get(f"{events}?after={cursor}", [*ALICE, NDJSON]),
        "poll": get(f"/runs/{run_id}?after={cursor}", ALICE),
        "held poll": get(f"/runs/{run_id}?after={cursor}&wait=20", ALICE),
        "repeated start": post("/say", {}, [*ALICE, SSE, header]),
        "whole answer": post("/say", {}, [*ALICE, WHOLE, header]),
    }


async def answers(site: Actions, run_id: str, cursor: Cursor) -> dict[str, int]:
    calls = ways(run_id, str(cursor))
    return {name: await answer(site, call) for name, call in calls.items()}


async def answer(site: Actions, call: Call) -> int:
    """Return the status of an answer that the store did not fail."""
    while (status := (await send(site, call)).status) == 503:  # noqa: ASYNC110 - the store says when
        await asyncio.sleep(0.02)
    return status


async def test_a_place_whose_event_was_lost_is_gone_on_every_way(place: Place) -> None:
    open_store, keep = place
    writer, reader = open_store(), open_store()
    async with opened(world(store=writer)), opened(world(store=reader)) as site:
        run = await claimed(writer, action="say", owner="alice", lease=60.0, retries=1)
        await append(writer, run, written(run, 1, 2, 11.0))
        lose = await keep()
        await eventually(lambda: append(writer, run, written(run, 3, 2, 12.0)))
        following = site.app.reader(run.id).pages(0, tick=20.0)
        async with aclosing(following), asyncio.timeout(60):
            seqs = [block.last for block in await eventually_next(following)]
            assert seqs[-1] == 4

            again = await fall_back(writer, run, lose)

            # Of what was read before, 1 and 2 are still there; 3 and 4 are other events now.
            with pytest.raises(ForeignCursor, match="has lost its end"):
                await eventually_next(following)
            for seq in (3, 4):
                lost = Cursor(run.id, seq, mark_of(12.0))
                assert set((await answers(site, run.id, lost)).values()) == {410}
        await append(writer, again, ending(run.id, 7))
        for seq, at in ((2, 11.0), (4, 14.0)):
            kept = await answers(site, run.id, Cursor(run.id, seq, mark_of(at)))
            assert set(kept.values()) == {200}
        over = get(f"/runs/{run.id}/events", [*ALICE, SSE, ("last-event-id", f"{run.id}.7")])
        assert (await send(site, over)).status == 204


async def eventually_next(pages: AsyncGenerator[Sequence[Block], None]) -> Sequence[Block]:
    while not (page := await anext(pages)):
        pass
    return page


async def test_a_place_whose_event_is_not_in_a_restored_file_is_gone(tmp_path: Path) -> None:
    path, copy = tmp_path / "runs.db", tmp_path / "copy.db"
    async with opened(world(store=SQLiteStore(path))) as site:
        store = site.app.store
        run = await claimed(store, action="say", owner="alice", lease=60.0, retries=1)
        await append(store, run, written(run, 1, 2, 11.0))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        await append(store, run, written(run, 3, 2, 12.0))

    async with opened(world(store=SQLiteStore(copy))) as site:
        await append(site.app.store, run, written(run, 3, 2, 13.0))

        for seq, at, status in ((3, 12.0, 410), (4, 12.0, 410), (2, 11.0, 200)):
            poll = ways(run.id, str(Cursor(run.id, seq, mark_of(at))))["poll"]
            assert (await send(site, poll)).status == status


async def test_every_cursor_of_a_store_that_outlives_its_process_has_its_events_mark(
    tmp_path: Path,
) -> None:
    async with opened(world(store=SQLiteStore(tmp_path / "runs.db"))) as site:
        run_id = (await send(site, post("/say", {}, [*ALICE, SSE]))).headers["run-id"]
        events = await log_of(site.app.store, run_id)
        cursors = [str(Cursor(run_id, event.seq, mark_of(event.at))) for event in events]
        start = ways(run_id, f"{run_id}.0")

        frames, lines, poll = [await send(site, start[way]) for way in ("events", "lines", "poll")]

    assert re.findall(rb"^id: (\S+)$", frames.body, re.MULTILINE) == [
        f"{run_id}.0".encode(),
        *(cursor.encode() for cursor in cursors),
    ]
    told = [from_json(line) for line in lines.body.splitlines()]
    assert [f"{run_id}.{line['seq']}.{line['mark']}" for line in told] == cursors
    assert poll.json()["cursor"] == cursors[-1]
