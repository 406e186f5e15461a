"""Worker processes that end by themselves are started again, and not again and again."""

import socket
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from yieldwire.cli.children import FIRST_PAUSE, LONGEST_PAUSE, STEADY, Children, RestartDelay


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        yield listener


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def children(
    listener: socket.socket, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Children]:
    """Processes that end at once, as the command does when there is nothing for it to serve."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    children = Children(listener, grace=0, clock=clock)
    yield children
    children.stop()


def let_them_end(children: Children) -> None:
    for child in children.running:
        child.wait(30)


def test_a_process_that_ends_is_started_again_at_once_the_first_time(children: Children) -> None:
    children.start(2)
    let_them_end(children)

    assert children.replace_dead() == 2


def test_one_that_ends_again_waits_for_longer_and_longer(children: Children, clock: Clock) -> None:
    starts, tick = list[float](), FIRST_PAUSE / 2
    children.start()

    for _ in range(40):
        let_them_end(children)
        if children.replace_dead():
            starts.append(clock.now)
        clock.now += tick

    pauses = [later - earlier - tick for earlier, later in pairwise(starts)]
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]


def test_one_that_crashes_does_not_hold_up_another(children: Children, clock: Clock) -> None:
    children.start()
    let_them_end(children)
    children.replace_dead()
    let_them_end(children)
    children.replace_dead()

    children.start()
    let_them_end(children)

    assert children.replace_dead() == 1


def test_what_ends_again_and_again_is_said_once(
    children: Children, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    children.start()
    for _ in range(20):
        let_them_end(children)
        children.replace_dead()
        clock.now += FIRST_PAUSE

    told = capfd.readouterr().err

    assert told.count("A worker exited after 0.0 s, with status 2") == 1
    assert told.count("A worker exited") == 1


def test_the_pauses_have_a_longest() -> None:
    delay = RestartDelay()

    pauses = [delay.after(0.1) for _ in range(20)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.0, LONGEST_PAUSE)


def test_one_that_lived_for_a_while_is_started_again_at_once() -> None:
    delay = RestartDelay()
    for _ in range(5):
        delay.after(0.1)

    assert [delay.after(STEADY), delay.after(0.1)] == [0.0, FIRST_PAUSE]
