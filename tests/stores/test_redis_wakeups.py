"""Readers of the Redis store, in however many processes: one connection listens for all of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.valkey import RedisServer
from yieldwire.errors import NotFound
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.stores.redis import RedisStore, wakeups
from yieldwire.stores.redis.server import next_reply
from yieldwire.testing.contract.harness import SOON, claimed, ending

RUNS = 500
READERS = 4
EVENTS = 30


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
async def pair(server: RedisServer) -> AsyncIterator[tuple[RedisStore, RedisStore]]:
    """Two stores, as two processes have them."""
    stores = RedisStore(server.url), RedisStore(server.url)
    yield stores
    for store in stores:
        await store.close()


async def read_first(store: RedisStore, run_id: str, after: int = 0) -> None:
    """Wait for the first event after ``after``."""
    while not await store.read(run_id, after, wait=10 * SOON):
        pass


async def append(store: RedisStore, run: RunRecord, after: int = 0, size: int = 1) -> None:
    block = Block.of_chunks(run.id, after + 1, [b'"%b"' % (b"x" * size)])
    await store.append(run.id, block, after=after, fence=run.fence)


async def counted(server: RedisServer, section: str, name: str) -> int:
    return int((await asyncio.to_thread(server.facts, section))[name])


async def subscribed(server: RedisServer, channels: int) -> None:
    """Return when the server has that many channels."""
    async with asyncio.timeout(SOON):
        while await counted(server, "stats", "pubsub_channels") != channels:  # noqa: ASYNC110 - the server says when
            await asyncio.sleep(0.01)


async def test_thousands_of_readers_share_one_connection_and_block_no_client(
    server: RedisServer, pair: tuple[RedisStore, RedisStore]
) -> None:
    writer, reader = pair
    runs = await asyncio.gather(*(claimed(writer) for _ in range(RUNS)))

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for run in runs * READERS:
            group.create_task(read_first(reader, run.id))
        await subscribed(server, RUNS)
        clients = await asyncio.to_thread(server.facts, "clients")
        for run in runs:
            group.create_task(append(writer, run))

    assert (clients["blocked_clients"], clients["pubsub_clients"]) == ("0", "1")
    assert int(clients["connected_clients"]) == 4  # writes, reads, listens; and this question


async def test_readers_in_the_process_that_writes_read_from_its_memory(
    server: RedisServer, pair: tuple[RedisStore, RedisStore]
) -> None:
    store, _ = pair
    run = await claimed(store)
    await store.read(run.id, 0, wait=0.01)  # it listens from now on
    await asyncio.to_thread(server.ask, "config", "resetstat")

    await trickle(server, run, store, store)

    assert "cmdstat_xrange" not in await asyncio.to_thread(server.facts, "commandstats")


async def test_a_trickled_event_reaches_the_readers_in_other_processes_without_a_read(
    server: RedisServer, pair: tuple[RedisStore, RedisStore]
) -> None:
    writer, reader = pair
    run = await claimed(writer)

    await trickle(server, run, writer, reader)

    assert "cmdstat_xrange" not in await asyncio.to_thread(server.facts, "commandstats")


async def test_a_large_event_costs_another_process_about_one_read_however_many_readers(
    server: RedisServer, pair: tuple[RedisStore, RedisStore]
) -> None:
    writer, reader = pair
    run = await claimed(writer)

    await trickle(server, run, writer, reader, size=4096)

    reads = (await asyncio.to_thread(server.facts, "commandstats"))["cmdstat_xrange"]
    assert int(reads.partition("calls=")[2].partition(",")[0]) <= 2 * EVENTS


async def test_announced_events_are_not_read_once_the_run_is_deleted(
    server: RedisServer,
    pair: tuple[RedisStore, RedisStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeups, "_IDLE_SECONDS", 10 * SOON)
    writer, reader = pair
    run = await claimed(writer)
    await trickle(server, run, writer, reader)
    await writer.append(run.id, ending(run.id, EVENTS + 1), after=EVENTS, fence=run.fence)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(follow(reader, run.id, EVENTS + 1))

    await writer.purge(run.id)

    with pytest.raises(NotFound, match="There is no run"):
        await read_until_gone(reader, run.id)


async def read_until_gone(store: RedisStore, run_id: str) -> None:
    """Read until the news that the run is deleted has arrived."""
    async with asyncio.timeout(SOON):
        while True:
            await store.read(run_id, 0)
            await asyncio.sleep(0)


async def trickle(
    server: RedisServer, run: RunRecord, writer: RedisStore, reader: RedisStore, size: int = 1
) -> None:
    """Append event after event, while others follow them."""
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(follow(reader, run.id, EVENTS))
        await subscribed(server, 1)
        for seq in range(EVENTS):
            await append(writer, run, seq, size)


async def follow(store: RedisStore, run_id: str, upto: int) -> None:
    """Read up to an event."""
    after = 0
    while after < upto:
        for block in await store.read(run_id, after, wait=10 * SOON):
            after = block.last


async def test_a_run_that_nobody_waits_for_is_followed_no_longer(
    server: RedisServer,
    pair: tuple[RedisStore, RedisStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeups, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(wakeups, "_TURN_SECONDS", 0.02)
    writer, reader = pair
    run = await claimed(writer)

    assert await reader.read(run.id, 0, wait=0.01) == ()

    await subscribed(server, 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(read_first(reader, run.id))
        await subscribed(server, 1)
        await append(writer, run)


async def test_readers_are_woken_after_a_time_in_which_nothing_was_followed(
    server: RedisServer,
    pair: tuple[RedisStore, RedisStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeups, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(wakeups, "_TURN_SECONDS", 0.01)
    writer, reader = pair
    run = await claimed(writer)
    assert await reader.read(run.id, 0, wait=0.01) == ()
    await subscribed(server, 0)
    async with asyncio.timeout(SOON):
        while "cmdstat_ping" not in await asyncio.to_thread(server.facts, "commandstats"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # the answer is read

        async with asyncio.TaskGroup() as group:
            group.create_task(read_first(reader, run.id))
            await subscribed(server, 1)
            await append(writer, run)


async def test_a_connection_that_has_gone_silent_is_opened_again(
    server: RedisServer,
    pair: tuple[RedisStore, RedisStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wakeups, "_TURN_SECONDS", 0.01)
    writer, reader = pair
    run = await claimed(writer)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(read_first(reader, run.id))
        await subscribed(server, 1)
        server.freeze()
        await asyncio.sleep(0.2)  # longer than the server can be silent
        server.thaw()
        await append(writer, run)


async def test_a_run_that_this_process_writes_is_followed_no_longer_once_nobody_waits(
    server: RedisServer, pair: tuple[RedisStore, RedisStore]
) -> None:
    store, _ = pair
    run = await claimed(store)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(read_first(store, run.id))
        await subscribed(server, 1)
        await append(store, run)

    await asyncio.sleep(2 * wakeups.OWN_SECONDS)
    await append(store, run, after=1)
    await subscribed(server, 0)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(read_first(store, run.id, after=2))
        await subscribed(server, 1)
        await append(store, run, after=2)


async def test_a_message_that_comes_while_an_own_event_is_on_its_way_is_delivered_at_once(
    server: RedisServer, pair: tuple[RedisStore, RedisStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = pair
    run, is_late = await claimed(store), asyncio.Event()

    async def late(*of: Any, **within: Any) -> Any:  # noqa: ANN401 - as the real one
        reply = await next_reply(*of, **within)
        await is_late.wait()
        return reply

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(store.inbox(run.id, 0, wait=10 * SOON))
        await subscribed(server, 1)
        await append(store, run)
        monkeypatch.setattr("yieldwire.stores.redis.link.next_reply", late)
        group.create_task(append(store, run, after=1))
        await asyncio.sleep(0.05)
        monkeypatch.undo()
        await other.send(run.id, Message(0, b"1"), most=1, most_bytes=1)

        # The reading connection answers, and only the reply to the event is late.
        assert [message.data for message in await waiting] == [b"1"]
        is_late.set()
