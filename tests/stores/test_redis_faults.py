"""What the Redis store does when its server is restarted, full, frozen, demoted or forgetful."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import pytest

from tests.support.valkey import RedisServer
from yieldwire.errors import Fenced, ForeignCursor, NotFound, StoreError
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission, Query
from yieldwire.stores.queue import Slots
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract.harness import (
    SOON,
    chunks,
    claimed,
    finish,
    finished,
    log_of,
    raises,
    record,
)

T = TypeVar("T")

SERVER_SECONDS = 0.3
"""How long the stores of these tests wait for their server."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@asynccontextmanager
async def opened(server: RedisServer, *, timeout: float = SOON) -> AsyncGenerator[RedisStore]:
    store = RedisStore(server.url, timeout=timeout)
    try:
        yield store
    finally:
        await store.close()


async def told(server: RedisServer, *command: str) -> str:
    """Give the server a command, as an administrator does."""
    return await asyncio.to_thread(server.ask, *command)


async def write_on(store: RedisStore, run: RunRecord, after: int, upto: int) -> None:
    """Append event after event, each until the store has it."""
    async with asyncio.timeout(SOON):
        while after < upto:
            try:
                block = chunks(run.id, after + 1, 1)
                after = await store.append(run.id, block, after=after, fence=run.fence)
            except StoreError as exc:
                if not exc.retryable:
                    raise
                await asyncio.sleep(0.01)


async def follow(store: RedisStore, run: RunRecord, upto: int) -> list[int]:
    """Return the seqs that a reader gets, who looks again when the store fails."""
    seqs: list[int] = []
    async with asyncio.timeout(2 * SOON):
        while not seqs or seqs[-1] < upto:
            try:
                page = await store.read(run.id, seqs[-1] if seqs else 0, wait=10 * SOON)
            except StoreError:
                await asyncio.sleep(0.01)
                continue
            seqs += [event.seq for block in page for event in block.events()]
    return seqs


async def test_a_restart_loses_nothing_that_was_acknowledged() -> None:
    with RedisServer("--appendonly", "yes", "--appendfsync", "always") as server:
        async with opened(server) as writer, opened(server) as reader:
            run = await claimed(writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(write_on(writer, run, 0, 300))
                following = group.create_task(follow(reader, run, 300))
                for _ in range(3):
                    await until(lambda: has_seq(reader, run, 20))
                    await asyncio.to_thread(server.restart)

            assert following.result() == [*range(1, 301)]
            assert [event.seq for event in await log_of(reader, run.id)] == [*range(1, 301)]


async def has_seq(store: RedisStore, run: RunRecord, seq: int) -> bool:
    try:
        return (await store.get(run.id)).seq >= seq
    except StoreError:
        return False


async def until(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer is not empty, and return it."""
    async with asyncio.timeout(SOON):
        while not (answer := await ask()):  # noqa: ASYNC110 - the server says when
            await asyncio.sleep(0.01)
    return answer


async def test_a_server_that_forgot_everything_is_not_guessed_over(server: RedisServer) -> None:
    async with opened(server) as writer, opened(server) as reader:
        run = await claimed(writer)
        await writer.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(gone(reader, run, after=2))
            await asyncio.sleep(0.05)

            await asyncio.to_thread(server.restart)

        assert waiting.result()
        with raises(NotFound):
            await writer.append(run.id, chunks(run.id, 3, 1), after=2, fence=run.fence)
        with raises(NotFound):
            await writer.read(run.id, 2)
        with raises(NotFound):
            await reader.read(run.id, 0)
        assert await reader.find(Query(everyone=True)) == []


async def gone(store: RedisStore, run: RunRecord, after: int) -> bool:
    """Wait until a waiting reader is told that its run is gone."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                assert await store.read(run.id, after, wait=10 * SOON) == ()
            except NotFound:
                return True
            except StoreError:
                await asyncio.sleep(0.01)


async def test_a_cursor_beyond_what_an_older_copy_has_is_foreign(server: RedisServer) -> None:
    async with opened(server) as writer, opened(server) as reader:
        run = await claimed(writer)
        await writer.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        assert await told(server, "save") == "OK"
        await writer.append(run.id, chunks(run.id, 3, 2), after=2, fence=run.fence)

        await asyncio.to_thread(server.restart)

        with raises(ForeignCursor):
            await reader.read(run.id, 4)
        with raises(ForeignCursor):
            await writer.read(run.id, 4)
        assert [event.seq for event in await log_of(reader, run.id)] == [1, 2]
        with pytest.raises(StoreError, match="is at seq 2, not at 4"):
            await writer.append(run.id, chunks(run.id, 5, 1), after=4, fence=run.fence)


async def test_a_paused_server_delays_writes_and_no_reads(server: RedisServer) -> None:
    async with opened(server, timeout=SERVER_SECONDS) as store:
        run = await claimed(store)
        await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await told(server, "client", "pause", "60000", "write")

        with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:\d+: .*in time"):
            await store.append(run.id, chunks(run.id, 2, 1), after=1, fence=run.fence)
        async with opened(server) as other:
            assert [event.seq for event in await log_of(other, run.id)] == [1]
            assert (await other.get(run.id)).status is Status.RUNNING

        await told(server, "client", "unpause")
        await write_on(store, run, 1, 3)
        assert [event.seq for event in await log_of(store, run.id)] == [1, 2, 3]


async def test_a_full_server_keeps_no_half_of_anything(server: RedisServer) -> None:
    async with opened(server) as store:
        run = await claimed(store, webhooks=("https://a.example/hook",))
        await store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        before, log = await store.get(run.id), await log_of(store, run.id)
        await told(server, "config", "set", "maxmemory", "1mb")

        for attempt in (
            store.append(run.id, chunks(run.id, 3, 1), after=2, fence=run.fence),
            finish(store, run, after=2),
            store.create(record(), Admission(key="k", feed="f")),
            store.request_cancel(run.id, "requested"),
        ):
            with pytest.raises(StoreError, match=r"maxmemory.*Give the server more memory"):
                await attempt

        assert (await store.get(run.id), await log_of(store, run.id)) == (before, log)
        assert await store.find(Query(everyone=True)) == [before]
        await told(server, "config", "set", "maxmemory", "0")
        await write_on(store, run, 2, 4)
        await finish(store, run, after=4)
        assert [event.seq for event in await log_of(store, run.id)] == [1, 2, 3, 4, 5]
        assert len(await store.due(limit=10, lease=1.0)) == 1


async def test_runs_that_the_server_evicted_are_lost_and_not_started_again(
    server: RedisServer,
) -> None:
    async with opened(server) as store:
        admission = Admission(key="k", fingerprint="f")
        run = await store.create(record(), admission)
        run = await store.claim(run.id, lease=None)
        await store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        other = await finished(store)
        await told(server, "del", f"{{yieldwire}}:log:{other.id}")  # as an eviction does
        await told(server, "del", f"{{yieldwire}}:run:{run.id}")

        with pytest.raises(StoreError, match=f"{run.id} of this key is lost.*noeviction") as lost:
            await store.create(record(), admission)
        assert not lost.value.retryable
        async with opened(server) as reader:
            for gone in (run, other):
                with raises(NotFound):
                    await reader.read(gone.id, 0)
            assert [each.id for each in await reader.find(Query(everyone=True))] == [other.id]
        with raises(NotFound):
            await store.append(run.id, chunks(run.id, 3, 1), after=2, fence=run.fence)


async def test_a_log_that_the_server_evicted_is_not_continued(server: RedisServer) -> None:
    async with opened(server) as store:
        run = await claimed(store)
        await store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        await told(server, "del", f"{{yieldwire}}:log:{run.id}")

        with pytest.raises(StoreError, match=r"log of run .* is lost"):
            await store.append(run.id, chunks(run.id, 3, 1), after=2, fence=run.fence)

        assert (await store.get(run.id)).seq == 2


async def test_runs_that_the_server_evicted_take_no_place_of_others(server: RedisServer) -> None:
    clock = MovingClock()
    store = RedisStore(server.url, clock=clock)
    one, most = Admission(action_limit=1), {"count": Slots(total=1)}
    evicted = [
        await store.create(record(queue="slow", quota_key=f"u{n}", not_before=time), one)
        for n, time in enumerate((None, None, clock.now() + 5.0))
    ]
    assert await store.take(["slow"], slots=most, lease=5.0) == evicted[0]
    for run in evicted:
        await told(server, "del", f"{{yieldwire}}:run:{run.id}")
    clock.advance(10.0)

    assert await store.sweep() == []
    assert await store.take(["slow"], slots=most, lease=5.0) is None
    again = await store.create(record(queue="slow", quota_key="u0"), one)

    assert await store.take(["slow"], slots=most, lease=5.0) == again
    await store.close()


@pytest.mark.parametrize("policy", ["allkeys-lru", "noeviction"])
async def test_a_server_that_can_evict_is_warned_of_once(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer("--maxmemory", "50mb", "--maxmemory-policy", policy) as server:
        async with opened(server) as store:
            await store.open()
            for _ in range(3):  # the check is made next to the first calls
                await store.find(Query(everyone=True))

    warnings = [each for each in caplog.messages if "maxmemory-policy" in each]
    assert len(warnings) == (policy != "noeviction")
    assert all(f"is {policy}; set it to noeviction" in each for each in warnings)


async def test_a_replica_is_said_to_be_one(server: RedisServer) -> None:
    async with opened(server) as store:
        run = await claimed(store)
        await told(server, "replicaof", "127.0.0.1", "1")

        with pytest.raises(StoreError, match="replica; name the primary"):
            await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

        await told(server, "replicaof", "no", "one")
        await write_on(store, run, 0, 1)
        assert [event.seq for event in await log_of(store, run.id)] == [1]


async def test_a_worker_whose_server_froze_longer_than_its_lease_changes_nothing(
    server: RedisServer,
) -> None:
    async with opened(server, timeout=SERVER_SECONDS) as zombie, opened(server) as other:
        run = await claimed(zombie, lease=0.2, retries=1, linger=None)
        await zombie.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        server.freeze()
        try:
            with pytest.raises(StoreError, match="in time"):
                await zombie.append(run.id, chunks(run.id, 2, 1), after=1, fence=run.fence)
        finally:
            server.thaw()
        (swept,) = await until(other.sweep)
        again = await other.claim(run.id, lease=30)

        with raises(Fenced):
            await zombie.append(run.id, chunks(run.id, 2, 1), after=1, fence=run.fence)
        with raises(Fenced):
            await zombie.heartbeat(run.id, fence=run.fence, lease=30)
        seq = swept.seq
        await other.append(again.id, chunks(run.id, seq + 1, 1), after=seq, fence=again.fence)

        # What the zombie sent before the freeze can be there, once, before the restart.
        types = [event.type for event in await log_of(other, run.id)]
        assert types == [*(seq - 1) * [EventType.CHUNK], EventType.RESTARTED, EventType.CHUNK]


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = RedisStore("redis://ada:secret@127.0.0.1:1/3")

    with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:1: .*Start the server") as failed:
        await store.get("rnever")
    await store.close()

    assert "secret" not in str(failed.value)


async def test_readers_without_the_right_to_listen_poll(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    rules = ("on", ">secret", "~{yieldwire}:*", "resetchannels", "+@all", "-@admin")
    await told(server, "acl", "setuser", "shop", *rules)
    store = RedisStore(f"redis://shop:secret@127.0.0.1:{server.port}")
    async with opened(server) as writer:
        run = await claimed(writer)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(store, run, 2))
            await write_on(writer, run, 0, 1)
            await asyncio.sleep(0.1)
            await write_on(writer, run, 1, 2)
        await store.close()

    assert following.result() == [1, 2]
    warnings = [each for each in caplog.messages if "poll every second" in each]
    assert len(warnings) == 1
    assert "&{yieldwire}:wake:*" in warnings[0]


async def test_an_interrupted_wait_is_logged_and_comes_back(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "yieldwire.worker")
    async with opened(server) as writer, opened(server) as reader:
        run = await claimed(writer)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow(reader, run, 3))
            for seq in range(3):
                await until(lambda: told(server, "pubsub", "channels"))
                await told(server, "client", "kill", "type", "pubsub")
                await write_on(writer, run, seq, seq + 1)

    assert following.result() == [1, 2, 3]
    assert any("listening for changes was interrupted" in each for each in caplog.messages)


async def test_under_eviction_a_log_is_whole_or_lost() -> None:
    limits = ("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
    with RedisServer(*limits) as server:
        async with opened(server) as writer, opened(server) as reader:
            whole, lost = 0, 0
            runs = [await claimed(writer) for _ in range(100)]
            for run in runs:
                block = chunks(run.id, 1, 100, "x" * 400)
                with suppress(NotFound):  # the run itself was evicted meanwhile
                    await writer.append(run.id, block, after=0, fence=run.fence)

            for run in runs:
                try:
                    seqs = [event.seq for event in await log_of(reader, run.id)]
                    assert seqs in ([], [*range(1, 101)])
                    whole += bool(seqs)
                except NotFound:
                    lost += 1

        assert whole > 0
        assert lost > 0
