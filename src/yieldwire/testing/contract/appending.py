"""A store's guarantees for appending to a log."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from yieldwire.errors import AppendConflict, Fenced, NotFound, StoreError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.stores import RunStore
from yieldwire.testing.contract.harness import (
    StoreHarness,
    chunks,
    claimed,
    created,
    ending,
    finish,
    finished,
    log_of,
    raises,
    terminal_events,
)

ENDS = (EventType.DONE, EventType.ERROR, EventType.CANCELLED)


class AppendContract:
    """`Store.append`: in order, all or nothing, only by the holder of the run."""

    async def test_events_stand_in_the_log_as_they_were_appended(
        self, harness: StoreHarness
    ) -> None:
        """Seqs run 1, 2, 3 without a gap, and the bytes do not change."""
        run = await claimed(harness.store)
        blocks = [chunks(run.id, 1, 3), chunks(run.id, 4, 1), chunks(run.id, 5, 2)]

        lasts = await append_all(harness.store, run, blocks)
        await harness.reopen()

        events = await log_of(harness.store, run.id)
        assert lasts == [3, 4, 6]
        assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
        assert events == [event for block in blocks for event in block.events()]
        assert (await harness.store.get(run.id)).seq == 6

    async def test_a_block_is_kept_byte_for_byte(self, harness: StoreHarness) -> None:
        """Hostile and large data comes back unchanged."""
        run = await claimed(harness.store)
        data = ['"\\u2028\\u0085 \\r\\n✓"'.encode(), b'"' + b"x" * 300_000 + b'"']
        block = Block.of_chunks(run.id, 1, data)

        await harness.store.append(run.id, block, after=0, fence=run.fence)

        read = await harness.store.read(run.id, 0)
        assert (await harness.store.get(run.id)).seq == 2
        assert b"".join(part.body for part in read) == block.body
        assert [event.data for event in await log_of(harness.store, run.id)] == data

    async def test_a_run_that_does_not_exist_cannot_be_written_to(
        self, harness: StoreHarness
    ) -> None:
        """Appending does not create a run."""
        with raises(NotFound):
            await harness.store.append("rnever", chunks("rnever", 1, 1), after=0, fence=0)

        with raises(NotFound):
            await harness.store.get("rnever")

    # The right to write.

    async def test_a_pending_run_cannot_be_written_to(self, harness: StoreHarness) -> None:
        """A run can be written to only after it was claimed."""
        run = await created(harness.store)

        await self._is_refused(harness, run, Fenced, after=0, fence=run.fence)

    async def test_a_writer_without_the_fence_is_refused(self, harness: StoreHarness) -> None:
        """Neither an older nor an invented fence lets anybody write."""
        run = await claimed(harness.store)

        await self._is_refused(harness, run, Fenced, after=0, fence=run.fence - 1)
        await self._is_refused(harness, run, Fenced, after=0, fence=run.fence + 1)

    async def test_a_run_that_has_ended_cannot_be_written_to(self, harness: StoreHarness) -> None:
        """Nothing follows a terminal event."""
        for kind in ENDS:
            run = await claimed(harness.store)
            await finish(harness.store, run, kind)

            await self._is_refused(harness, run, Fenced, after=1, fence=run.fence)

    async def test_a_run_cancelled_before_its_start_cannot_be_written_to(
        self, harness: StoreHarness
    ) -> None:
        """The store's own end raises the fence like any other."""
        run = await created(harness.store)
        await harness.store.request_cancel(run.id, "requested")

        for fence in range(3):
            await self._is_refused(harness, run, Fenced, after=1, fence=fence)

    # Compare and append.

    async def test_a_writer_that_is_behind_the_log_is_refused(self, harness: StoreHarness) -> None:
        """Other bytes at a place that is taken are a conflict."""
        run = await claimed(harness.store)
        await append_all(harness.store, run, [chunks(run.id, 1, 2)])

        await self._is_refused(harness, run, AppendConflict, after=0, fence=run.fence)
        await self._is_refused(harness, run, AppendConflict, after=1, fence=run.fence)

    async def test_a_writer_that_is_ahead_of_the_log_is_refused(
        self, harness: StoreHarness
    ) -> None:
        """A gap is a conflict."""
        run = await claimed(harness.store)

        await self._is_refused(harness, run, AppendConflict, after=1, fence=run.fence)

    async def test_a_block_that_does_not_follow_is_refused(self, harness: StoreHarness) -> None:
        """The block's own seqs count as well as ``after``."""
        run = await claimed(harness.store)
        block = chunks(run.id, 3, 1)

        await self._is_refused(harness, run, AppendConflict, after=0, fence=run.fence, block=block)

    async def test_the_same_append_again_is_answered_as_success(
        self, harness: StoreHarness
    ) -> None:
        """A writer that lost the answer repeats the call; nothing is duplicated."""
        run = await claimed(harness.store)
        first, second = chunks(run.id, 1, 2), chunks(run.id, 3, 3)
        await append_all(harness.store, run, [first, second])

        again = await harness.store.append(run.id, second, after=2, fence=run.fence)
        older = await harness.store.append(run.id, first, after=0, fence=run.fence)

        assert (again, older) == (5, 2)
        assert [event.seq for event in await log_of(harness.store, run.id)] == [1, 2, 3, 4, 5]

    async def test_the_same_end_again_is_answered_as_success(self, harness: StoreHarness) -> None:
        """A writer whose last answer was lost can repeat its end."""
        run = await claimed(harness.store)
        await finish(harness.store, run)

        again = await finish(harness.store, run)

        assert again == 1
        assert await terminal_events(harness.store, run.id) == [EventType.DONE]

    async def test_what_was_appended_in_pieces_is_the_same_as_one_block(
        self, harness: StoreHarness
    ) -> None:
        """Bytes are compared, however they are kept."""
        run = await claimed(harness.store)
        pieces = [chunks(run.id, 1, 2), chunks(run.id, 3, 1)]
        await append_all(harness.store, run, pieces)

        again = await harness.store.append(run.id, Block.join(pieces[:2]), after=0, fence=run.fence)

        assert again == 3

    async def test_a_repeat_that_says_more_is_a_conflict(self, harness: StoreHarness) -> None:
        """A block of which the log only has the beginning is not the same block."""
        run = await claimed(harness.store)
        await append_all(harness.store, run, [chunks(run.id, 1, 2)])
        longer = chunks(run.id, 1, 3)

        await self._is_refused(harness, run, AppendConflict, after=0, fence=run.fence, block=longer)

    async def test_a_repeat_by_a_writer_whose_right_is_over_is_refused(
        self, harness: StoreHarness
    ) -> None:
        """Equal bytes do not restore the right to write."""
        run = await claimed(harness.store, lease=10, retries=1)
        block = chunks(run.id, 1, 1)
        await harness.store.append(run.id, block, after=0, fence=run.fence)
        await harness.advance(11)
        await harness.store.sweep()

        await self._is_refused(harness, run, Fenced, after=0, fence=run.fence, block=block)

    async def test_appends_that_race_leave_one_of_them(self, harness: StoreHarness) -> None:
        """Of several writers that expect the same last seq, one writes."""
        run = await claimed(harness.store)
        blocks = [chunks(run.id, 1, 1, f"writer {n}") for n in range(6)]

        append = partial(harness.store.append, run.id, after=0, fence=run.fence)
        outcomes = await race([partial(append, block) for block in blocks])

        assert outcomes.count("ok") == 1
        assert outcomes.count("AppendConflict") == 5
        assert len(await log_of(harness.store, run.id)) == 1

    async def test_appends_that_are_made_at_once_each_have_their_own_outcome(
        self, harness: StoreHarness
    ) -> None:
        """No append fails or succeeds because of what another run's writer did."""
        store = harness.store
        right, wrong, behind, ahead = [[await claimed(store) for _ in range(8)] for _ in range(4)]
        ended = [await finished(store) for _ in range(4)]
        pending = [await created(store) for _ in range(4)]
        feeds = [await claimed(store, keep=1) for _ in range(8)]
        await asyncio.gather(*(append_one(store, run) for run in [*behind, *feeds]))

        expected = {run.id: ("ok", 1) for run in right}
        expected |= {run.id: ("Fenced", 0) for run in [*wrong, *pending]}
        expected |= {run.id: ("AppendConflict", 1) for run in behind}
        expected |= {run.id: ("AppendConflict", 0) for run in ahead}
        expected |= {run.id: ("Fenced", 1) for run in ended}
        expected |= {run.id: ("ok", 2) for run in feeds}
        calls = {run.id: partial(append_one, store, run) for run in right}
        calls |= {run.id: partial(append_one, store, run, fence=9) for run in wrong}
        calls |= {run.id: partial(append_one, store, run, text="other") for run in behind}
        calls |= {run.id: partial(append_one, store, run, after=1) for run in [*ahead, *ended]}
        calls |= {run.id: partial(append_one, store, run) for run in pending}
        calls |= {run.id: partial(append_one, store, run, after=1) for run in feeds}
        mixed = sorted(calls)  # ids are random, so every kind is among the others
        outcomes = await asyncio.gather(*(outcome(calls[run_id]) for run_id in mixed))

        seqs = [(await store.get(run_id)).seq for run_id in mixed]
        assert dict(zip(mixed, zip(outcomes, seqs, strict=True), strict=True)) == expected

    async def test_appends_that_are_made_at_once_may_have_been_made_before(
        self, harness: StoreHarness
    ) -> None:
        """A repeat counts as success next to new appends, and next to itself."""
        store = harness.store
        runs = [await claimed(store) for _ in range(8)]
        await asyncio.gather(*(append_one(store, run) for run in runs[:4]))

        await asyncio.gather(*(append_one(store, run) for run in [*runs, *runs]))

        for run in runs:
            assert [event.seq for event in await log_of(store, run.id)] == [1]

    # The end.

    async def test_the_terminal_event_and_the_status_are_one_step(
        self, harness: StoreHarness
    ) -> None:
        """The end of a run is in the log and in the record at once."""
        for kind in ENDS:
            run = await claimed(harness.store)

            await finish(harness.store, run, kind)

            ended = await harness.store.get(run.id)
            assert ended.status is advance(Status.RUNNING, kind)
            assert (ended.seq, ended.ended_at is not None) == (1, True)
            assert await terminal_events(harness.store, run.id) == [kind]

    async def test_no_reader_sees_the_end_in_one_place_only(self, harness: StoreHarness) -> None:
        """A terminal status and a terminal event are never visible without each other."""
        for kind in ENDS:
            run = await claimed(harness.store)

            async with asyncio.TaskGroup() as group:
                end = group.create_task(finish(harness.store, run, kind))
                while not end.done():
                    if (await harness.store.get(run.id)).status.is_terminal:
                        assert await terminal_events(harness.store, run.id) == [kind]
                    if await terminal_events(harness.store, run.id):
                        assert (await harness.store.get(run.id)).status.is_terminal
                    await asyncio.sleep(0)

    async def test_a_block_can_hold_the_last_chunks_and_the_end(
        self, harness: StoreHarness
    ) -> None:
        """The end does not have to be a separate block."""
        run = await claimed(harness.store)
        block = Block.join([chunks(run.id, 1, 2), ending(run.id, 3)])

        last = await harness.store.append(run.id, block, after=0, fence=run.fence)

        assert last == 3
        assert (await harness.store.get(run.id)).status is Status.COMPLETED
        assert (await harness.store.read(run.id, 2))[-1].end is EventType.DONE

    async def test_ends_that_race_leave_one_of_them(self, harness: StoreHarness) -> None:
        """A run ends once, by the first writer."""
        run = await claimed(harness.store)

        outcomes = await race([partial(finish, harness.store, run, kind) for kind in ENDS])

        assert outcomes.count("ok") == 1
        assert len(await terminal_events(harness.store, run.id)) == 1

    async def _is_refused(
        self,
        harness: StoreHarness,
        run: RunRecord,
        error: type[StoreError],
        *,
        block: Block | None = None,
        after: int,
        fence: int,
    ) -> None:
        """Check that an append is refused and changes nothing."""
        before, log = await harness.store.get(run.id), await log_of(harness.store, run.id)
        block = block or chunks(run.id, after + 1, 1, "intruder")

        with raises(error):
            await harness.store.append(run.id, block, after=after, fence=fence)

        assert await harness.store.get(run.id) == before
        assert await log_of(harness.store, run.id) == log


async def append_all(store: RunStore, run: RunRecord, blocks: list[Block]) -> list[int]:
    """Append the blocks in order, and return what the store answers."""
    return [
        await store.append(run.id, block, after=block.first - 1, fence=run.fence)
        for block in blocks
    ]


async def append_one(
    store: RunStore,
    run: RunRecord,
    *,
    after: int = 0,
    fence: int | None = None,
    text: str = "chunk",
) -> int:
    """Append one small block."""
    block = chunks(run.id, after + 1, 1, text)
    return await store.append(
        run.id, block, after=after, fence=run.fence if fence is None else fence
    )


async def outcome(call: Callable[[], Awaitable[object]]) -> str:
    """Return ``ok``, or the name of the store's error."""
    try:
        await call()
    except StoreError as exc:
        return type(exc).__name__
    return "ok"


async def race(calls: Sequence[Callable[[], Awaitable[object]]]) -> list[str]:
    """Make every call at once; return ``ok`` or the name of the store's error for each."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(call)) for call in calls]
    return [task.result() for task in tasks]
