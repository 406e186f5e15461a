"""A module that is generated for the demo type-checks with what uses it, and works."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import run, running
from tests.support.checkers import complaints
from tests.support.server import ROOT

SCRIPT = """
import asyncio
import datetime as dt
import sys
from pathlib import Path
from typing import Literal, Never, assert_type

from demo import (
    Actions,
    AsyncActions,
    Country,
    Decision,
    MissingColumns,
    Progress,
    Summary,
    Text,
    Tick,
)
from yieldwire.client import AsyncClient, Client, RemoteRun


async def follow(url: str) -> None:
    async with AsyncClient(url) as client:
        actions = AsyncActions(client)
        words = ""
        async for chunk in actions.typewriter(text="one two", speed=1000):
            assert_type(chunk, Text)
            words += chunk.text
        print(words)

        async for tick in actions.clock(every=0.01, ticks=1):
            assert_type(tick, Tick)
            assert_type(tick.at, dt.datetime)
            print(tick.n, tick.at.tzinfo is not None)

        print(assert_type(await actions.write_chapter(title="Risks", pause=0), int) > 10)

        async with actions.import_airports(pace=0) as run:
            async for progress in run:
                assert_type(progress, Progress)
                assert_type(progress.type, Literal["progress"])
            summary = assert_type(await run.result(), Summary)
        print(assert_type(summary.top, list[Country])[0].country, summary.airports > 28_000)

        try:
            await actions.import_airports(file=Path(__file__))
        except MissingColumns as error:
            print(error.code, error.status)

        publishing = await actions.publish(draft="Hello").start()
        assert_type(publishing, RemoteRun[Text, str, Decision, Never])
        async for event in publishing.events():
            if event.type == "question":
                await publishing.answer(event.value["id"], {"approved": True})
        print(assert_type(await publishing.result(), str))
        print(await actions.publish.attach(publishing.id).result())


def follow_blocking(url: str) -> None:
    with Client(url) as client:
        actions = Actions(client)
        for chunk in actions.typewriter(text="one two", speed=1000):
            print(assert_type(chunk, Text).text)
        print(assert_type(actions.write_chapter(title="Risks", pause=0).result(), int) > 10)


if __name__ == "__main__":
    asyncio.run(follow(sys.argv[1]))
    follow_blocking(sys.argv[1])
"""

WRONG = """
from demo import Actions, AsyncActions


async def misuse(actions: AsyncActions, blocking: Actions) -> None:
    actions.typewriter(speed="fast")  # error
    actions.publish()  # error
    actions.clock(evry=1.0)  # error
    async for chunk in actions.typewriter():
        print(chunk.txt)  # error
    run = await actions.publish(draft="Hello").start()
    await run.answer("1", {"approved": "yes"})  # error
    await run.send("Hello")  # error
    await actions.clock.attach("1").answer("1", 3)  # error
    blocking.plan_feature(kind="other")  # error
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated")
    file = folder / "demo.py"
    ended = run("types", "--python", "examples/demo.py", "-o", str(file), cwd=ROOT)
    assert (ended.code, ended.err) == (0, f"Wrote {file}.\n")
    folder.joinpath("script.py").write_text(SCRIPT, "utf-8")
    folder.joinpath("wrong.py").write_text(WRONG, "utf-8")
    return folder


@pytest.mark.timeout(300)
def test_both_checkers_find_every_wrong_use_and_nothing_else(folder: Path) -> None:
    lines = WRONG.splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("  # error")}

    found = set(complaints(folder))

    wanted = {("wrong.py", line, by) for line in marked for by in ("mypy", "basedpyright")}
    assert found == wanted


def test_what_type_checks_works_with_a_real_server(folder: Path) -> None:
    serve = ("serve", "examples/demo.py", "--port", "0")
    with running(*serve, cwd=ROOT, DEMO_STORE="memory") as server:
        url = server.wait_for_note("serves").rpartition(" ")[2]

        done = subprocess.run(
            [sys.executable, "script.py", url],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "one two",
        "1 True",
        "True",
        "US True",
        "MISSING_COLUMNS 422",
        "Published.",
        "Published.",
        "one ",
        "two",
        "True",
    ]
