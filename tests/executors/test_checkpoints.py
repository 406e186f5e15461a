"""What an attempt records is not done again: steps, and what comes before the saved place."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from pydantic_core import from_json

from tests.support.kept import kept
from tests.support.runs import SOON, Outcome, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.retry import Retry
from yieldwire.app import App
from yieldwire.errors import ActionError, Json, StoreError, UsageError
from yieldwire.executors import RunLimits
from yieldwire.executors.checkpoints import PLACE, Recorder
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import Status
from yieldwire.stores.memory import MemoryStore

AGAIN = Retry(3, backoff=0, on=["AGAIN"])


class Fail(ActionError):
    """Leads to another attempt."""

    code = "AGAIN"

    def __init__(self) -> None:
        super().__init__("AGAIN", "Once more.")


class SavingStore(MemoryStore):
    """Notes what is saved, and can be made to wait or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.saves: list[tuple[str, Json, int | None]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures = 0

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        await self.gate.wait()
        return await super().append(run_id, block, after=after, fence=fence)

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        await asyncio.sleep(0)
        await super().save(run_id, name, data, seq=seq, fence=fence)
        self.saves.append((name, from_json(data), seq))


@pytest.fixture
async def store() -> SavingStore:
    return SavingStore()


@pytest.fixture
async def app(store: SavingStore) -> AsyncIterator[App]:
    limits = RunLimits(cancel_within=SOON, store_patience=0.1)
    async with opened(App(store=store, run_limits=limits)) as app:
        yield app


async def repeated(app: App, function: Callable[..., Any]) -> Outcome:
    """Run a function as an action that is tried again after `Fail`."""
    return await call(app, app.action(retries=AGAIN)(function))


def kept_in(heard: Outcome) -> list[Json]:
    """Return the chunks that count in the end."""
    return [event.value for event in kept(heard.events)]


# The saved place.


async def test_a_later_attempt_continues_at_the_saved_place() -> None:
    done: list[int] = []

    async def act(ctx: Context) -> AsyncIterator[int]:
        for row in range(ctx.saved or 0, 6):
            done.append(row)
            yield row
            ctx.save(row + 1)
            if done in ([0, 1, 2], [0, 1, 2, 3, 4]):
                yield -1  # does not count
                raise Fail

    async with opened(App()) as app:
        heard = await repeated(app, act)

    restarts = [event.value for event in heard.events if event.type is EventType.RESTARTED]
    assert done == [0, 1, 2, 3, 4, 5]
    assert restarts == [{"attempt": 2, "keep": 3}, {"attempt": 3, "keep": 7}]
    assert kept_in(heard) == [0, 1, 2, 3, 4, 5]
    assert heard.end == ("done", {})


async def test_the_same_is_true_of_blocking_code(app: App) -> None:
    done: list[int] = []

    def act(ctx: Context) -> Iterator[int]:
        for row in range(ctx.saved or 0, 400):
            done.append(row)
            yield row
            ctx.save(row + 1)
            if len(done) in {3, 150}:
                yield -1
                raise Fail

    heard = await repeated(app, act)

    assert done == [*range(400)]
    assert kept_in(heard) == [*range(400)]


async def test_without_a_saved_place_nothing_of_an_earlier_attempt_stays(app: App) -> None:
    async def act(ctx: Context) -> AsyncIterator[object]:
        yield ctx.saved
        if ctx.attempt == 1:
            raise Fail

    heard = await repeated(app, act)

    assert [event.value for event in heard.events[1:2]] == [{"attempt": 2, "keep": 0}]
    assert kept_in(heard) == [None]


async def test_a_place_is_stored_only_after_the_chunks_before_it(
    app: App, store: SavingStore
) -> None:
    async def act(ctx: Context) -> AsyncIterator[str]:
        ctx.save("begun")
        await until(lambda: len(store.saves) == 1)
        store.gate.clear()
        yield "a"
        ctx.save("a is done")
        yield "b"
        await asyncio.Event().wait()

    run = await app.start(app.action(act))
    await until(lambda: not store.gate.is_set())
    for _ in range(20):
        await asyncio.sleep(0)
    before = [*store.saves]
    store.gate.set()
    await until(lambda: len(store.saves) == 2)
    await run.cancel()

    assert before == [(PLACE, {"asked": 0, "inbox": 0, "value": "begun"}, 0)]
    assert store.saves[1] == (PLACE, {"asked": 0, "inbox": 0, "value": "a is done"}, 1)


async def test_thousands_of_saves_are_few_writes(app: App, store: SavingStore) -> None:
    async def act(ctx: Context) -> AsyncIterator[int]:
        for n in range(5_000):
            yield n
            ctx.save(n)
        raise Fail

    async def give_up(ctx: Context) -> AsyncIterator[int]:
        if ctx.attempt > 1:
            return
        async for n in act(ctx):
            yield n

    heard = await repeated(app, give_up)

    assert store.saves[-1] == (PLACE, {"asked": 0, "inbox": 0, "value": 4_999}, 5_000)
    assert len(store.saves) < 500
    assert heard.events[5_000].value == {"attempt": 2, "keep": 5_000}


async def test_the_last_save_is_stored_before_the_next_attempt(app: App) -> None:
    async def act(ctx: Context) -> object:
        if ctx.attempt == 1:
            ctx.save({"page": 7})
            raise Fail
        return ctx.saved

    assert (await repeated(app, act)).end == ("done", {"result": {"page": 7}})


async def test_what_was_saved_is_seen_at_once_and_does_not_change_with_its_source(app: App) -> None:
    async def act(ctx: Context) -> list[object]:
        place = {"pages": [1]}
        before = ctx.saved
        ctx.save(place)
        place["pages"].append(2)
        return [before, ctx.saved]

    assert (await call(app, act)).end[1]["result"] == [None, {"pages": [1]}]


async def test_a_place_that_is_not_json_is_refused(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(ctx: Context) -> None:
        ctx.save(object())

    assert (await call(app, act)).code == "INTERNAL_ERROR"
    assert "act: saved is of the type object, which cannot be written as JSON" in caplog.text


async def test_a_save_of_another_thread_has_no_place(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(ctx: Context) -> None:
        await asyncio.to_thread(ctx.save, 1)

    await call(app, act)

    assert "ctx.save() belongs in the action itself, not in another thread" in caplog.text


async def test_blocking_code_can_save_within_a_loop_of_its_own(app: App) -> None:
    async def inner(ctx: Context) -> None:
        ctx.save("inner")

    def act(ctx: Context) -> object:
        if ctx.attempt == 1:
            asyncio.run(inner(ctx))
            raise Fail
        return ctx.saved

    assert (await repeated(app, act)).end == ("done", {"result": "inner"})


async def test_each_place_has_the_number_of_the_last_message_before_it(app: App) -> None:
    async def act(ctx: Context) -> int:
        assert ctx.running is not None
        checkpoints = cast("Recorder", ctx.running.checkpoints)
        if ctx.attempt == 1:
            checkpoints.inbox = 5
            ctx.save("after five messages")
            checkpoints.inbox = 6
            raise Fail
        return checkpoints.inbox

    assert (await repeated(app, act)).end[1] == {"result": 5}


# Steps.


@dataclass(frozen=True)
class Review:
    """What a step returns."""

    text: str
    score: int


async def test_a_step_that_was_recorded_is_not_made_again(app: App) -> None:
    calls: list[str] = []

    def review(text: str, *, score: int) -> Review:
        calls.append(text)
        return Review(text, score)

    async def fetch(url: str) -> list[int]:
        calls.append(url)
        return [1, 2]

    async def act(ctx: Context) -> list[object]:
        got = await ctx.step("review", review, "good", score=3)
        numbers = await ctx.step("fetch", fetch, "/page")
        if ctx.attempt < 3:
            raise Fail
        return [got == Review("good", 3), numbers]

    assert (await repeated(app, act)).end[1] == {"result": [True, [1, 2]]}
    assert calls == ["good", "/page"]


async def test_a_step_in_blocking_code_runs_in_its_thread_and_waits_for_the_record(
    app: App,
    store: SavingStore,
) -> None:
    threads: list[int] = []
    calls: list[str] = []

    def load(name: str) -> str:
        threads.append(threading.get_ident())
        calls.append(name)
        return name.upper()

    async def fetch(name: str) -> str:
        calls.append(name)
        return name.upper()

    def act(ctx: Context) -> Iterator[str]:
        threads.append(threading.get_ident())
        yield "first"
        yield ctx.blocking.step("load", load, "a")
        yield ctx.blocking.step("fetch", fetch, "b")
        if ctx.attempt == 1:
            raise Fail

    heard = await repeated(app, act)

    assert kept_in(heard) == ["first", "A", "B"]
    assert calls == ["a", "b"]
    assert threads[0] == threads[1]
    assert [name for name, _, _ in store.saves] == ["step:load", "step:fetch"]


async def test_a_step_that_raises_is_not_recorded(app: App) -> None:
    calls: list[int] = []

    def pay(attempt: int) -> str:
        calls.append(attempt)
        if attempt == 1:
            raise Fail
        return "paid"

    async def act(ctx: Context) -> str:
        return await ctx.step("pay", pay, ctx.attempt)

    assert (await repeated(app, act)).end[1] == {"result": "paid"}
    assert calls == [1, 2]


async def test_a_step_has_retries_of_its_own(app: App) -> None:
    calls: list[str] = []

    async def flaky(name: str) -> int:
        calls.append(name)
        if len(calls) % 3:
            raise ConnectionResetError
        return len(calls)

    def flaky_here(name: str) -> int:
        calls.append(name)
        if len(calls) % 3:
            raise ConnectionResetError
        return len(calls)

    async def act(ctx: Context) -> int:
        return await ctx.step("flaky", flaky, "a", retries=Retry(2, backoff=0))

    def act_here(ctx: Context) -> int:
        return ctx.blocking.step("flaky", flaky_here, "b", retries=Retry(2, backoff=0.001))

    assert (await call(app, act)).end[1] == {"result": 3}
    assert (await call(app, act_here)).end[1] == {"result": 6}
    assert calls == ["a", "a", "a", "b", "b", "b"]


async def test_the_end_of_a_steps_retries_is_its_last_error(app: App) -> None:
    calls: list[int] = []

    async def fails() -> None:
        calls.append(1)
        raise ActionError("NO", f"Number {len(calls)}.")

    async def act(ctx: Context) -> None:
        await ctx.step("fails", fails, retries=Retry(2, backoff=0, on=["NO"]))

    assert (await call(app, act)).end[1]["message"] == "Number 3."


async def test_steps_at_the_same_time_are_numbered_in_the_order_of_their_calls(
    app: App, store: SavingStore
) -> None:
    calls: list[int] = []

    async def square(n: int) -> int:
        calls.append(n)
        for _ in range(10 - n):
            await asyncio.sleep(0)
        return n * n

    async def act(ctx: Context) -> list[int]:
        squares = await asyncio.gather(*(ctx.step("square", square, n) for n in range(5)))
        if ctx.attempt == 1:
            raise Fail
        return list(squares)

    assert (await repeated(app, act)).end[1] == {"result": [0, 1, 4, 9, 16]}
    assert sorted(calls) == [0, 1, 2, 3, 4]
    assert {name for name, _, _ in store.saves} == {
        "step:square",
        *(f"step:square#{n}" for n in (2, 3, 4, 5)),
    }


async def test_a_name_that_is_used_on_both_sides_of_a_save_is_refused(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(ctx: Context) -> None:
        for n in range(2):
            await ctx.step("send", abs, n)
            ctx.save(n + 1)

    assert (await call(app, act)).code == "INTERNAL_ERROR"
    assert "The step 'send' is used again after ctx.save()" in caplog.text


async def test_the_chunks_before_a_step_are_in_the_log_before_its_record(app: App) -> None:
    seqs: list[int] = []

    class Store(MemoryStore):
        async def save(
            self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
        ) -> None:
            seqs.append((await self.get(run_id)).seq)
            await super().save(run_id, name, data, seq=seq, fence=fence)

    async def three() -> int:
        return 3  # without a wait, at which the chunks would be written anyway

    async def act(ctx: Context) -> AsyncIterator[int]:
        yield 1
        yield 2
        yield await ctx.step("three", three)

    async with opened(App(store=Store())) as other:
        await call(other, act)

    assert seqs == [2]


async def test_a_step_that_is_cancelled_is_not_recorded(app: App) -> None:
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def act(ctx: Context) -> None:
        await ctx.step("endless", endless)

    run = await app.start(app.action(act))
    await begun.wait()
    await run.cancel()

    assert (await outcome(run)).code == "CANCELLED"
    assert await app.store.saved(run.id) == {}


async def test_a_blocking_action_that_waits_for_a_step_is_stopped(app: App) -> None:
    begun = asyncio.Event()
    ends: list[str] = []

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    def act(ctx: Context) -> None:
        try:
            ctx.blocking.step("endless", endless)
        except asyncio.CancelledError:
            ends.append("stopped")
            raise

    run = await app.start(app.action(act))
    await begun.wait()
    await run.cancel()

    assert (await outcome(run)).code == "CANCELLED"
    assert ends == ["stopped"]


async def a_step(ctx: Context) -> None:
    ctx.blocking.step("a", abs, 1)


def a_blocking_step(ctx: Context) -> None:
    _ = ctx.step("a", abs, 1)


async def a_step_elsewhere(ctx: Context) -> None:
    await asyncio.to_thread(ctx.blocking.step, "a", abs, 1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (a_step, "write ctx.step(…)"),
        (a_blocking_step, "write ctx.blocking.step(…)"),
        (a_step_elsewhere, "ctx.blocking.step() belongs in the action itself"),
    ],
)
async def test_each_kind_of_action_has_its_own_method(
    app: App, function: Callable[..., Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await call(app, function)).code == "INTERNAL_ERROR"
    assert message in caplog.text


def test_in_a_guard_there_is_nothing_to_record() -> None:
    ctx = Context(run_id="r1", action="a", owner=None, quota_key="c", request=cast("Any", None))

    for use in (lambda: ctx.saved, lambda: ctx.save(1), lambda: ctx.step("a", abs, 1)):
        with pytest.raises(UsageError, match="needs a running attempt"):
            use()


# Limits and failures.


async def test_what_a_run_records_has_a_limit_in_bytes() -> None:
    def big(n: int) -> str:
        return "x" * n

    async def steps(ctx: Context) -> None:
        await ctx.step("a", big, 400)
        await ctx.step("b", big, 600)

    async def places(ctx: Context) -> None:
        for _ in range(10):
            ctx.save("x" * 400)  # each replaces the one before
        ctx.save("x" * 1_000)

    async with opened(App(run_limits=RunLimits(max_saved_bytes=1_000))) as app:
        ends = [(await call(app, act)).end[1] for act in (steps, places)]

    assert [end["code"] for end in ends] == ["LIMIT_EXCEEDED", "LIMIT_EXCEEDED"]
    assert "over the limit of 1000 bytes" in ends[0]["message"]


async def test_a_store_that_fails_for_a_moment_is_waited_for(app: App, store: SavingStore) -> None:
    store.failures = 1

    async def act(ctx: Context) -> int:
        return await ctx.step("one", abs, -1)

    assert (await call(app, act)).end[1] == {"result": 1}


async def saves_a_place(ctx: Context) -> None:
    ctx.save(1)
    await asyncio.Event().wait()


async def makes_a_step(ctx: Context) -> None:
    await ctx.step("one", abs, -1)


@pytest.mark.parametrize("function", [saves_a_place, makes_a_step])
async def test_a_store_that_fails_for_longer_interrupts_the_run(
    app: App, store: SavingStore, function: Callable[..., Any]
) -> None:
    store.failures = 1_000

    assert (await call(app, function)).code == "INTERRUPTED"


async def test_an_attempt_that_has_lost_its_run_cannot_record(app: App) -> None:
    ends: list[object] = []
    is_taken = asyncio.Event()

    async def slow() -> int:
        await is_taken.wait()
        return 1

    async def act(ctx: Context) -> AsyncIterator[int]:
        yield ctx.attempt
        try:
            yield await ctx.step("slow", slow)
        except BaseException as exc:
            ends.append(exc)
            raise

    run = await app.start(app.action(act))
    await first_chunk(run)
    record = await app.store.get(run.id)
    await app.store.restart(run.id, fence=record.fence, delay=100.0)
    is_taken.set()
    await until(lambda: bool(ends))

    assert await app.store.saved(run.id) == {}
    assert (await app.store.get(run.id)).status is Status.PENDING


async def until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` is true."""
    async with asyncio.timeout(SOON):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
