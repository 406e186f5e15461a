"""The files of runs where the processes of a networked store share them."""

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


@pytest.fixture(params=["folder", "objects"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    return tmp_path / "files" if request.param == "folder" else f"memory://{uuid4().hex}"


@pytest.fixture(params=["redis", "postgres"])
def opened(request: pytest.FixtureRequest, files: str | Path) -> Open:
    prefix, schema = f"test-{uuid4().hex}", empty_schema()
    if request.param == "redis":
        return lambda: RedisStore(shared_url(), prefix=prefix, files=files)
    return lambda: PostgresStore(dsn(), schema=schema, files=files)


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


async def test_a_worker_reads_the_file_that_a_server_was_given(pair: list[App]) -> None:
    web, _ = pair
    file = Upload(BytesIO(b"hello"), filename="a.txt")

    async with asyncio.timeout(SOON):
        run = await web.start(web.registry.action_named("length"), {"file": file})

        assert await run.result() == 5
        while await asyncio.to_thread(web.files.blobs.names):  # noqa: ASYNC110 - the worker does it
            await asyncio.sleep(0.01)
