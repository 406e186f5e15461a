"""Several processes that cannot share runs are told so, once, by real servers."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.support.command import CommandServer
from yieldwire.asgi import workers

TOLD = "processes serve this application, and its store lives in one process"
READY = {"granian": "Started worker-", "granian twice": "Started worker-"}
"""What else a server logs of each worker before it can be told to stop.

Granian waits forever for a worker that was told to stop while it was starting, which lasts a
little longer than until this: so its workers are told again.
"""


async def logs_of(command: str, log: Path, processes: int) -> str:
    ready = ("a process is open", READY.get(command, ""))
    server = CommandServer("tests.support.memory:actions", log, {}, command=command)
    with server:
        async with asyncio.timeout(30):
            while min(map(server.logs().count, ready)) < processes:
                assert server.process.poll() is None, server.logs()
                await asyncio.sleep(0.02)
        server.stop()
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(server.wait_until_gone())
            while not (await asyncio.wait({gone}, timeout=2.0))[0]:
                os.killpg(server.process.pid, signal.SIGTERM)
    return server.logs()


@pytest.mark.parametrize("command", ["uvicorn twice", "granian twice", "hypercorn twice"])
async def test_two_workers_on_the_memory_store_are_told_once(tmp_path: Path, command: str) -> None:
    told = await logs_of(command, tmp_path / "log", 2)

    assert told.count(f"At least 2 {TOLD}") == told.count(TOLD) == 1, told


@pytest.mark.parametrize("command", ["uvicorn", "granian", "hypercorn", "hypercorn alone"])
async def test_one_worker_is_told_nothing(tmp_path: Path, command: str) -> None:
    told = await logs_of(command, tmp_path / "log", 1)

    assert TOLD not in told


def test_without_a_server_there_is_one_process() -> None:
    assert workers.server_process() == workers.ServerProcess(1, 0)
