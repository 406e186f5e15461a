"""A store's guarantees for the start of a run."""

import asyncio

from yieldwire.errors import KeyReused, NotFound, RateLimited
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission, Query
from yieldwire.testing.contract.harness import (
    StoreHarness,
    claimed,
    created,
    finish,
    finished,
    raises,
    record,
)


class StartContract:
    """`Store.create` and `Store.get`."""

    async def test_a_new_run_is_pending_and_its_log_empty(self, harness: StoreHarness) -> None:
        """A run starts as pending, with an empty log."""
        run = await created(harness.store)

        assert (run.status, run.seq, run.first_seq, run.attempt) == (Status.PENDING, 0, 1, 0)
        assert (run.started_at, run.ended_at, run.cancel_reason) == (None, None, None)
        assert list(await harness.store.read(run.id, 0)) == []

    async def test_a_record_is_kept_as_it_was_given(self, harness: StoreHarness) -> None:
        """Every field comes back, except the times, which are the store's."""
        given = record(
            owner="ada ✓",
            input=b'{"name":"\\u2028 \xe2\x9c\x93"}',
            context=b'{"state":{"n":1}}',
            labels=("a", "b c"),
            linger=None,
            detached=True,
            timeout=1.5,
            retries=3,
            retention=0.25,
            keep=7,
        )

        await harness.store.create(given, Admission())
        kept = await harness.store.get(given.id)

        for name in ("id", "action", "quota_key", "owner", "input", "context", "labels", "linger"):
            assert getattr(kept, name) == getattr(given, name), name
        for name in ("detached", "timeout", "retries", "retention", "keep", "status", "seq"):
            assert getattr(kept, name) == getattr(given, name), name

    async def test_the_store_says_when_things_happened(self, harness: StoreHarness) -> None:
        """The times of creation, start and end come from the store's own clock."""
        run = await created(harness.store)

        await harness.advance(10)
        run = await harness.store.claim(run.id, lease=None)
        await harness.advance(20)
        await finish(harness.store, run)
        ended = await harness.store.get(run.id)

        assert ended.created_at > 0
        assert ended.started_at is not None
        assert ended.ended_at is not None
        assert 9 <= ended.started_at - ended.created_at <= 15
        assert 19 <= ended.ended_at - ended.started_at <= 25

    async def test_an_unknown_run_is_not_found(self, harness: StoreHarness) -> None:
        """Getting a run that does not exist is an error, not an empty run."""
        with raises(NotFound):
            await harness.store.get("rnever")

    async def test_a_run_is_there_after_the_store_was_opened_again(
        self, harness: StoreHarness
    ) -> None:
        """Acknowledged data is kept."""
        run = await claimed(harness.store, labels=("kept",))

        await harness.reopen()

        assert await harness.store.get(run.id) == run

    # Idempotency keys.

    async def test_the_same_key_and_input_is_the_same_run(self, harness: StoreHarness) -> None:
        """A repeated start finds the run that the first one created."""
        admission = Admission(key="k", fingerprint="f")
        first = await harness.store.create(record(), admission)
        second = record()

        again = await harness.store.create(second, admission)

        assert again.id == first.id
        with raises(NotFound):
            await harness.store.get(second.id)

    async def test_a_key_finds_its_run_as_it_is_by_then(self, harness: StoreHarness) -> None:
        """A start that is repeated after the end finds the ended run."""
        admission = Admission(key="k", fingerprint="f")
        run = await harness.store.create(record(), admission)
        run = await harness.store.claim(run.id, lease=None)
        await finish(harness.store, run)

        await harness.reopen()
        again = await harness.store.create(record(), admission)

        assert (again.id, again.status, again.seq) == (run.id, Status.COMPLETED, 1)

    async def test_the_same_key_with_another_input_is_refused(self, harness: StoreHarness) -> None:
        """A key identifies one input; nothing is created for a second one."""
        first = await harness.store.create(record(), Admission(key="k", fingerprint="f"))
        second = record()

        with raises(KeyReused):
            await harness.store.create(second, Admission(key="k", fingerprint="g"))

        found = await harness.store.find(Query(everyone=True))
        assert [run.id for run in found] == [first.id]

    async def test_without_a_key_every_start_is_a_run(self, harness: StoreHarness) -> None:
        """Without a key, two starts create two runs."""
        first = await harness.store.create(record(), Admission(fingerprint="f"))

        second = await harness.store.create(record(), Admission(fingerprint="f"))

        assert second.id != first.id

    async def test_two_keys_are_two_runs(self, harness: StoreHarness) -> None:
        """Equal input does not make two keys one."""
        first = await harness.store.create(record(), Admission(key="k", fingerprint="f"))

        second = await harness.store.create(record(), Admission(key="l", fingerprint="f"))

        assert second.id != first.id

    async def test_starts_that_race_with_one_key_make_one_run(self, harness: StoreHarness) -> None:
        """The key and the run are stored in one step."""
        admission, runs = Admission(key="k", fingerprint="f"), [record() for _ in range(8)]

        kept = await together(harness, runs, admission)

        assert len({run.id for run in kept}) == 1
        assert len(await harness.store.find(Query(everyone=True))) == 1

    # Limits.

    async def test_a_caller_can_have_a_limited_number_of_runs_of_an_action(
        self, harness: StoreHarness
    ) -> None:
        """A run over the limit is refused, and leaves nothing behind."""
        admission = Admission(key="k", action_limit=2)
        await created(harness.store)
        await created(harness.store)
        refused = record()

        with raises(RateLimited):
            await harness.store.create(refused, admission)

        with raises(NotFound):
            await harness.store.get(refused.id)
        assert len(await harness.store.find(Query(everyone=True))) == 2
        later = await harness.store.create(record(), Admission(key="k"))
        assert later.status is Status.PENDING

    async def test_an_actions_limit_counts_that_action_alone(self, harness: StoreHarness) -> None:
        """Other actions of the same caller do not count."""
        await created(harness.store, action="other")

        run = await harness.store.create(record(), Admission(action_limit=1))

        assert run.status is Status.PENDING

    async def test_a_callers_limit_counts_every_action(self, harness: StoreHarness) -> None:
        """All of the caller's runs count, of every action."""
        await created(harness.store, action="one")
        await created(harness.store, action="two")

        with raises(RateLimited):
            await harness.store.create(record(action="three"), Admission(caller_limit=2))

    async def test_limits_count_each_caller_apart(self, harness: StoreHarness) -> None:
        """Another caller's runs do not count."""
        await created(harness.store, quota_key="owner:ben")
        limits = Admission(action_limit=1, caller_limit=1)

        run = await harness.store.create(record(), limits)

        assert run.status is Status.PENDING

    async def test_a_run_that_has_ended_gives_its_place_back(self, harness: StoreHarness) -> None:
        """Only unfinished runs count."""
        limits = Admission(action_limit=1, caller_limit=1)
        await finished(harness.store)
        cancelled = await created(harness.store)
        await harness.store.request_cancel(cancelled.id, "requested")

        run = await harness.store.create(record(), limits)

        assert run.status is Status.PENDING

    async def test_a_running_run_keeps_its_place(self, harness: StoreHarness) -> None:
        """A run that was asked to stop has not ended."""
        run = await claimed(harness.store)
        await harness.store.request_cancel(run.id, "requested")

        with raises(RateLimited):
            await harness.store.create(record(), Admission(caller_limit=1))

    async def test_a_key_that_is_known_passes_the_limits(self, harness: StoreHarness) -> None:
        """A repeated start creates no run, so no limit refuses it."""
        limited = Admission(key="k", fingerprint="f", action_limit=1, caller_limit=1)
        first = await harness.store.create(record(), limited)

        again = await harness.store.create(record(), limited)

        assert again.id == first.id

    async def test_starts_that_race_do_not_pass_a_limit(self, harness: StoreHarness) -> None:
        """The count and the creation are one step."""
        runs = [record() for _ in range(8)]

        kept = await together(harness, runs, Admission(caller_limit=3))

        assert len(kept) == 3
        assert len(await harness.store.find(Query(everyone=True))) == 3


async def together(
    harness: StoreHarness, runs: list[RunRecord], admission: Admission
) -> list[RunRecord]:
    """Create every run at once, and return those that were not refused."""
    kept: list[RunRecord] = []

    async def create(run: RunRecord) -> None:
        try:
            kept.append(await harness.store.create(run, admission))
        except RateLimited:
            return

    async with asyncio.TaskGroup() as group:
        for run in runs:
            group.create_task(create(run))
    return kept
