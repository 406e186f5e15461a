"""Workers share the runs of a queue, and a worker that is killed loses none."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.fleet import drain
from tests.support.postgres import PostgresServer
from tests.support.valkey import RedisServer


@pytest.fixture(params=["sqlite", "valkey", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/runs.db"
    elif request.param == "valkey":
        with RedisServer() as server:
            yield server.url
    else:
        importlib.import_module("yieldwire.stores.postgres")  # before there is an event loop
        database = PostgresServer()
        database.start()
        try:
            yield database.dsn(tcp=True)
        finally:
            database.delete()


async def test_a_growing_fleet_executes_every_run_although_workers_are_killed(
    store: str, tmp_path: Path
) -> None:
    figures = await drain(tmp_path, store, runs=60, workers=2, kills=2, seed=1)

    assert figures.runs == 60
    assert figures.interrupted + figures.restarted >= 1
