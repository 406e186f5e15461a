"""Runs of queues are executed by the processes that take them, a limited number at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import pytest

from yieldwire import Context, Retry, Timing, Upload
from yieldwire.actions.declare import Declare
from yieldwire.app import App
from yieldwire.errors import InvalidAction, RunCancelled, StoreError, UsageError
from yieldwire.executors.queueing import QueueWorker
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Reach, RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.tasks import Tasks
from yieldwire.testing.contract.harness import SOON

QUIET = Timing(sweep_every=0.05, lease=1.0, grace=0.5)


class World:
    """What the actions of one test do: each run waits at a gate."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.most = 0
        self.gates: dict[int, asyncio.Event] = {}
        self._running = 0

    def open(self, number: int) -> None:
        self.gates.setdefault(number, asyncio.Event()).set()

    async def pass_gate(self, number: int) -> None:
        self.begun.append(number)
        self._running += 1
        self.most = max(self.most, self._running)
        try:
            await self.gates.setdefault(number, asyncio.Event()).wait()
        finally:
            self._running -= 1


@pytest.fixture
def world() -> World:
    return World()


def application(store: RunStore, world: World) -> App:
    app = App(store=store, timing=QUIET)

    @app.action(queue="slow", linger=None)
    async def wait(number: int) -> AsyncIterator[int]:
        yield number
        await world.pass_gate(number)
        yield -number

    return app


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - what it asks has no event
            await asyncio.sleep(0.001)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(stack: AsyncExitStack, app: App) -> App:
    await app.open()
    stack.push_async_callback(app.close)
    return app


async def test_a_web_process_executes_no_run_of_a_queue(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    web = await opened(stack, application(SQLiteStore(tmp_path / "runs.db"), world))
    run = await web.start(web.registry.action_named("wait"), {"number": 1})

    for _ in range(5):
        await web.sweep()
    assert (await web.store.get(run.id)).status is Status.PENDING

    worker = application(SQLiteStore(tmp_path / "runs.db"), world)
    worker.working.take_from(["slow"])
    await opened(stack, worker)
    world.open(1)
    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in run] == [1, -1]


async def test_without_another_process_this_one_executes_them(
    world: World, stack: AsyncExitStack
) -> None:
    app = await opened(stack, application(MemoryStore(), world))
    world.open(7)

    run = await app.start(app.registry.action_named("wait"), {"number": 7})

    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in run] == [7, -7]


async def test_a_limited_number_of_runs_is_executed_at_a_time(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    app = application(SQLiteStore(tmp_path / "runs.db"), world)
    app.working.take_from(None, concurrency=2)
    await opened(stack, app)
    runs = [await app.start(app.registry.action_named("wait"), {"number": n}) for n in range(5)]

    await until(lambda: len(world.begun) == 2)
    for number in range(5):
        world.open(number)
    async with asyncio.timeout(SOON):
        for run in runs:
            await run.result()

    assert world.begun == [0, 1, 2, 3, 4]
    assert world.most == 2


async def test_a_file_is_there_for_the_worker(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    for store in (MemoryStore(), SQLiteStore(tmp_path / "runs.db")):
        app = application(store, world)

        @app.action(queue="files")
        async def length(file: Upload) -> int:
            return len(await file.read())

        if store.reach != "process":
            app.working.take_from(["files"])
        await opened(stack, app)

        run = await app.start(length, {"file": Upload(BytesIO(b"hello"), filename="a.txt")})

        async with asyncio.timeout(SOON):
            assert await run.result() == 5


async def test_a_run_that_waits_can_be_cancelled_and_never_starts(
    world: World, stack: AsyncExitStack
) -> None:
    app = application(MemoryStore(), world)
    app.working.take_from(None, concurrency=1)
    await opened(stack, app)
    first, second = [
        await app.start(app.registry.action_named("wait"), {"number": n}) for n in (1, 2)
    ]
    await until(lambda: world.begun == [1])

    await second.cancel()
    world.open(1)
    world.open(2)

    with pytest.raises(RunCancelled, match="cancelled"):
        await second.result()
    await first.result()
    assert world.begun == [1]


async def test_a_cancel_in_another_process_reaches_the_worker_before_its_heartbeat(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    slow = Timing(sweep_every=60.0, lease=600.0, grace=0.5)
    web, worker = [App(store=SQLiteStore(tmp_path / "runs.db"), timing=slow) for _ in range(2)]
    for app in (web, worker):

        @app.action(queue="slow", linger=None)
        async def wait(number: int) -> AsyncIterator[int]:
            yield number
            await world.pass_gate(number)

    worker.working.take_from(None)
    await opened(stack, web)
    await opened(stack, worker)
    run = await web.start(web.registry.action_named("wait"), {"number": 1})
    await until(lambda: world.begun == [1])

    await web.cancel(run.id)

    async with asyncio.timeout(SOON):
        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result()


async def test_the_next_attempt_is_for_any_worker(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    attempts: list[tuple[str, int]] = []
    apps = dict[str, App]()
    for name in ("web", "worker"):
        apps[name] = app = App(store=SQLiteStore(tmp_path / "runs.db"), timing=QUIET)

        @app.action(queue="slow", linger=None, retries=Retry(2, on=(ValueError,), backoff=0.01))
        async def fail(ctx: Context) -> int:
            attempts.append((name, ctx.attempt))  # noqa: B023 - the last one, the worker's
            if ctx.attempt < 3:
                raise ValueError("again")
            return ctx.attempt

    apps["worker"].working.take_from(None)
    for app in apps.values():
        await opened(stack, app)

    run = await apps["web"].start(apps["web"].registry.action_named("fail"), {})

    async with asyncio.timeout(SOON):
        assert await run.result() == 3
    assert [attempt for _, attempt in attempts] == [1, 2, 3]


async def test_a_store_that_fails_is_asked_again(
    tmp_path: Path, world: World, stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(SQLiteStore):
        failures = 1

        async def take(self, *args: Any, **named: Any) -> RunRecord | None:  # noqa: ANN401
            if self.failures:
                self.failures -= 1
                raise StoreError("the disk is full")
            return await super().take(*args, **named)

    app = application(Failing(tmp_path / "runs.db"), world)
    app.working.take_from(None, concurrency=1)
    await opened(stack, app)
    world.open(1)

    run = await app.start(app.registry.action_named("wait"), {"number": 1})

    async with asyncio.timeout(SOON):
        await run.result()
    assert "no run can be taken, which is tried again: the disk is full" in caplog.text


async def test_a_process_that_closes_takes_no_more_runs(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    worker = application(SQLiteStore(tmp_path / "runs.db"), world)
    worker.working.take_from(None)
    web = await opened(stack, application(SQLiteStore(tmp_path / "runs.db"), world))
    await worker.open()
    await worker.close()

    run = await web.start(web.registry.action_named("wait"), {"number": 1})

    assert await web.store.take(["slow"], lease=1.0) == await web.store.get(run.id)


def test_a_queue_that_no_action_has_is_reported(world: World) -> None:
    app = application(MemoryStore(), world)

    with pytest.raises(UsageError, match=r"No action has the queue 'slwo'; .* are: slow\.$"):
        app.working.take_from(["slow", "slwo"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"priority": 3}, r"name a queue=\.$"),
        ({"slots": 2}, r"name a queue=\.$"),
        ({"slots_per_caller": 1}, r"name a queue=\.$"),
        *[
            ({"queue": name}, "queue=.* is not the name of a queue")
            for name in ("", "two words", "a,b", "-x", 7)
        ],
        ({"queue": "slow", "priority": 0.5}, "priority=0.5 is not a whole number"),
        ({"queue": "slow", "slots": 0}, "slots=0 is not a whole number"),
    ],
    ids=str,
)
def test_wrong_options_of_a_queue_are_reported(options: dict[str, object], told: str) -> None:
    async def answer() -> int:
        return 42

    with pytest.raises(InvalidAction, match=told):
        Declare(lambda _: None, options)(answer)


def test_a_file_that_no_worker_could_read_is_refused_at_the_opening() -> None:
    class Far(MemoryStore):
        reach: ClassVar[Reach] = "network"

    app = App(store=Far())

    @app.action(queue="slow")
    async def length(file: Upload) -> int:
        return 0

    with pytest.raises(
        UsageError, match="length: its input takes a file, which this store does not"
    ):
        asyncio.run(app.open())


async def test_taking_runs_can_be_cancelled_and_begun_again(
    tmp_path: Path, world: World, stack: AsyncExitStack
) -> None:
    web = await opened(stack, application(SQLiteStore(tmp_path / "runs.db"), world))
    delivered, tasks = asyncio.Queue[str](), Tasks()

    async def deliver(run: RunRecord) -> None:
        delivered.put_nowait(run.id)

    queue = QueueWorker(web.store, deliver, queues=lambda: ["slow"], slots=dict, concurrency=1)
    for _ in range(2):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):  # there is nothing to take
                await queue.work(tasks)
    run = await web.start(web.registry.action_named("wait"), {"number": 1})

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        working = group.create_task(queue.work(tasks))
        assert await delivered.get() == run.id
        working.cancel()
