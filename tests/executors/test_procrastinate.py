"""Procrastinate as an engine, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, ClassVar

import procrastinate
import psycopg
import pytest
from procrastinate.app import WorkerOptions
from procrastinate.schema import SchemaManager

from tests.executors.engines import (
    EngineContract,
    World,
    chunks,
    eventually,
    scheduled,
    start,
    until,
)
from tests.support.postgres import dsn, empty_schema, new_schema
from yieldwire.errors import UsageError
from yieldwire.executors.procrastinate import START, Procrastinate
from yieldwire.stores.postgres import PostgresStore


@cache
def jobs_schema() -> str:
    """Return the name of a schema with procrastinate's tables, which all tests here use."""
    name = new_schema()
    with psycopg.connect(dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}; SET search_path = {name}".encode())
        connection.execute(SchemaManager.get_schema())
    return name


class ProcrastinateWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.schema = empty_schema()
        self.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")

    def store(self) -> PostgresStore:
        return PostgresStore(dsn(), schema=self.schema)

    def engine(self, *, claim_within: float = 60.0) -> Procrastinate:
        return Procrastinate(self.app(), claim_within=claim_within)

    def app(self, schema: str | None = None) -> procrastinate.App:
        options = {"options": f"-c search_path={schema or jobs_schema()}"}
        connector = procrastinate.PsycopgConnector(
            conninfo=dsn(), kwargs=options, min_size=1, max_size=4
        )
        often = WorkerOptions(fetch_job_polling_interval=0.05)
        return procrastinate.App(connector=connector, worker_defaults=often)

    def rows(self, statement: str) -> list[Any]:
        with psycopg.connect(dsn(), autocommit=True) as connection:
            connection.execute(f"SET search_path = {jobs_schema()}".encode())
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    async def ask(self, statement: str) -> list[Any]:
        return await asyncio.to_thread(self.rows, statement)

    async def lose_jobs(self) -> int:
        return len(await self.ask("DELETE FROM procrastinate_jobs RETURNING 1"))

    async def begin_jobs(self) -> int:
        """Begin with every job, as a worker that is lost then."""
        taken = "UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo' RETURNING 1"
        return len(await self.ask(taken))

    async def has_no_jobs(self) -> bool:
        return not await self.ask("SELECT 1 FROM procrastinate_jobs")

    async def has_done_all(self) -> bool:
        return not await self.ask("SELECT 1 FROM procrastinate_jobs WHERE status <> 'succeeded'")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = await asyncio.to_thread(ProcrastinateWorld)
    async with world.stack:
        yield world


class TestProcrastinate(EngineContract):
    understood: ClassVar = "procrastinate does not understand "

    async def test_a_time_of_a_schedule_starts_one_run_however_often_it_comes(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert isinstance(world, ProcrastinateWorld)
        world.schedule = "* * * * *"
        world.gate(0).set()
        workers = [await world.worker(name=name) for name in ("one", "two")]
        await until(lambda: len(world.begun) >= 1)  # procrastinate makes up for the last minute
        [first] = await scheduled(workers[0])
        [[arguments]] = await world.ask("SELECT args FROM procrastinate_jobs WHERE args ? 'action'")
        at = arguments["timestamp"]

        async with world.app().open_async() as jobs:
            for timestamp in (at, at - 1200):
                times = jobs.configure_task(START, queue="slow")
                await times.defer_async(timestamp=timestamp, action="slow")
            await until(lambda: "too late" in caplog.text)
            await eventually(world.has_done_all)

        assert await scheduled(workers[0]) == [first]

    async def test_its_own_worker_executes_runs_as_well(self, world: World) -> None:
        assert isinstance(world, ProcrastinateWorld)
        web = await world.web()
        world.gate(4).set()
        run = await start(web, "slow", 4)

        # As `procrastinate worker` does in a process that imports the application.
        jobs = world.app()
        app = world.process("theirs", Procrastinate(jobs))
        world.stack.push_async_callback(app.close)
        async with jobs.open_async(), asyncio.TaskGroup() as group:
            working = group.create_task(
                jobs.run_worker_async(queues=["slow"], install_signal_handlers=False)
            )
            assert await chunks(run) == [4, -4]
            working.cancel()

        assert world.begun == [("theirs", 4)]

    async def test_jobs_of_a_lost_worker_are_cleared_away(self, world: World) -> None:
        assert isinstance(world, ProcrastinateWorld)
        web = await world.web()
        await start(web, "slow", 5)
        await eventually(world.begin_jobs)

        await world.worker()

        await eventually(world.has_no_jobs)

    async def test_tables_that_are_missing_are_told(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert isinstance(world, ProcrastinateWorld)
        with pytest.raises(UsageError, match=r"create them with `procrastinate --app=… schema"):
            async with Procrastinate(world.app("public")).connected():
                pass
