"""Runs of queues reach workers by an engine, which can lose, repeat and refuse what it is given."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from yieldwire import Context, Retry, Timing
from yieldwire.actions.declare import Declare
from yieldwire.app import App
from yieldwire.errors import InvalidAction, StoreError, Unauthorized, UsageError
from yieldwire.executors import queueing
from yieldwire.executors.engine import Jobs, Schedule
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import SOON

QUIET = Timing(sweep_every=0.05, lease=1.0, grace=0.5)


class Wire:
    """What the engines of several processes have in common: the ids that wait."""

    def __init__(self) -> None:
        self.ids: asyncio.Queue[str] = asyncio.Queue()
        self.sent: list[str] = []
        self.failures: list[str] = []
        """What goes wrong next, each once: connecting, sending, working."""

    def fail(self, what: str) -> None:
        if what in self.failures:
            self.failures.remove(what)
            raise OSError(f"{what} is out of reach")


class LineEngine:
    """An engine of one line of ids."""

    def __init__(self, wire: Wire, claim_within: float = 60.0) -> None:
        self.wire, self.claim_within = wire, claim_within
        self.schedules: list[Schedule] = []

    def bind(self, jobs: Jobs, /) -> None:
        self.jobs = jobs

    def schedule(self, schedule: Schedule, /) -> None:
        self.schedules.append(schedule)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None, None]:
        self.wire.fail("connecting")
        yield

    async def send(self, run: RunRecord, /) -> None:
        self.wire.fail("sending")
        self.wire.sent.append(run.id)
        self.wire.ids.put_nowait(run.id)

    async def work(self, queues: Collection[str], concurrency: int, /) -> None:
        self.wire.fail("working")
        while True:
            await self.jobs.execute(await self.wire.ids.get())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - what it asks has no event
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yieldwire.app.relaying.FIRST_PAUSE", 0.01)
    monkeypatch.setattr(queueing, "TAKE_WAIT", 0.05)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


class Site:
    """A web process and a worker, which execute ``greet``."""

    def __init__(
        self,
        folder: Path,
        wire: Wire,
        claim_within: float = 60.0,
        engine: type[LineEngine] = LineEngine,
    ) -> None:
        self.wire = wire
        self.web, self.worker = [
            App(
                store=SQLiteStore(folder / "runs.db"),
                executor=engine(wire, claim_within),
                timing=QUIET,
            )
            for _ in range(2)
        ]
        self.done: list[tuple[str, int]] = []
        for name, app in (("web", self.web), ("worker", self.worker)):
            self._declare(name, app)
        self.worker.working.take_from(None)

    def _declare(self, process: str, app: App) -> None:
        @app.action(queue="slow", linger=None, retries=Retry(1, on=(ValueError,), backoff=0.01))
        async def greet(ctx: Context, name: str) -> str:
            self.done.append((process, ctx.attempt))
            if ctx.attempt == 1 and name == "nobody":
                raise ValueError("again")
            return f"Hello, {name}!"

    async def greeting(self, name: str = "Ada") -> str:
        run = await self.web.start(self.web.registry.action_named("greet"), {"name": name})
        async with asyncio.timeout(SOON):
            return str(await run.result())


@pytest.fixture
async def site(tmp_path: Path, stack: AsyncExitStack) -> Site:
    site = Site(tmp_path, Wire())
    for app in (site.web, site.worker):
        stack.push_async_callback(app.close)
    return site


async def test_a_worker_executes_what_the_engine_delivers(site: Site) -> None:
    await site.web.open()
    await site.worker.open()

    assert await site.greeting() == "Hello, Ada!"
    assert site.done == [("worker", 1)]


async def test_the_engine_carries_the_next_attempt_too(site: Site) -> None:
    await site.web.open()
    await site.worker.open()

    assert await site.greeting("nobody") == "Hello, nobody!"
    assert site.done == [("worker", 1), ("worker", 2)]
    assert len(site.wire.sent) == 2


async def test_an_id_that_comes_twice_is_executed_once(site: Site) -> None:
    await site.web.open()
    await site.worker.open()
    await site.greeting()
    [run_id] = site.wire.sent

    site.wire.ids.put_nowait(run_id)

    assert await site.greeting() == "Hello, Ada!"
    assert site.done == [("worker", 1), ("worker", 1)]


async def test_an_id_that_the_engine_has_lost_is_given_to_it_again(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    site = Site(tmp_path, Wire(), claim_within=0.1)
    for app in (site.web, site.worker):
        stack.push_async_callback(app.close)
    await site.web.open()
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        greeting = group.create_task(site.greeting())
        await site.wire.ids.get()

        await site.worker.open()

        assert await greeting == "Hello, Ada!"
    assert len({*site.wire.sent}) == 1
    assert len(site.wire.sent) >= 2


async def test_a_run_that_has_lost_its_slot_waits_for_another(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    wire, begun, gate = Wire(), list[int](), asyncio.Event()
    engine = LineEngine(wire)
    app = App(store=SQLiteStore(tmp_path / "runs.db"), executor=engine, timing=QUIET)

    @app.action(queue="slow", slots=1, linger=None)
    async def wait(number: int) -> int:
        begun.append(number)
        await gate.wait()
        return number

    await app.open()
    stack.push_async_callback(app.close)
    first, second = [await app.start(wait, {"number": n}) for n in (1, 2)]
    async with asyncio.timeout(SOON):
        assert await wire.ids.get() == first.id

        await engine.jobs.execute(second.id)
        assert begun == []
        gate.set()
        await engine.jobs.execute(first.id)

        assert await wire.ids.get() == second.id
        await engine.jobs.execute(second.id)
        assert await second.result() == 2
    assert begun == [1, 2]


@pytest.mark.parametrize("what", ["connecting", "sending", "working"])
async def test_an_engine_that_is_away_is_tried_again(
    site: Site, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    site.wire.failures.append(what)
    await site.web.open()
    await site.worker.open()

    assert await site.greeting() == "Hello, Ada!"
    assert f"{what} is out of reach" in caplog.text


async def test_a_close_lets_the_engine_end_by_itself(tmp_path: Path) -> None:
    said, gate = list[str](), asyncio.Event()

    class Polite(LineEngine):
        async def work(self, queues: Collection[str], concurrency: int, /) -> None:
            try:
                said.append("works")
                await asyncio.Event().wait()
            finally:
                said.append("stops")
                await gate.wait()
                said.append("has stopped")

    site = Site(tmp_path, Wire(), engine=Polite)
    await site.worker.open()
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        await until(lambda: said == ["works"])
        group.create_task(site.worker.close())
        await until(lambda: said == ["works", "stops"])
        gate.set()

    assert said == ["works", "stops", "has stopped"]


async def test_an_engine_needs_a_store_that_its_workers_reach() -> None:
    app = App(store=MemoryStore(), executor=LineEngine(Wire()))

    with pytest.raises(UsageError, match="workers of an engine cannot share this store"):
        await app.open()


# Schedules.


class Nightly:
    """An application with a scheduled action, and the times for which it was started."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovingClock()
        self.engine = LineEngine(Wire())
        self.app = App(
            store=SQLiteStore(folder / "runs.db", clock=self.clock),
            executor=self.engine,
            clock=self.clock,
            timing=QUIET,
        )
        self.app.working.take_from(None)
        self.refusal: Exception | None = None

        async def guard(ctx: Context) -> None:
            if self.refusal is not None:
                raise self.refusal

        @self.app.action(queue="slow", schedule="30 2 * * *", guards=[guard])
        async def clean(ctx: Context, days: int = 30) -> str:
            return f"{ctx.owner}, {ctx.request.method}, {days}"

    async def runs(self) -> list[RunRecord]:
        return [*await self.app.store.find(Query(everyone=True))]

    @property
    def now(self) -> float:
        return self.clock.now()


@pytest.fixture
async def nightly(tmp_path: Path, stack: AsyncExitStack) -> Nightly:
    nightly = Nightly(tmp_path)
    stack.push_async_callback(nightly.app.close)
    return nightly


async def test_a_schedule_starts_a_run_without_an_owner(nightly: Nightly) -> None:
    await nightly.engine.jobs.tick("clean", nightly.now)

    [record] = await nightly.runs()
    run = await nightly.app.runs.get(record.id)
    async with asyncio.timeout(SOON):
        assert await run.result() == "None, SCHEDULE, 30"
    assert record.owner is None
    assert nightly.engine.schedules == [Schedule(action="clean", queue="slow", cron="30 2 * * *")]


async def test_a_time_that_comes_twice_starts_one_run(nightly: Nightly) -> None:
    first = nightly.now
    await asyncio.gather(*(nightly.engine.jobs.tick("clean", first) for _ in range(3)))

    await nightly.engine.jobs.tick("clean", first + 60.0)

    assert len(await nightly.runs()) == 2


async def test_a_time_that_is_ten_minutes_ago_is_missed(
    nightly: Nightly, caplog: pytest.LogCaptureFixture
) -> None:
    await nightly.engine.jobs.tick("clean", nightly.now - 599.0)
    assert len(await nightly.runs()) == 1

    await nightly.engine.jobs.tick("clean", nightly.now - 601.0)

    assert len(await nightly.runs()) == 1
    assert "no run of clean was started by its schedule: it is too late" in caplog.text


async def test_a_schedule_of_an_action_that_is_gone_starts_nothing(
    nightly: Nightly, caplog: pytest.LogCaptureFixture
) -> None:
    await nightly.engine.jobs.tick("gone", nightly.now)

    assert not await nightly.runs()
    assert "no run of gone was started by its schedule: there is no such action" in caplog.text


async def test_a_guard_can_refuse_a_scheduled_run(
    nightly: Nightly, caplog: pytest.LogCaptureFixture
) -> None:
    for refusal in (Unauthorized("Sign in."), RuntimeError("the budget is away")):
        nightly.refusal = refusal
        await nightly.engine.jobs.tick("clean", nightly.now)

    assert not await nightly.runs()
    assert "by its schedule: Sign in." in caplog.text
    assert "by its schedule: the budget is away" in caplog.text


async def test_the_engine_delivers_again_what_a_store_that_is_away_cannot_start(
    nightly: Nightly,
) -> None:
    nightly.refusal = StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        await nightly.engine.jobs.tick("clean", nightly.now)


async def test_a_schedule_without_an_engine_is_refused_at_the_opening() -> None:
    app = App()

    @app.action(queue="slow", schedule="30 2 * * *")
    async def clean() -> int:
        return 0

    with pytest.raises(UsageError, match=r"clean: schedule= needs an engine .* let cron start"):
        await app.open()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"schedule": "* * * * *"}, r"declare it with @actions.action\(queue=\.\.\.\)"),
        ({"queue": "slow", "schedule": "hourly"}, "is not a time as cron has it"),
        ({"queue": "slow", "schedule": "0 0 * * * *"}, "is not a time as cron has it"),
        ({"queue": "slow", "schedule": "0 0 * * *"}, "give a default to: year"),
    ],
    ids=str,
)
def test_wrong_options_of_a_schedule_are_reported(options: dict[str, object], told: str) -> None:
    async def report(year: int, month: int = 1) -> int:
        return 0

    with pytest.raises(InvalidAction, match=told):
        Declare(lambda _: None, options)(report)
