"""What a person sees: every promise at 80 columns and at 45."""

import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.screen import Screen, showing

APP = """
import asyncio
from collections.abc import AsyncIterator

from yieldwire import ActionError, Actions, Progress, Text

actions = Actions()


@actions.action(linger=None)
async def report(message: str, total: int | None = None) -> AsyncIterator[Progress]:
    yield Progress(1, total=total, message=message)
    await asyncio.Event().wait()


@actions.action
async def fail() -> AsyncIterator[Progress]:
    yield Progress(1, total=2, message="half")
    raise ActionError("NO_STOCK", "Sold out.")


@actions.action
async def talk() -> AsyncIterator[Text]:
    yield Text("some words")
    await asyncio.Event().wait()
"""
COMMANDS = [
    *["", "dev", "serve", "call", "actions", "types", "runs", "tail", "top", "show", "logs"],
    *["answer", "send", "cancel"],
]
HELP = """
import sys

from yieldwire.cli import main

for name in sys.argv[1:]:
    sys.argv = ["yieldwire", *name.split(), "--help"]
    try:
        main()
    except SystemExit as ended:
        print("exit code", ended.code or 0)
"""
CANCELLING = "Cancelling. Ctrl-C again exits at once."
CANCELLED = "CANCELLED: The run was cancelled."
BARS = "━╸╺"

pytestmark = pytest.mark.parametrize("columns", [80, 45])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def bar_in(line: str) -> str:
    return "".join(character for character in line if character in BARS)


@pytest.mark.parametrize(
    "message",
    ["word " * 99, "x" * 999, "한국어 " * 99, "👩‍👩‍👧‍👦❤️ नमस्ते" * 9, "two\nlines\tand a tab" * 9],
    ids=["long", "one word", "wide", "joined", "spaces"],
)
def test_a_message_leaves_the_bar_its_room(columns: int, folder: Path, message: str) -> None:
    with showing(
        "call", "app.py", "report", "total=4", f"message={message}", cwd=folder, columns=columns
    ) as screen:
        bar, told = screen.wait_for("…")

    assert len(bar_in(bar)) >= 20
    assert " 25% " in bar
    assert told.startswith(f"  {message[:3]}")
    assert told.endswith("…")


def test_a_message_cannot_control_the_terminal(columns: int, folder: Path) -> None:
    with showing(
        "call",
        "app.py",
        "report",
        "total=4",
        "message:=" + r'"\u001b[2J\u001b]0;owned\u0007\u009b1A\u202edrow"',
        cwd=folder,
        columns=columns,
    ) as screen:
        bar, told = screen.wait_for("drow")

    assert bar_in(bar)
    assert told == "  �[2J�]0;owned��1A�drow"


def test_without_a_total_no_share_is_shown(columns: int, folder: Path) -> None:
    with showing("call", "app.py", "report", "message=read", cwd=folder, columns=columns) as screen:
        bar, _ = screen.wait_for("read")

    assert bar_in(bar)
    assert "%" not in bar


def test_ctrl_c_ends_with_what_happened(columns: int, folder: Path) -> None:
    arguments = ["call", "app.py", "report", "total=4", f"message={'word ' * 99}"]
    with showing(*arguments, cwd=folder, columns=columns) as screen:
        screen.wait_for("…")
        screen.press("C-c")
        code, lines = screen.finish()

    told = [line for line in lines if not bar_in(line) and "…" not in line]
    assert (code, told, lines[-1]) == (130, [CANCELLING, CANCELLED], CANCELLED)


def test_ctrl_c_in_a_text_is_told_on_a_line_of_its_own(columns: int, folder: Path) -> None:
    with showing("call", "app.py", "talk", cwd=folder, columns=columns) as screen:
        screen.wait_for("some words")
        screen.press("C-c")
        code, lines = screen.finish()

    assert (code, lines) == (130, ["some words^C", CANCELLING, CANCELLED])


def test_an_error_is_the_last_line(columns: int, folder: Path) -> None:
    with showing("call", "app.py", "fail", cwd=folder, columns=columns) as screen:
        code, lines = screen.finish()

    assert (lines[-1], code) == ("NO_STOCK: Sold out.", 1)
    assert bar_in(lines[0])


def test_help_fits(columns: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HELP, *COMMANDS]
    with closing(Screen(command, cwd=tmp_path, columns=columns)) as screen:
        code, lines = screen.finish()

    assert max(map(len, lines)) < columns  # a line that the terminal wraps fills it
    assert code == 0
    assert [line for line in lines if line.startswith("exit code")] == ["exit code 0"] * len(
        COMMANDS
    )
    assert sum(line.startswith("Usage: yieldwire") for line in lines) == len(COMMANDS)
