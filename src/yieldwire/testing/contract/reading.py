"""A store's guarantees for reading a log, and for waiting for more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from yieldwire.errors import ForeignCursor, NotFound
from yieldwire.log.cursor import mark_of
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.testing.contract.harness import (
    SOON,
    StoreHarness,
    chunks,
    claimed,
    created,
    finish,
    finished,
    log_of,
    pages_of,
    raises,
    wakes_all,
)


class ReadContract:
    """`Store.read`: everything after a cursor, in order, page by page."""

    async def test_a_log_can_be_read_from_behind_every_event(self, harness: StoreHarness) -> None:
        """A cursor inside a block cuts the block between two frames."""
        run = await written(harness.store, blocks=3, size=4)
        log = await log_of(harness.store, run.id)
        whole = b"".join(block.body for block in await harness.store.read(run.id, 0))

        for after in range(12):
            page = await harness.store.read(run.id, after)
            tail = b"".join(block.body for block in page)

            assert [event for block in page for event in block.events()] == log[after:]
            assert page[0].first == after + 1
            assert whole.endswith(tail)
            assert all(block.run_id == run.id for block in page)

    async def test_a_log_reads_the_same_every_time(self, harness: StoreHarness) -> None:
        """Neither time, nor the end, nor another opening of the store changes what was read."""
        run = await written(harness.store, blocks=2, size=2)
        before = await log_of(harness.store, run.id)

        await finish(harness.store, run, after=4)
        await harness.advance(60)
        await harness.reopen()

        assert (await log_of(harness.store, run.id))[:4] == before

    async def test_an_event_says_when_it_was_appended(self, harness: StoreHarness) -> None:
        """As its block says, however many there are, and after another opening."""
        run = await claimed(harness.store)
        times = [(run.started_at or 0.0) + seq / 8 for seq in range(1, 41)]
        for seq, at in enumerate(times, 1):
            block = replace(chunks(run.id, seq, 1), at=at)
            await harness.store.append(run.id, block, after=seq - 1, fence=run.fence)

        before = [event.at for event in await log_of(harness.store, run.id)]
        await harness.reopen()
        after = [event.at for event in await log_of(harness.store, run.id, 20)]

        assert [*map(mark_of, before)] == [*map(mark_of, times)]
        assert after == before[20:]

    async def test_where_nothing_is_yet_a_page_is_empty(self, harness: StoreHarness) -> None:
        """A reader at the end of the log gets nothing, and no error."""
        fresh = await created(harness.store)
        running = await written(harness.store, blocks=1, size=2)
        ended = await finished(harness.store)

        assert list(await harness.store.read(fresh.id, 0)) == []
        assert list(await harness.store.read(running.id, 2)) == []
        assert list(await harness.store.read(ended.id, 1)) == []

    async def test_a_cursor_beyond_the_log_is_foreign(self, harness: StoreHarness) -> None:
        """A seq that the log does not have is an error, not an empty answer."""
        fresh = await created(harness.store)
        running = await written(harness.store, blocks=1, size=2)
        ended = await finished(harness.store)

        for run, after in ((fresh, 1), (running, 3), (ended, 2), (ended, 10**12)):
            with raises(ForeignCursor):
                await harness.store.read(run.id, after)

    async def test_the_log_of_an_unknown_run_is_not_found(self, harness: StoreHarness) -> None:
        """A missing run is not the same as an empty log."""
        with raises(NotFound):
            await harness.store.read("rnever", 0)

    async def test_pages_together_are_the_log(self, harness: StoreHarness) -> None:
        """However small the pages are, nothing is missing and nothing is duplicated."""
        run = await written(harness.store, blocks=7, size=3)
        log = await log_of(harness.store, run.id)

        for max_bytes in (1, 100, 1_000, 1_000_000):
            pages = await pages_of(harness.store, run.id, max_bytes=max_bytes)

            events = [event for page in pages for block in page for event in block.events()]
            assert events == log

    async def test_a_page_is_not_much_larger_than_asked_for(self, harness: StoreHarness) -> None:
        """A page ends with the block that reaches ``max_bytes``, so it has at least one."""
        run = await written(harness.store, blocks=10, size=5)
        size = len(chunks(run.id, 1, 5).body)

        for page in await pages_of(harness.store, run.id, max_bytes=2 * size):
            assert len(page) >= 1
            assert sum(len(block.body) for block in page) <= 3 * size + 100

    # A feed keeps its newest events.

    async def test_a_feed_keeps_its_newest_events(self, harness: StoreHarness) -> None:
        """At least ``keep`` events stay, and older ones are deleted."""
        run = await written(harness.store, blocks=60, size=1, keep=5)

        kept = await log_of(harness.store, run.id, after=55)
        now = await harness.store.get(run.id)

        assert [event.seq for event in kept] == [56, 57, 58, 59, 60]
        assert now.seq == 60
        assert 1 < now.first_seq <= 56

    async def test_a_trimmed_log_says_where_it_begins(self, harness: StoreHarness) -> None:
        """A cursor before the trimmed log gets a first block that starts later."""
        run = await written(harness.store, blocks=60, size=1, keep=5)
        first_seq = (await harness.store.get(run.id)).first_seq

        for after in (0, first_seq - 2):
            page = await harness.store.read(run.id, after)

            assert page[0].first == first_seq
        assert [e.seq for e in await log_of(harness.store, run.id)] == [*range(first_seq, 61)]

    async def test_trimming_keeps_a_block_that_is_still_needed(self, harness: StoreHarness) -> None:
        """Large blocks do not make a feed keep less than it should."""
        run = await written(harness.store, blocks=30, size=4, keep=6)

        kept = await log_of(harness.store, run.id, after=114)

        assert [event.seq for event in kept] == [115, 116, 117, 118, 119, 120]

    async def test_a_trimmed_feed_continues_and_ends(self, harness: StoreHarness) -> None:
        """Trimming changes no seq."""
        run = await written(harness.store, blocks=60, size=1, keep=5)

        await finish(harness.store, run, after=60)

        log = await log_of(harness.store, run.id, after=59)
        assert [(event.seq, event.type) for event in log] == [
            (60, EventType.CHUNK),
            (61, EventType.DONE),
        ]

    async def test_a_log_without_keep_is_never_trimmed(self, harness: StoreHarness) -> None:
        """Everything stays until the run is purged."""
        run = await written(harness.store, blocks=60, size=1)

        log = await log_of(harness.store, run.id)

        assert [event.seq for event in log] == [*range(1, 61)]
        assert (await harness.store.get(run.id)).first_seq == 1


class WaitContract:
    """`Store.read` with ``wait``: it can return early, and must not return late."""

    async def test_there_is_no_wait_for_what_is_there(self, harness: StoreHarness) -> None:
        """A wait returns at once if the log has something after the cursor."""
        run = await written(harness.store, blocks=1, size=2)

        async with asyncio.timeout(SOON):
            assert await harness.store.read(run.id, 0, wait=10 * SOON)
            assert await harness.store.read(run.id, 1, wait=10 * SOON)

    async def test_there_is_no_wait_for_a_run_that_has_ended(self, harness: StoreHarness) -> None:
        """Nothing follows a terminal event, so a wait for it returns."""
        run = await finished(harness.store)

        async with asyncio.timeout(SOON):
            assert list(await harness.store.read(run.id, 1, wait=10 * SOON)) == []

    async def test_there_is_no_wait_for_a_run_that_is_gone(self, harness: StoreHarness) -> None:
        """A reader that would wait for it gets the error at once."""
        async with asyncio.timeout(SOON):
            with raises(NotFound):
                await harness.store.read("rnever", 0, wait=10 * SOON)

    async def test_a_wait_ends_after_its_timeout(self, harness: StoreHarness) -> None:
        """A wait does not last forever if nothing comes."""
        run = await written(harness.store, blocks=1, size=1)

        async with asyncio.timeout(SOON):
            assert list(await harness.store.read(run.id, 1, wait=0.01)) == []

    async def test_thousands_of_waits_of_no_time_all_end(self, harness: StoreHarness) -> None:
        """However many waits start together, and however often they restart."""
        run = await written(harness.store, blocks=1, size=1)

        async def wait_twice() -> None:
            await harness.store.read(run.id, 1, wait=1e-9)
            await harness.store.read(run.id, 1, wait=1e-9)

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            for _ in range(2_000):
                group.create_task(wait_twice())

    async def test_an_append_wakes_every_reader(self, harness: StoreHarness) -> None:
        """All who wait for a run's next event are woken by it."""
        run = await written(harness.store, blocks=1, size=1)
        block = chunks(run.id, 2, 1)

        async def append() -> None:
            await harness.store.append(run.id, block, after=1, fence=run.fence)

        await wakes(harness.store, run.id, 1, append, waiters=3)

    async def test_an_append_that_is_cancelled_wakes_readers(self, harness: StoreHarness) -> None:
        """An append that has started is completed, and nobody keeps waiting for its events."""
        run = await written(harness.store, blocks=1, size=1)
        block = chunks(run.id, 2, 1)

        async def append_and_leave() -> None:
            # A reader that started to wait before these still waits when their time is over.
            for _ in range(2):
                await harness.store.read(run.id, 1, wait=0.1)
            async with asyncio.TaskGroup() as group:
                append = group.create_task(
                    harness.store.append(run.id, block, after=1, fence=run.fence)
                )
                await asyncio.sleep(0)
                append.cancel()

        await wakes(harness.store, run.id, 1, append_and_leave)
        assert len(await log_of(harness.store, run.id)) == 2

    async def test_the_end_wakes_readers(self, harness: StoreHarness) -> None:
        """A terminal event is an event like any other."""
        run = await written(harness.store, blocks=1, size=1)

        async def end() -> None:
            await finish(harness.store, run, after=1)

        await wakes(harness.store, run.id, 1, end)

    async def test_a_cancel_before_the_start_wakes_readers(self, harness: StoreHarness) -> None:
        """Events that the store itself writes also wake readers."""
        run = await created(harness.store)

        async def cancel() -> None:
            await harness.store.request_cancel(run.id, "requested")

        await wakes(harness.store, run.id, 0, cancel)

    async def test_a_lost_lease_wakes_readers(self, harness: StoreHarness) -> None:
        """Readers of a run whose worker died are woken by the sweep."""
        for retries in (0, 1):
            run = await claimed(harness.store, lease=10, retries=retries)

            async def sweep() -> None:
                await harness.advance(11)
                await harness.store.sweep()

            await wakes(harness.store, run.id, 0, sweep)

    async def test_a_purge_wakes_readers(self, harness: StoreHarness) -> None:
        """A reader of a deleted run does not keep waiting."""
        run = await finished(harness.store)

        async def purge() -> None:
            await harness.store.purge(run.id)

        await wakes(harness.store, run.id, 1, purge)
        with raises(NotFound):
            await harness.store.read(run.id, 1)

    async def test_a_reader_that_stops_waiting_disturbs_nobody(self, harness: StoreHarness) -> None:
        """A cancelled wait affects neither the other waits nor the log."""
        run = await written(harness.store, blocks=1, size=1)

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            leaver = group.create_task(harness.store.read(run.id, 1, wait=10 * SOON))
            stayer = group.create_task(harness.store.read(run.id, 1, wait=10 * SOON))
            await asyncio.sleep(0)
            leaver.cancel()
            await asyncio.wait({leaver})
            await finish(harness.store, run, after=1)
            await stayer

        assert len(await log_of(harness.store, run.id)) == 2


async def wakes(
    store: RunStore,
    run_id: str,
    after: int,
    act: Callable[[], Awaitable[object]],
    *,
    waiters: int = 1,
) -> None:
    """Check that ``act`` ends all waits after ``after``."""

    async def wait() -> bool:
        return bool(await store.read(run_id, after, wait=10 * SOON))

    await wakes_all(wait, act, waiters)


async def written(store: RunStore, *, blocks: int, size: int, keep: int | None = None) -> RunRecord:
    """Start a run and append ``blocks`` blocks of ``size`` chunks."""
    run = await claimed(store, keep=keep)
    for n in range(blocks):
        first = n * size + 1
        block = chunks(run.id, first, size)
        await store.append(run.id, block, after=first - 1, fence=run.fence)
    return run
