"""The memory store keeps the contract, and wakes readers by futures."""

import asyncio
from dataclasses import replace

import pytest

from yieldwire.errors import NotFound
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.memory.deliveries import WAITING_KEPT
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness
from yieldwire.testing.contract.harness import chunks, claimed, created, finish, finished


class MemoryHarness:
    """A memory store on a clock of its own; it is lost with its process, so it stays open."""

    def __init__(self) -> None:
        self.clock = MovingClock()
        self.store = MemoryStore(clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> MemoryStore:
        return self.store

    async def reopen(self) -> None:
        return


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def harness(self) -> StoreHarness:
        return MemoryHarness()


async def test_a_closed_store_leaves_nobody_waiting() -> None:
    store = MemoryStore()
    run = await created(store)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(store.read(run.id, 0, wait=600))
        await asyncio.sleep(0)
        await store.close()


async def test_the_store_tells_the_machines_time_by_default() -> None:
    store = MemoryStore()
    run = await claimed(store)

    await finish(store, run)

    ended = await store.get(run.id)
    assert ended.status is Status.COMPLETED
    assert ended.created_at <= (ended.ended_at or 0)


async def test_ended_runs_that_take_too_much_are_forgotten_those_first_that_expire_first() -> None:
    clock = MovingClock()
    store = MemoryStore(clock=clock, ended_bytes=10_000)
    live = await claimed(store)
    late = await finished(store, retention=7200.0)
    early: list[RunRecord] = []
    for _ in range(9):
        clock.advance(1.0)
        early.append(await finished(store))

    purged = await store.purge()

    assert purged == [run.id for run in early[: len(purged)]]
    assert 0 < len(purged) < len(early)
    assert (await store.get(live.id)).status is Status.RUNNING
    assert (await store.get(late.id)).status is Status.COMPLETED
    with pytest.raises(NotFound):
        await store.get(early[0].id)
    assert await store.purge() == []


async def test_what_is_forgotten_on_demand_takes_nothing_any_more() -> None:
    store = MemoryStore(clock=MovingClock(), ended_bytes=10_000)
    for _ in range(9):
        await store.purge((await finished(store)).id)
    last = await finished(store)

    assert await store.purge() == []
    assert (await store.get(last.id)).status is Status.COMPLETED


async def slow_run(store: MemoryStore) -> RunRecord:
    """Return a run that ended after events with a pause between them."""
    run = await claimed(store)
    for seq in range(1, 41):
        block = replace(chunks(run.id, seq, 1), at=1_000.0 + seq)
        await store.append(run.id, block, after=seq - 1, fence=run.fence)
    await finish(store, run, after=40)
    return run


async def test_a_forgotten_run_gives_back_as_much_as_it_took_however_it_was_kept() -> None:
    left: list[int] = []
    for earlier in (0, 60):
        store = MemoryStore(clock=MovingClock(), ended_bytes=200_000)
        for run in [await slow_run(store) for _ in range(earlier)]:
            await store.purge(run.id)
        for _ in range(60):
            await slow_run(store)
        await store.purge()
        left.append(len(await store.find(Query(everyone=True, limit=100))))

    assert 0 < left[0] < 60
    assert left[0] == left[1]


async def test_what_a_run_was_given_counts_as_what_it_wrote() -> None:
    store = MemoryStore(clock=MovingClock(), ended_bytes=1_000_000)
    for _ in range(10):
        await finished(store, input=b'"%b"' % (b"x" * 200_000), context=b"{}")
        await finished(store, input=b"{}", context=b'"%b"' % (b"x" * 200_000))

    purged = await store.purge()

    assert len(purged) == 16
    assert len(await store.find(Query(everyone=True))) == 4


async def test_messages_and_checkpoints_count_as_memory_of_ended_runs() -> None:
    store = MemoryStore(clock=MovingClock(), ended_bytes=300_000)
    runs = [await claimed(store) for _ in range(3)]
    for run in runs:
        message = Message(0, b"1" * 50_000)
        await store.send(run.id, message, most=1, most_bytes=50_000)
        await store.save(run.id, "saved", b"2" * 50_000, fence=run.fence)
        await finish(store, run)

    purged = [await store.purge(), await store.purge()]

    assert [len(each) for each in purged] == [1, 0]


class Watched(MemoryStore):
    """Counts at how many runs sweeps look."""

    def __init__(self, clock: MovingClock) -> None:
        super().__init__(clock=clock)
        self._lookout = self.watch = WatchedLookout()


class WatchedLookout(Lookout):
    looked = 0

    def take(self, now: float) -> list[Entry]:
        entries = super().take(now)
        self.looked += len(entries)
        return entries


async def held_runs(store: MemoryStore, count: int) -> list[RunRecord]:
    """Return running runs that linger for 30 seconds, each with a reader for 45."""
    runs = [await claimed(store, linger=30.0) for _ in range(count)]
    for run in runs:
        await store.hold(run.id, "tab", seconds=45.0)
    return runs


async def test_a_sweep_looks_only_at_runs_whose_time_may_have_come() -> None:
    clock = MovingClock()
    store = Watched(clock)
    runs = await held_runs(store, 100)

    for _ in range(120):  # a minute of sweeps
        clock.advance(0.5)
        assert await store.sweep() == []

    assert store.watch.looked <= 2 * len(runs)


async def test_a_reader_that_leaves_early_brings_the_end_of_lingering_forward() -> None:
    clock = MovingClock()
    store = MemoryStore(clock=clock)
    (run,) = await held_runs(store, 1)
    clock.advance(10.0)

    await store.hold(run.id, "tab", seconds=0)
    clock.advance(29.5)
    before = await store.sweep()
    clock.advance(1.0)
    after = await store.sweep()

    assert before == []
    assert [each.cancel_reason for each in after] == ["unattended"]


async def test_a_log_that_trickled_in_is_kept_in_few_blocks_with_the_same_bytes() -> None:
    store = MemoryStore(clock=MovingClock())
    run = await claimed(store)
    blocks = [chunks(run.id, seq, 1) for seq in range(1, 101)]
    for block in blocks:
        await store.append(run.id, block, after=block.first - 1, fence=run.fence)

    page = await store.read(run.id, 0)
    late = await store.read(run.id, 42)

    assert len(page) < 100 / 4
    assert b"".join(block.body for block in page) == b"".join(block.body for block in blocks)
    assert b"".join(block.body for block in late) == b"".join(block.body for block in blocks[42:])


async def test_deliveries_that_wait_longest_are_given_up_for_newer_ones() -> None:
    store = MemoryStore(clock=MovingClock())
    many = tuple(f"https://a.example/{n}" for n in range(WAITING_KEPT))
    await finished(store, webhooks=many)

    await finished(store, webhooks=("https://newest.example",))

    due = await store.due(limit=2 * WAITING_KEPT, lease=30.0)
    (dead,) = await store.dead_letters(limit=10)
    assert [each.url for each in due] == [*many[1:], "https://newest.example"]
    assert (dead.url, dead.failure) == (many[0], "too many deliveries were waiting")
