"""What every engine does, as tests: `EngineContract`, for real servers."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import ClassVar

import pytest

from yieldwire import Retry, Timing
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.errors import InvalidAction, RunCancelled, UsageError
from yieldwire.executors.engine import Engine
from yieldwire.log.run import Status
from yieldwire.stores import Query, RunStore

SOON = 30.0
SLOW = Timing(sweep_every=0.1, lease=600.0, grace=5.0)
"""Leases and heartbeats take so long that they help nobody."""


class World(ABC):
    """The servers of one test, and the processes of its application, all in this one."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.schedule: str | None = None
        """When ``slow`` starts by itself."""
        self.begun: list[tuple[str, int]] = []
        self.most = self.running = 0
        self.gates: dict[int, asyncio.Event] = {}
        self.failing: set[int] = set()
        """The numbers of runs whose next attempt fails."""

    @abstractmethod
    def store(self) -> RunStore:
        """Return a store over the data of this test."""

    @abstractmethod
    def engine(self, *, claim_within: float = 60.0) -> Engine:
        """Return an engine over the jobs of this test."""

    @abstractmethod
    async def lose_jobs(self) -> int:
        """Delete every job, and return how many there were."""

    async def web(self, *, claim_within: float = 60.0) -> App:
        """Open a process that serves."""
        return await self._opened(self.process("web", self.engine(claim_within=claim_within)))

    async def worker(self, *queues: str, name: str = "worker", concurrency: int = 10) -> App:
        """Open a process that works."""
        app = self.process(name, self.engine())
        app.working.take_from(queues or None, concurrency=concurrency)
        return await self._opened(app)

    async def _opened(self, app: App) -> App:
        await app.open()
        self.stack.push_async_callback(app.close)
        return app

    def process(self, process: str, engine: Engine) -> App:
        """Return the application in another process."""
        app = App(store=self.store(), executor=engine, timing=SLOW)

        async def wait(number: int = 0) -> AsyncIterator[int]:
            yield number
            self.begun.append((process, number))
            if number in self.failing:
                self.failing.remove(number)
                raise ValueError("again")
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await self.gate(number).wait()
            finally:
                self.running -= 1
            yield -number

        app.action(queue="slow", linger=None, schedule=self.schedule)(_named(wait, "slow"))
        again = Retry(1, on=(ValueError,), backoff=0.01)
        app.action(queue="fast", linger=None, retries=again)(_named(wait, "fast"))
        return app

    def gate(self, number: int) -> asyncio.Event:
        return self.gates.setdefault(number, asyncio.Event())


def _named(
    function: Callable[[int], AsyncIterator[int]], name: str
) -> Callable[[int], AsyncIterator[int]]:
    async def named(number: int = 0) -> AsyncIterator[int]:
        async for chunk in function(number):
            yield chunk

    named.__name__ = name
    return named


async def start(app: App, name: str, number: int) -> Run[object]:
    return await app.start(app.registry.action_named(name), {"number": number})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - what it asks has no event
            await asyncio.sleep(0.002)


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(SOON):
        while not await holds():  # noqa: ASYNC110 - what it asks has no event
            await asyncio.sleep(0.005)


async def chunks(run: Run[object]) -> list[object]:
    async with asyncio.timeout(SOON):
        return [chunk async for chunk in run]


class EngineContract:
    """The guarantees of an engine. A subclass has a fixture ``world``."""

    understood: ClassVar[str]
    """A part of the message for times that the engine does not understand."""

    async def test_a_run_is_executed_by_a_worker_and_read_as_it_goes(self, world: World) -> None:
        web = await world.web()
        run = await start(web, "slow", 7)
        for _ in range(3):
            await web.sweep()
        assert (await web.store.get(run.id)).status is Status.PENDING

        await world.worker()
        reading = aiter(run)
        async with asyncio.timeout(SOON):
            assert await anext(reading) == 7
            world.gate(7).set()
            assert await anext(reading) == -7
        assert world.begun == [("worker", 7)]

    async def test_a_cancel_reaches_the_worker_before_its_heartbeat(self, world: World) -> None:
        web, _ = await world.web(), await world.worker()
        run = await start(web, "slow", 1)
        await until(lambda: world.begun == [("worker", 1)])

        await web.cancel(run.id)
        async with asyncio.timeout(SOON):
            with pytest.raises(RunCancelled, match="cancelled"):
                await run.result()

    async def test_a_worker_takes_runs_of_its_queues_only(self, world: World) -> None:
        web, _ = await world.web(), await world.worker("slow")
        runs = [await start(web, name, number) for number, name in enumerate(("fast", "slow"))]
        world.gate(0).set()
        world.gate(1).set()
        assert await chunks(runs[1]) == [1, -1]
        assert world.begun == [("worker", 1)]

        await world.worker("fast", name="other")

        assert await chunks(runs[0]) == [0, 0]
        assert world.begun == [("worker", 1), ("other", 0)]

    async def test_a_worker_executes_a_limited_number_over_all_queues(self, world: World) -> None:
        web, _ = await world.web(), await world.worker(concurrency=2)
        runs = [await start(web, name, n) for n, name in enumerate(("slow", "fast") * 2)]
        await until(lambda: len(world.begun) == 2)

        for number in range(4):
            world.gate(number).set()
        for run in runs:
            await chunks(run)

        assert len(world.begun) == 4
        assert world.most == 2

    async def test_a_run_whose_job_was_lost_comes_again(self, world: World) -> None:
        web = await world.web(claim_within=0.2)
        run = await start(web, "slow", 3)
        await eventually(world.lose_jobs)

        await world.worker()
        world.gate(3).set()

        assert await chunks(run) == [3, -3]
        assert world.begun == [("worker", 3)]

    async def test_the_next_attempt_comes_at_once(self, world: World) -> None:
        web, _ = await world.web(), await world.worker()
        world.gate(6).set()
        world.failing.add(6)

        run = await start(web, "fast", 6)

        assert (await chunks(run))[-1] == -6
        assert world.begun == [("worker", 6), ("worker", 6)]

    async def test_a_worker_that_stops_finishes_its_runs_and_begins_no_more(
        self, world: World
    ) -> None:
        web, worker = await world.web(), await world.worker(concurrency=1)
        first = await start(web, "slow", 1)
        await until(lambda: world.begun == [("worker", 1)])
        second = await start(web, "slow", 2)

        async with asyncio.TaskGroup() as group:
            group.create_task(worker.close())
            world.gate(2).set()
            await until(lambda: worker.is_closing)
            world.gate(1).set()

        assert await chunks(first) == [1, -1]
        assert world.begun == [("worker", 1)]
        await world.worker(name="next")
        assert await chunks(second) == [2, -2]
        assert world.begun == [("worker", 1), ("next", 2)]

    async def test_times_that_it_does_not_understand_are_reported(self, world: World) -> None:
        app = App(store=world.store(), executor=world.engine())

        async def never() -> int:
            return 0

        with pytest.raises(InvalidAction, match=f"never: {self.understood}schedule='61 2"):
            app.action(queue="slow", schedule="61 2 * * *")(never)

    async def test_an_engine_belongs_to_one_application(self, world: World) -> None:
        engine = world.engine()
        App(store=world.store(), executor=engine)

        with pytest.raises(UsageError, match=r"^\w+: .* belongs to another"):
            App(store=world.store(), executor=engine)


async def scheduled(app: App) -> list[str]:
    """Return the ids of the runs that schedules have started."""
    return [run.id for run in await app.store.find(Query(everyone=True)) if run.action == "slow"]
