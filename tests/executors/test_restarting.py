"""An error that `retries` names leads to another attempt, after a pause."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from tests.support.runs import SOON, call, first_chunk, opened, outcome
from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire import Run
from yieldwire.actions.context import Context
from yieldwire.actions.retry import Retry
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, InvalidAction, StoreError
from yieldwire.executors import RunLimits
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import MovingClock

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(run_limits=RunLimits(cancel_within=SOON), timing=QUIET)) as app:
        yield app


def failing(error: Exception, *, times: int = 100) -> Callable[..., Any]:
    """Return an action that yields its attempt, and raises ``error`` in the first attempts."""

    async def act(ctx: Context) -> AsyncIterator[int]:
        yield ctx.attempt
        if ctx.attempt <= times:
            raise error

    return act


def again(attempts: int, *on: type[Exception] | str, backoff: float = 0) -> Retry:
    return Retry(attempts, backoff=backoff, on=on)


@pytest.mark.parametrize(
    ("error", "on"),
    [
        (ActionError("BUSY", "Later."), "BUSY"),
        (ActionError("BUSY", "Later."), ActionError),
        (ConnectionResetError("gone"), ConnectionError),
        (ExceptionGroup("of helpers", [OSError()]), OSError),
    ],
)
async def test_a_named_error_leads_to_another_attempt(
    app: App, error: Exception, on: type[Exception] | str
) -> None:
    heard = await call(app, app.action(retries=again(2, on))(failing(error, times=1)))

    assert [event.type for event in heard.events] == [
        EventType.CHUNK,
        EventType.RESTARTED,
        EventType.CHUNK,
        EventType.DONE,
    ]
    assert heard.chunks == [1, {"attempt": 2, "keep": 0}, 2]


async def test_a_reader_of_one_attempt_is_served_by_the_next_as_well(app: App) -> None:
    has_begun, may_fail, served = asyncio.Event(), asyncio.Event(), list[bool]()

    async def act(ctx: Context) -> AsyncIterator[int]:
        yield ctx.attempt
        has_begun.set()
        await may_fail.wait()
        if ctx.attempt == 1:
            raise OSError
        served.append((await app.ready()).worker.audience(ctx.run_id).has_readers)

    async with asyncio.timeout(SOON):
        run = await app.start(app.action(retries=again(1, OSError))(act))
        await has_begun.wait()
        reader = app.reader(run.id)
        async with reader, aclosing(reader.pages(0, tick=SOON)) as pages:
            async for _ in pages:
                may_fail.set()

    assert served == [True]


async def test_the_end_is_the_error_of_the_last_attempt(app: App) -> None:
    async def act(ctx: Context) -> None:
        raise ActionError("BUSY", f"Attempt {ctx.attempt}.")

    heard = await call(app, app.action(retries=again(2, "BUSY"))(act))

    assert (heard.end[0], heard.end[1]["message"]) == ("error", "Attempt 3.")


@pytest.mark.parametrize("retries", [3, Retry(3), again(3, "OTHER"), again(0, "BUSY")])
async def test_any_other_error_is_the_end(app: App, retries: int | Retry) -> None:
    act = app.action(retries=retries)(failing(ActionError("BUSY", "Later.")))

    assert (await call(app, act)).end[1]["code"] == "BUSY"


async def test_what_was_yielded_before_the_error_is_in_the_log(app: App) -> None:
    async def act(ctx: Context) -> AsyncIterator[int]:
        if ctx.attempt == 1:
            for n in range(5):
                yield n
            raise OSError

    heard = await call(app, app.action(retries=again(1, OSError))(act))

    assert heard.chunks == [0, 1, 2, 3, 4, {"attempt": 2, "keep": 0}]


async def test_a_run_over_its_limit_is_not_tried_again() -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(100):
            yield n
        raise ActionError("BUSY", "Later.")

    limits = RunLimits(max_events=20)
    async with opened(App(run_limits=limits)) as app:
        heard = await call(app, app.action(retries=again(3, Exception))(act))

    assert heard.code == "BUSY"
    assert not any(event.type is EventType.RESTARTED for event in heard.events)


async def test_each_attempt_is_logged_with_its_error(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    act = failing(OSError("the service is down"), times=1)

    await call(app, app.action(retries=again(1, OSError))(act))

    assert "run failed: act; tried again in 0 s" in caplog.text
    assert "the service is down" in caplog.text


def test_the_pauses_grow() -> None:
    times: list[float] = []

    async def act() -> None:
        times.append(asyncio.get_running_loop().time())
        raise OSError

    async def program() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with opened(App(timing=QUIET, clock=loop.clock)) as app:
            await outcome(await app.start(app.action(retries=again(3, OSError, backoff=4))(act)))

    run_virtually(program())
    pauses = [later - sooner for sooner, later in pairwise(times)]

    assert [2 <= pauses[0] <= 4.1, 4 <= pauses[1] <= 8.1, 8 <= pauses[2] <= 16.1] == [True] * 3


async def test_a_run_that_waits_for_its_next_attempt_can_be_cancelled(app: App) -> None:
    act = app.action(retries=again(1, OSError, backoff=10 * SOON))(failing(OSError()))
    run = await app.start(act)
    await pending(app, run)

    await run.cancel()

    assert (await outcome(run)).code == "CANCELLED"


async def test_an_error_after_a_cancel_is_not_tried_again(app: App) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError

    run = await app.start(app.action(retries=again(3, OSError))(act))
    await first_chunk(run)
    await run.cancel()

    assert [event.type for event in (await outcome(run)).events] == [
        EventType.CHUNK,
        EventType.ERROR,
    ]


async def test_a_run_that_waits_at_the_close_continues_after_it() -> None:
    store = MemoryStore()
    app = App(store=store, timing=QUIET)
    act = app.action(retries=again(1, OSError, backoff=10 * SOON))(failing(OSError(), times=1))
    run = await app.start(act)
    await pending(app, run)

    await app.close()
    async with opened(app):
        heard = await outcome(run)

    assert heard.end == ("done", {})


async def test_a_store_that_fails_then_makes_the_error_the_end() -> None:
    class Store(MemoryStore):
        async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
            raise StoreError("no space")

    limits = RunLimits(store_patience=0)
    async with opened(App(store=Store(), run_limits=limits)) as app:
        act = app.action(retries=again(3, "BUSY"))(failing(ActionError("BUSY", "Later.")))

        assert (await call(app, act)).end[1]["code"] == "BUSY"


class SlowlySaving(SharedStore):
    """Takes a while for each place, and notes when it has it, and when a lease is given up."""

    def __init__(self, clock: MovingClock) -> None:
        super().__init__(clock=clock)
        self.steps: list[str] = []

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        await super().save(run_id, name, data, seq=seq, fence=fence)
        self.steps.append("saved")

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        if lease == 0:
            self.steps.append("released")
        return await super().heartbeat(run_id, fence=fence, lease=lease)


@pytest.mark.parametrize("is_blocking", [False, True])
async def test_the_last_place_of_an_attempt_is_stored_when_its_process_stops(
    *, is_blocking: bool
) -> None:
    clock = MovingClock()
    store = SlowlySaving(clock)
    app = App(store=store, timing=replace(QUIET, lease=60.0), clock=clock)

    async def endless() -> None:
        await asyncio.Event().wait()

    async def act(ctx: Context) -> AsyncIterator[int]:
        try:
            yield 1
            await endless()
        finally:
            ctx.save("one")

    def act_here(ctx: Context) -> Iterator[int]:
        try:
            yield 1
            ctx.blocking.step("endless", endless)
        finally:
            ctx.save("one")

    run = await app.start(app.action(retries=1)(act_here if is_blocking else act))
    await first_chunk(run)

    await app.close()
    clock.advance(0.001)
    (taken,) = await store.sweep()

    assert store.steps == ["saved", "released"]
    assert await store.saved(run.id) == {"saved": b'{"asked":0,"inbox":0,"value":"one"}'}
    assert (taken.status, taken.saved_seq) == (Status.PENDING, 1)


@pytest.mark.parametrize("retries", [-1, 2.5, "3", True])
def test_wrong_retries_are_told_at_the_declaration(retries: Any) -> None:  # noqa: ANN401 - the point
    with pytest.raises(InvalidAction, match=r"is not a whole number \(0 or more\) or a Retry"):
        App().action(retries=retries)(failing(OSError()))


async def pending(app: App, run: Run[Any]) -> None:
    """Return once the run waits for its next attempt."""
    async with asyncio.timeout(SOON):
        while (await app.snapshot(run.id))["status"] != "pending":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        for _ in range(20):  # its attempt is over by then
            await asyncio.sleep(0)
