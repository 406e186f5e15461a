"""Tasks of a real Celery produce runs that any process reads and stops."""

import asyncio
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.support.valkey import RedisServer
from yieldwire import ActionError, Actions
from yieldwire.errors import RunCancelled
from yieldwire.log.events import EventType

SOON = 60.0


@contextmanager
def celery(url: str, log: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    words = ["-A", "tests.support.celeryjobs:jobs", "worker", "--concurrency", "2", "-l", "INFO"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", *words, "--without-mingle", "--without-gossip"],
            cwd=ROOT,
            env={**os.environ, "REDIS_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Generator[Actions, None, None]:
    with RedisServer() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        module = importlib.import_module("tests.support.celeryjobs")
        yield module.actions


async def test_tasks_of_celery_produce_runs(application: Actions, tmp_path: Path) -> None:
    log, url = tmp_path / "celery.log", os.environ["REDIS_URL"]
    action = application.app.registry.action_named("import_rows")
    async with asyncio.timeout(SOON), application.lifespan():
        with celery(url, log) as worker:
            run = await application.start(action, {"rows": 3})
            assert [chunk["current"] async for chunk in run] == [1, 2, 3]
            assert await run.result() == 3

            failing = await application.start(action, {"rows": 0})
            with pytest.raises(ActionError, match="no rows"):
                await failing.result()

            endless = await application.start(action, {"rows": 10_000, "pause": 0.01})
            await anext(aiter(endless))
            await endless.cancel()
            with pytest.raises(RunCancelled, match="cancelled"):
                await endless.result()

            killed = await application.start(action, {"rows": 50, "pause": 0.02})
            await anext(aiter(killed))
            os.killpg(worker.pid, signal.SIGKILL)
            with celery(url, log):
                assert await killed.result() == 50
        kinds = [event.type async for event in killed.events()]
    assert kinds.count(EventType.RESTARTED) == 1
    assert kinds[-1] is EventType.DONE
