"""Workers share the runs of a queue, and a worker that is killed loses none."""

import importlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.durability.fleet import Fleet, drain
from tests.support.postgres import PostgresServer
from tests.support.valkey import RedisServer


@contextmanager
def postgres() -> Generator[str, None, None]:
    importlib.import_module("yieldwire.stores.postgres")  # before there is an event loop
    database = PostgresServer()
    database.start()
    try:
        yield database.dsn(tcp=True)
    finally:
        database.delete()


@pytest.fixture(params=["sqlite", "valkey", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/runs.db"
    elif request.param == "valkey":
        with RedisServer() as server:
            yield server.url
    else:
        with postgres() as dsn:
            yield dsn


async def test_a_growing_fleet_executes_every_run_although_workers_are_killed(
    store: str, tmp_path: Path
) -> None:
    fleet = Fleet(folder=tmp_path, store=store)

    figures = await drain(fleet, runs=30, workers=2, kills=2, seed=1)

    assert figures.runs == 30
    assert figures.interrupted + figures.restarted >= 1


@pytest.fixture(params=["docket", "procrastinate"])
def engined(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    importlib.import_module(f"yieldwire.executors.{request.param}")
    if request.param == "docket":
        with RedisServer() as server:
            yield Fleet(folder=tmp_path, store=server.url, engine=request.param)
        return
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - the others do not need it

    with postgres() as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute(SchemaManager.get_schema())
        yield Fleet(folder=tmp_path, store=dsn, engine=request.param)


async def test_an_engine_delivers_every_run_although_its_worker_is_killed(engined: Fleet) -> None:
    figures = await drain(engined, runs=20, workers=1, kills=1, seed=1)

    assert figures.runs == 20
    assert figures.interrupted + figures.restarted >= 1
