"""The live view without a screen: lines."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.screen import showing
from tests.cli.terminal import run, running
from tests.conftest import Serve
from tests.support.world import BRISK
from yieldwire import Actions, Context, Progress
from yieldwire.client import Client

actions = Actions(identify=lambda _: "ada", timing=BRISK)


@actions.action(asks=bool, linger=None)
async def count(ctx: Context) -> AsyncIterator[Progress]:
    for n in range(1, 4):
        yield Progress(1, total=4, message=f"row {n}")
        await asyncio.sleep(0)
    await ctx.ask(bool, "Sure?")


@pytest.fixture
def url(serve: Serve) -> str:
    return serve(actions).url


def test_without_a_terminal_each_change_of_a_run_is_a_line(url: str, tmp_path: Path) -> None:
    with Client(url) as client, running("top", url, cwd=tmp_path) as top:
        run_id = client.start("count").id

        asking = top.wait_for("asking").split()
        client.answer(run_id, "1", value=True)
        completed = top.wait_for("completed").split()
        top.interrupt()
        ended = top.finish()

    assert asking[1:] == [run_id, "asking", "count", "25", "%,", "1", "of", "4,", "row", "3"]
    assert completed[1:] == [run_id, "completed", "count"]
    assert ended.code == 130


def test_a_terminal_that_cannot_place_text_gets_lines_too(url: str, tmp_path: Path) -> None:
    with Client(url) as client:
        client.start("count")
    command = ["env", "TERM=dumb"]
    with showing("top", url, cwd=tmp_path, columns=100, before=command) as screen:
        lines = screen.wait_for("asking")

    assert "select" not in "\n".join(lines)


def test_a_wrong_address_is_told_by_the_exit_code(tmp_path: Path) -> None:
    ended = run("top", "app.py", cwd=tmp_path)

    assert (ended.code, ended.err) == (
        2,
        "'app.py' is not a URL; name the URL where the runs are served.\n",
    )
