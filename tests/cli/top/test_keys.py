import asyncio
import os
import pty
import termios
from collections.abc import Generator
from contextlib import suppress

import pytest

from yieldwire.cli.dialog import Away
from yieldwire.cli.top.keys import TerminalKeys, keys_in


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Generator[int, None, None]:
    """A terminal is this process's input; what is written here is typed there."""
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as stdin:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours
    with suppress(OSError):
        os.close(ours)


def takes_lines(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ICANON)


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ("q", ["q"]),
        ("\x1b[A\x1bOB", ["up", "down"]),
        ("\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["pageup", "pagedown", "home", "end"]),
        ("\r\n\x7f\x08", ["enter", "enter", "backspace", "backspace"]),
        ("\x1b", ["escape"]),
        ("\x1b[15~\x1b[1;5Cé", ["é"]),
        ("\x1b[", []),
    ],
)
def test_keys_have_names(sent: str, names: list[str]) -> None:
    assert list(keys_in(sent)) == names


async def test_a_key_comes_at_once_and_the_terminal_is_given_back(hand: int) -> None:
    with TerminalKeys() as keys:
        assert not takes_lines(hand)
        os.write(hand, b"j\x1b[B")
        pressed = await keys.pressed()
        while len(pressed) < 2:
            pressed += await keys.pressed()

    assert (pressed, takes_lines(hand)) == (["j", "down"], True)


async def test_a_question_takes_a_line_and_keys_go_on_afterwards(
    hand: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with TerminalKeys() as keys:
        keys.restore()
        os.write(hand, b"yes\n")
        line = await keys.ask("sure: ")
        keys.tell("noted")
        keys.retract()
        keys.grab()
        os.write(hand, b"q")
        key = await keys.pressed()

    assert (line, key) == ("yes", ["q"])
    assert capsys.readouterr() == ("sure: \r\x1b[K", "noted\n")


async def test_closing_the_input_of_a_question_leaves_it_and_not_the_view(hand: int) -> None:
    with TerminalKeys() as keys:
        keys.restore()
        os.write(hand, b"\x04")  # Ctrl-D
        with pytest.raises(Away):
            await keys.ask("sure: ")
        keys.grab()
        os.write(hand, b"q")

        assert await keys.pressed() == ["q"]


async def test_a_terminal_that_is_gone_ends_the_keys(hand: int) -> None:
    with TerminalKeys() as keys:
        os.close(hand)

        with pytest.raises(Away):
            await asyncio.wait_for(keys.pressed(), 10)
