"""A question, its answer, and the death of the process that asked."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.asking import made
from tests.support.command import CommandServer
from tests.support.runs import opened
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.client import AsyncClient
from yieldwire.errors import AlreadyAnswered
from yieldwire.log.events import EventType

SOON = 60.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[CommandServer]:
    with CommandServer(
        "tests.support.asking:actions", tmp_path / "log", {"RUNS": str(tmp_path)}
    ) as one:
        await one.wait_until_listening()
        yield one


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """Return the same application in this process, over the same file."""
    async with opened(made(tmp_path).app) as app:
        yield app


async def asked(run: Run[Any], question: str) -> None:
    """Return when a question is in the log."""
    async for event in run.events():
        if event.type is EventType.QUESTION and event.value["id"] == question:
            return


@pytest.mark.timeout(180)
@pytest.mark.parametrize("answers_first", [True, False])
async def test_an_answer_and_its_file_count_once_whenever_the_process_that_asked_is_killed(
    server: CommandServer,
    app: App,
    answers_first: bool,  # noqa: FBT001 - of the parameters
) -> None:
    async with asyncio.timeout(SOON):
        async with AsyncClient(f"http://127.0.0.1:{server.port}") as client:
            started = await client.start("ask")
            run: Run[Any] = await app.runs.get(started.id)
            await asked(run, "1")

            if answers_first:
                await client.answer(run.id, "1", BytesIO(b"7"))
            server.kill()
        if not answers_first:
            await run.answer("1", BytesIO(b"7"))
        with pytest.raises(AlreadyAnswered, match="answered already"):
            await run.answer("1", BytesIO(b"8"))
        await asked(run, "2")
        await run.answer("2", 9)
        result = await run.result()
        log = [event async for event in run.events()]
        await app.close()  # when the run's files are deleted
        names = await asyncio.to_thread(app.files.blobs.names)

    kinds = [event.type.value for event in log if event.type is not EventType.RESTARTED]
    assert result == [7, 9, 2]
    assert [name for name in names if name.startswith(run.id)] == []
    assert kinds == ["question", "answer", "question", "answer", "done"]


@pytest.mark.timeout(180)
async def test_a_run_is_answered_by_another_process_than_the_one_that_executes_it(
    server: CommandServer, app: App
) -> None:
    async with asyncio.timeout(SOON):
        async with AsyncClient(f"http://127.0.0.1:{server.port}") as client:
            started = await client.start("ask")
            run: Run[Any] = await app.runs.get(started.id)
            for question, value in (("1", BytesIO(b"7")), ("2", 9)):
                await asked(run, question)
                await run.answer(question, value, by="ada")

            assert await started.result() == [7, 9, 1]
