"""Jobs of a real RQ produce runs that any process reads."""

import asyncio
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.support.valkey import RedisServer
from yieldwire import ActionError, Actions

SOON = 60.0


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Actions]:
    with RedisServer() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        module = importlib.import_module("tests.support.rqjobs")
        yield module.actions


async def test_jobs_of_rq_produce_runs(application: Actions, tmp_path: Path) -> None:
    action = application.app.registry.action_named("import_rows")
    async with asyncio.timeout(SOON), application.lifespan():
        run = await application.start(action, {"rows": 3})
        failing = await application.start(action, {"rows": 0})
        with (tmp_path / "rq.log").open("ab") as log:
            words = ["worker", "--burst", "--url", os.environ["REDIS_URL"]]
            worker = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "rq.cli", *words, cwd=ROOT, stdout=log, stderr=log
            )

        assert [chunk["current"] async for chunk in run] == [1, 2, 3]
        assert await run.result() == 3
        with pytest.raises(ActionError, match="no rows"):
            await failing.result()
        assert await worker.wait() == 0
