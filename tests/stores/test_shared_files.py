"""The files of runs in a folder that the processes of a networked store share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.postgres import dsn, empty_schema
from tests.support.valkey import shared_url
from yieldwire import Timing, Upload
from yieldwire.app import App
from yieldwire.stores import RunStore
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.contract.harness import SOON

Open = Callable[[], RunStore]


@pytest.fixture(params=["redis", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    prefix, schema = f"test-{uuid4().hex}", empty_schema()
    if request.param == "redis":
        return lambda: RedisStore(shared_url(), prefix=prefix, files=tmp_path / "files")
    return lambda: PostgresStore(dsn(), schema=schema, files=tmp_path / "files")


@pytest.fixture
async def pair(opened: Open) -> AsyncIterator[list[App]]:
    apps = [App(store=opened(), timing=Timing(grace=0.5)) for _ in range(2)]
    for app in apps:

        @app.action(queue="files")
        async def length(file: Upload) -> int:
            return len(await file.read())

    apps[1].working.take_from(["files"])
    for app in apps:
        await app.open()
    yield apps
    for app in apps:
        await app.close()


async def test_a_worker_reads_the_file_that_a_server_was_given(
    pair: list[App], tmp_path: Path
) -> None:
    web, _ = pair
    file = Upload(BytesIO(b"hello"), filename="a.txt")

    async with asyncio.timeout(SOON):
        run = await web.start(web.registry.action_named("length"), {"file": file})

        assert await run.result() == 5
        while [*(tmp_path / "files").iterdir()]:  # noqa: ASYNC110 - another process deletes them
            await asyncio.sleep(0.01)
