"""A store's guarantees for what one attempt leaves for the next."""

from pydantic_core import from_json

from yieldwire.errors import AppendConflict, Fenced, NotFound
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import CLAIM_SECONDS
from yieldwire.testing.contract.harness import (
    StoreHarness,
    chunks,
    claimed,
    created,
    finish,
    finished,
    log_of,
    raises,
)


class CheckpointContract:
    """`Checkpoints.save` and `Checkpoints.saved`."""

    async def test_checkpoints_are_kept_by_name(self, harness: StoreHarness) -> None:
        """Byte for byte; a name that is saved again replaces what it was."""
        run, other = await claimed(harness.store), await claimed(harness.store)

        await harness.store.save(run.id, "step:a", '"\u2713"'.encode(), fence=run.fence)
        await harness.store.save(run.id, "step:b", b"1", fence=run.fence)
        await harness.store.save(run.id, "step:b", b"2", fence=run.fence)
        await harness.reopen()

        assert dict(await harness.store.saved(run.id)) == {
            "step:a": '"\u2713"'.encode(),
            "step:b": b"2",
        }
        assert dict(await harness.store.saved(other.id)) == {}

    async def test_a_run_that_has_saved_no_place_keeps_nothing(self, harness: StoreHarness) -> None:
        """A checkpoint without a seq is not a place in the log."""
        run = await claimed(harness.store)
        await harness.store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)

        await harness.store.save(run.id, "step:a", b"1", fence=run.fence)

        assert (await harness.store.get(run.id)).saved_seq == 0

    async def test_the_saved_place_is_in_the_record(self, harness: StoreHarness) -> None:
        """The last call counts, and one without a seq does not change it."""
        run = await written(harness)

        for seq, name in ((1, "saved"), (3, "saved"), (None, "step:a")):
            await harness.store.save(run.id, name, b"%d" % (seq or 0), seq=seq, fence=run.fence)
        await harness.reopen()

        assert (await harness.store.get(run.id)).saved_seq == 3
        assert dict(await harness.store.saved(run.id)) == {"saved": b"3", "step:a": b"0"}

    async def test_a_save_can_be_repeated(self, harness: StoreHarness) -> None:
        """A caller that got no answer asks again."""
        run = await written(harness)

        for _ in range(3):
            await harness.store.save(run.id, "saved", b"1", seq=2, fence=run.fence)

        assert (await harness.store.get(run.id)).saved_seq == 2
        assert dict(await harness.store.saved(run.id)) == {"saved": b"1"}

    async def test_a_place_beyond_the_log_cannot_be_saved(self, harness: StoreHarness) -> None:
        """Nothing is kept then; the next attempt would keep what is not there."""
        run = await written(harness)

        with raises(AppendConflict):
            await harness.store.save(run.id, "saved", b"1", seq=4, fence=run.fence)

        assert (await harness.store.get(run.id)).saved_seq == 0
        assert dict(await harness.store.saved(run.id)) == {}

    async def test_only_the_running_attempt_can_save(self, harness: StoreHarness) -> None:
        """Neither another fence, nor a run that is pending or has ended."""
        running, pending = await written(harness), await created(harness.store)
        ended = await finished(harness.store)

        for run, fence in (
            (running, running.fence - 1),
            (running, running.fence + 1),
            (pending, pending.fence),
            (ended, ended.fence),
        ):
            for seq in (None, 1):
                with raises(Fenced):
                    await harness.store.save(run.id, "saved", b"1", seq=seq, fence=fence)
            assert dict(await harness.store.saved(run.id)) == {}
            assert (await harness.store.get(run.id)).saved_seq == 0

    async def test_a_worker_that_was_given_up_can_save_nothing(self, harness: StoreHarness) -> None:
        """What the next attempt reads does not change behind its back."""
        run = await written(harness, lease=10, retries=1)
        await harness.store.save(run.id, "saved", b"1", seq=2, fence=run.fence)
        await harness.advance(11)
        await harness.store.sweep()
        await harness.store.claim(run.id, lease=10)

        with raises(Fenced):
            await harness.store.save(run.id, "saved", b"2", seq=3, fence=run.fence)

        assert dict(await harness.store.saved(run.id)) == {"saved": b"1"}
        assert (await harness.store.get(run.id)).saved_seq == 2

    async def test_the_next_attempt_has_what_was_saved(self, harness: StoreHarness) -> None:
        """However the attempt was lost, and as often as it is; the log says what stays valid."""
        run = await written(harness, lease=10, retries=2)
        await harness.store.save(run.id, "saved", b"1", seq=2, fence=run.fence)

        for seq in (4, 5):
            await harness.advance(11)
            await harness.store.sweep()
            run = await harness.store.claim(run.id, lease=10)

            restarted = (await log_of(harness.store, run.id))[-1]
            assert dict(await harness.store.saved(run.id)) == {"saved": b"1"}
            assert (run.saved_seq, restarted.seq) == (2, seq)
            assert from_json(restarted.data) == {"attempt": run.attempt, "keep": 2}

    async def test_checkpoints_of_an_unknown_run_are_an_error(self, harness: StoreHarness) -> None:
        """A run that was deleted has none."""
        run = await written(harness)
        await harness.store.save(run.id, "saved", b"1", seq=3, fence=run.fence)
        await finish(harness.store, run, after=3)
        assert dict(await harness.store.saved(run.id)) == {"saved": b"1"}
        await harness.store.purge(run.id)

        for run_id in (run.id, "rnever"):
            with raises(NotFound):
                await harness.store.saved(run_id)
            with raises(NotFound):
                await harness.store.save(run_id, "saved", b"1", fence=run.fence)


class RestartContract:
    """`Leases.restart`."""

    async def test_a_restarted_run_is_pending(self, harness: StoreHarness) -> None:
        """The log says that another attempt follows, and which events stay valid."""
        run = await written(harness)
        await harness.store.save(run.id, "saved", b"1", seq=2, fence=run.fence)

        restarted = await harness.store.restart(run.id, fence=run.fence, delay=5)

        event = (await log_of(harness.store, run.id))[-1]
        assert restarted == await harness.store.get(run.id)
        assert (restarted.status, restarted.attempt) == (Status.PENDING, 1)
        assert (restarted.seq, restarted.saved_seq) == (4, 2)
        assert restarted.fence > run.fence
        assert (event.seq, event.type) == (4, EventType.RESTARTED)
        assert from_json(event.data) == {"attempt": 2, "keep": 2}

    async def test_the_attempt_after_a_restart_continues_in_the_same_log(
        self, harness: StoreHarness
    ) -> None:
        """Also if the store was opened again meanwhile, and however often."""
        run = await claimed(harness.store, retries=0)

        for attempt in (2, 3):
            await harness.store.restart(run.id, fence=run.fence, delay=0)
            await harness.reopen()
            run = await harness.store.claim(run.id, lease=None)
            assert run.attempt == attempt
        await finish(harness.store, run, after=2)

        assert [event.type for event in await log_of(harness.store, run.id)] == [
            EventType.RESTARTED,
            EventType.RESTARTED,
            EventType.DONE,
        ]

    async def test_only_the_running_attempt_can_restart(self, harness: StoreHarness) -> None:
        """A refused restart changes nothing."""
        running, pending = await written(harness), await created(harness.store)
        ended = await finished(harness.store)

        for run, fence in (
            (running, running.fence - 1),
            (running, running.fence + 1),
            (pending, pending.fence),
            (ended, ended.fence),
        ):
            before = await harness.store.get(run.id)
            with raises(Fenced):
                await harness.store.restart(run.id, fence=fence, delay=0)
            assert await harness.store.get(run.id) == before
        with raises(NotFound):
            await harness.store.restart("rnever", fence=1, delay=0)

    async def test_an_attempt_that_restarted_its_run_can_change_nothing(
        self, harness: StoreHarness
    ) -> None:
        """It has given its right back."""
        run = await written(harness)
        restarted = await harness.store.restart(run.id, fence=run.fence, delay=0)

        with raises(Fenced):
            await harness.store.append(run.id, chunks(run.id, 5, 1), after=4, fence=run.fence)
        with raises(Fenced):
            await harness.store.heartbeat(run.id, fence=run.fence, lease=10)
        with raises(Fenced):
            await harness.store.save(run.id, "saved", b"1", fence=run.fence)
        with raises(Fenced):
            await harness.store.restart(run.id, fence=run.fence, delay=0)

        assert await harness.store.get(run.id) == restarted

    async def test_a_restarted_run_is_not_handed_out_before_its_delay(
        self, harness: StoreHarness
    ) -> None:
        """Then, and only if processes share the store, a sweep gives it to one of them."""
        run = await claimed(harness.store, lease=10, linger=None)
        await harness.store.restart(run.id, fence=run.fence, delay=100)

        await harness.advance(99 + CLAIM_SECONDS)
        assert list(await harness.store.sweep()) == []
        await harness.advance(2)
        handed_out = [each.id for each in await harness.store.sweep()]

        assert handed_out == ([] if harness.store.reach == "process" else [run.id])
        assert (await harness.store.get(run.id)).status is Status.PENDING

    async def test_a_run_that_was_asked_to_stop_is_not_restarted(
        self, harness: StoreHarness
    ) -> None:
        """It is cancelled, for the reason that was given."""
        run = await written(harness)
        await harness.store.request_cancel(run.id, "unattended")

        ended = await harness.store.restart(run.id, fence=run.fence, delay=5)

        event = (await log_of(harness.store, run.id))[-1]
        assert (ended.status, ended.seq) == (Status.CANCELLED, 4)
        assert ended == await harness.store.get(run.id)
        assert event.type is EventType.CANCELLED
        assert from_json(event.data)["data"] == {"reason": "unattended"}


async def written(
    harness: StoreHarness, *, lease: float | None = None, retries: int = 0
) -> RunRecord:
    """Start a run, and append three chunks."""
    run = await claimed(harness.store, lease=lease, linger=None, retries=retries)
    await harness.store.append(run.id, chunks(run.id, 1, 3), after=0, fence=run.fence)
    return run
