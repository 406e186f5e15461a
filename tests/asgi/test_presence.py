"""Runs that are polled are kept going, by few writes."""

import pytest

from tests.support.runs import CountedStore
from yieldwire.asgi.presence import MOST_POLLED, Polls
from yieldwire.errors import StoreError
from yieldwire.log.run import RunRecord
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import claimed, created, finish


class Polled:
    """A run that is polled, by a clock that the test moves."""

    def __init__(self) -> None:
        self.clock = MovingClock()
        self.store = CountedStore(clock=self.clock)
        self.polls = Polls(self.store, self.clock)

    async def poll(self, run: RunRecord, *, times: int = 1, every: float = 1.0) -> None:
        for turn in range(times):
            if turn:
                self.clock.advance(every)
            await self.polls.note(await self.store.get(run.id))

    async def is_asked_to_stop_after(self, run: RunRecord, seconds: float) -> bool:
        self.clock.advance(seconds)
        return run.id in [swept.id for swept in await self.store.sweep()]


async def test_a_run_that_is_polled_once_lingers_from_then() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)
    polled.clock.advance(15.0)

    await polled.poll(run)

    assert not await polled.is_asked_to_stop_after(run, 19.0)
    assert await polled.is_asked_to_stop_after(run, 2.0)


@pytest.mark.parametrize("every", [0.1, 0.5, 2.0, 4.9, 5.1, 19.9])
async def test_a_run_that_is_polled_continues_and_is_stopped_when_that_has_ended(
    every: float,
) -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    for _ in range(200):
        await polled.poll(run)
        assert not await polled.is_asked_to_stop_after(run, every)

    assert not await polled.is_asked_to_stop_after(run, 20.0 - every)
    assert await polled.is_asked_to_stop_after(run, 5.5)


async def test_polling_costs_a_write_for_each_quarter_of_the_linger_at_most() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    await polled.poll(run, times=200, every=0.5)

    assert polled.store.holds <= 1 + 100 / 5.0


async def test_polling_a_run_that_needs_no_readers_costs_no_write() -> None:
    polled = Polled()

    for run in (
        await claimed(polled.store, detached=True),
        await created(polled.store, linger=None),
    ):
        await polled.poll(run, times=3, every=100.0)

    assert polled.store.holds == 0


async def test_polling_a_run_that_has_ended_or_was_asked_to_stop_costs_no_write() -> None:
    polled = Polled()
    ended, asked = await claimed(polled.store), await claimed(polled.store)
    await finish(polled.store, ended)
    await polled.store.request_cancel(asked.id, "requested")

    for run in (ended, asked):
        await polled.poll(run, times=3, every=100.0)

    assert polled.store.holds == 0


async def test_polling_ever_more_runs_takes_no_more_memory() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    for number in range(2 * MOST_POLLED):
        await polled.polls.note(run._replace(id=f"r{number}"))

    assert len(polled.polls) == MOST_POLLED


async def test_a_run_is_held_while_a_poll_waits_and_lingers_from_then() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    async with polled.polls.waiting(run, 60.0):
        for _ in range(6):
            await polled.polls.settle()
            assert not await polled.is_asked_to_stop_after(run, 9.9)
    assert not await polled.is_asked_to_stop_after(run, 5.1)
    await polled.polls.settle()

    assert not await polled.is_asked_to_stop_after(run, 19.0)
    assert await polled.is_asked_to_stop_after(run, 1.5)
    assert len(polled.polls) == 0


async def test_a_poll_that_waited_no_longer_than_a_moment_leaves_no_long_hold() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=2.0)

    async with polled.polls.waiting(run, 60.0):
        polled.clock.advance(0.1)
    polled.clock.advance(0.6)
    await polled.polls.settle()

    assert await polled.is_asked_to_stop_after(run, 2.1)


async def test_polls_that_wait_one_after_the_other_cost_no_write_each() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    for _ in range(200):
        async with polled.polls.waiting(run, 20.0):
            polled.clock.advance(0.5)
        await polled.polls.settle()

    assert polled.store.holds <= 1 + 100 / 5.0


async def test_a_poll_that_still_waits_holds_the_run_when_others_are_answered() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=4.0)

    async with polled.polls.waiting(run, 60.0):
        async with polled.polls.waiting(run, 1.0):
            polled.clock.advance(1.0)
        for _ in range(10):
            await polled.polls.settle()
            assert not await polled.is_asked_to_stop_after(run, 5.8)


async def test_what_waits_is_remembered_however_many_others_are_polled() -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=4.0)

    async with polled.polls.waiting(run, 60.0):
        for number in range(MOST_POLLED + 1):
            await polled.polls.note(run._replace(id=f"r{number}"))
        await polled.polls.note(run)

        assert not await polled.is_asked_to_stop_after(run, 59.0)


async def test_a_poll_of_a_store_that_cannot_write_is_answered_and_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=20.0)

    async def hold(_run_id: str, _reader: str, *, seconds: float) -> None:
        raise StoreError(f"no room for {seconds} seconds")

    with monkeypatch.context() as patch:
        patch.setattr(polled.store, "hold", hold)
        await polled.poll(run, times=2)
        async with polled.polls.waiting(run, 1.0):
            pass
    await polled.poll(run)

    assert polled.store.holds == 1


async def test_a_poll_that_waits_for_a_run_that_needs_no_readers_costs_no_write() -> None:
    polled = Polled()
    run = await claimed(polled.store, detached=True)

    async with polled.polls.waiting(run, 60.0):
        await polled.polls.settle()

    assert (polled.store.holds, len(polled.polls)) == (0, 0)


async def test_a_run_that_is_not_polled_any_more_is_forgotten_without_a_write() -> None:
    polled = Polled()
    await polled.poll(await claimed(polled.store, linger=20.0))

    polled.clock.advance(5.0)
    await polled.polls.settle()
    kept = len(polled.polls)
    polled.clock.advance(0.1)
    await polled.polls.settle()

    assert (kept, len(polled.polls), polled.store.holds) == (1, 0, 1)


async def test_a_poll_that_comes_while_another_is_settled_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    polled = Polled()
    run = await claimed(polled.store, linger=4.0)
    async with polled.polls.waiting(run, 60.0):
        pass
    polled.clock.advance(2.0)
    hold, late = polled.store.hold, polled.polls.waiting(run, 60.0)

    async def hold_slowly(run_id: str, reader: str, *, seconds: float) -> None:
        monkeypatch.undo()
        await hold(run_id, reader, seconds=seconds)
        await late.__aenter__()

    monkeypatch.setattr(polled.store, "hold", hold_slowly)
    await polled.polls.settle()
    await polled.polls.note(run)

    assert len(polled.polls) == 1
    assert not await polled.is_asked_to_stop_after(run, 59.0)
    await late.__aexit__(None, None, None)
