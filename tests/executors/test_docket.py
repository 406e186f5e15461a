"""Docket as an engine, on a real server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

import docket
import pytest

from tests.executors.engines import EngineContract, World, eventually, scheduled, until
from tests.support.valkey import shared_url
from yieldwire.errors import UsageError
from yieldwire.executors.docket import Docket
from yieldwire.stores.redis import RedisStore

_names = count()


class DocketWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.name = f"engine{next(_names)}"

    def store(self) -> RedisStore:
        return RedisStore(shared_url(), prefix=self.name)

    def engine(self, *, claim_within: float = 60.0) -> Docket:
        url = shared_url().replace("redis:", "valkey:")
        return Docket(url, name=self.name, claim_within=claim_within)

    def jobs(self) -> docket.Docket:
        return docket.Docket(f"{self.name}.slow", shared_url())

    async def lose_jobs(self) -> int:
        async with self.jobs() as jobs:
            return await jobs.clear()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = DocketWorld()
    async with world.stack:
        yield world


@pytest.mark.parametrize("url", ["localhost:6379", "memory://", "http://a", 42])
def test_what_is_not_the_url_of_a_server_is_reported(url: Any) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=r"Docket: url=.* is not a URL such as 'redis://"):
        Docket(url)


class TestDocket(EngineContract):
    understood: ClassVar = "docket does not understand "

    async def test_a_time_of_a_schedule_starts_one_run_however_often_it_comes(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert isinstance(world, DocketWorld)
        world.schedule = "* * * * *"
        world.gate(0).set()
        workers = [await world.worker(name=name) for name in ("one", "two")]
        minute = datetime.now(UTC).replace(second=0, microsecond=0)

        async def tick() -> None: ...

        async def come(at: datetime) -> None:
            await jobs.replace("tick_slow", when=at, key="tick_slow")()
            await eventually(is_planned_again)

        async def is_planned_again() -> bool:
            job = await jobs.get_execution("tick_slow")
            return job is not None and job.when > minute

        async with world.jobs() as jobs:
            jobs.register(tick, ["tick_slow"])
            await come(minute)
            await come(minute)
            await come(minute - timedelta(minutes=20))
            await until(lambda: "too late" in caplog.text)

        assert len(await scheduled(workers[0])) == 1
