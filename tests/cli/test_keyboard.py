import asyncio
import os
import pty
import threading
from collections.abc import Callable, Generator
from types import NoneType

import pytest

from yieldwire.cli.dialog import Away
from yieldwire.cli.keyboard import Keyboard, keyboard


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Generator[int, None, None]:
    """A terminal is this process's input; what is written here is typed there."""
    ours, theirs = pty.openpty()
    with open(theirs, encoding="utf-8") as stdin:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours
        os.write(ours, b"\n")  # ends a read that is still waiting
        wait_for_reads()
    os.close(ours)


def wait_for_reads() -> None:
    for thread in threading.enumerate():
        if thread.name == "yieldwire-keyboard":
            thread.join()


async def test_a_prompt_gets_the_line_that_is_typed(
    hand: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(hand, "Grüße\nnext\n".encode())

    person = Keyboard()

    assert (await person.ask("note: "), await person.ask("more: ")) == ("Grüße", "next")
    assert capsys.readouterr().out == "note: more: "


async def test_closing_the_input_leaves(hand: int) -> None:
    os.write(hand, b"\x04")  # Ctrl-D

    with pytest.raises(Away):
        await Keyboard().ask("note: ")


async def test_the_line_of_a_prompt_that_was_removed_is_dropped(
    hand: int, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Keyboard()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await person.ask("old: ")
    person.retract()
    os.write(hand, b"too late\n")
    await asyncio.to_thread(wait_for_reads)

    os.write(hand, b"in time\n")

    assert await person.ask("new: ") == "in time"
    assert capsys.readouterr().out == "old: \r\x1b[Knew: "


async def test_a_prompt_cannot_control_the_terminal(
    hand: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(hand, b"\n")

    await Keyboard().ask("\x1b[2Jnote: ")

    assert capsys.readouterr().out == "\N{REPLACEMENT CHARACTER}[2Jnote: "


async def test_what_is_told_is_a_note(hand: int, capsys: pytest.CaptureFixture[str]) -> None:
    Keyboard().tell("Not today")

    assert capsys.readouterr().err == "Not today\n"


@pytest.mark.parametrize(("opened", "kind"), [(pty.openpty, Keyboard), (os.pipe, NoneType)])
def test_only_a_terminal_has_a_person(
    hand: int,
    opened: Callable[[], tuple[int, int]],
    kind: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = opened()
    with open(ours, "rb"), open(theirs, "w", encoding="utf-8") as stdout:  # noqa: PTH123 - the same
        monkeypatch.setattr("sys.stdout", stdout)
        monkeypatch.setattr("sys.stderr", stdout)

        assert isinstance(keyboard(), kind)
