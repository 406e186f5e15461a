"""Runs and loops show how far they are in a terminal, if there is one, and only there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.screen import Screen

SCRIPT = """
import asyncio
import sys

from yieldwire import ActionError, Actions, track

actions = Actions()


@actions.action
async def tidy(names: list[str], is_broken: bool = False) -> int:
    async for _ in track(names, lambda name: f"tidying {name}"):
        if is_broken:
            raise ActionError("STUCK", "The drawer is stuck.")
    return len(names)


async def main() -> None:
    async with actions.lifespan():
        print("tidied", await (await actions.start(tidy, names=["a", "b"])).show())
        run = await actions.start(tidy, names=["a", "b"], is_broken=True)
        try:
            await run.show()
        except ActionError as error:
            print(error.code)


for letter in track("abc", "spelling"):
    pass
asyncio.run(main())
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_a_terminal_shows_bars_of_loops_and_runs(script: Path) -> None:
    screen = Screen([sys.executable, str(script)], cwd=script.parent, columns=70)
    try:
        code, lines = screen.finish()
    finally:
        screen.close()

    shown = [line.strip(" ━╸⠋") for line in lines if line.strip()]
    bars = [line for line in shown if "%" in line]
    assert code == 0
    assert [line.partition("%")[0] for line in bars] == ["100", "100", "0"]
    assert [line for line in shown if line not in bars] == [
        "spelling",
        "tidying b",
        "tidied 2",
        "tidying a",
        "STUCK",
    ]


def test_without_a_terminal_nothing_is_shown_and_the_result_is_returned(script: Path) -> None:
    env = {**os.environ, "FORCE_COLOR": "1"}

    done = subprocess.run(
        [sys.executable, str(script)], check=True, capture_output=True, text=True, env=env
    )

    assert done.stdout == "tidied 2\nSTUCK\n"
    assert "%" not in done.stderr
