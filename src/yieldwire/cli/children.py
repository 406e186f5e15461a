"""Processes that serve on one socket, while this one looks after them."""

import signal
import socket
import subprocess
import sys
import threading
from types import FrameType
from typing import Final

PATIENCE: Final = 2.0
"""Seconds that a process may take to end beyond its own time to do so."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks at whether all are still there."""


class Children:
    """Runs this program with the same arguments again, in one or more processes.

    Args:
        listener: Where they all take connections from. It stays open when one is started anew,
            so whoever connects meanwhile waits instead of being refused.
        grace: Seconds that a process may take to end.
    """

    def __init__(self, listener: socket.socket, *, grace: float) -> None:
        self._listener, self._grace = listener, grace
        program = [sys.executable, "-m", "yieldwire.cli"]
        self._command = [*program, *sys.argv[1:], "--fd", str(listener.fileno())]
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, count: int = 1) -> None:
        """Start so many."""
        for _ in range(count):
            # The command is this program's own, with the arguments that it was given.
            self._running.append(
                subprocess.Popen(self._command, pass_fds=[self._listener.fileno()])  # noqa: S603
            )

    def stop(self) -> None:
        """End them all, gently first."""
        for child in self._running:
            child.terminate()
        for child in self._running:
            try:
                child.wait(self._grace + PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._running.clear()

    def replace_dead(self) -> int:
        """Start another for each that has ended by itself, and return how many those were."""
        dead = [child for child in self._running if child.poll() is not None]
        self._running = [child for child in self._running if child not in dead]
        self.start(len(dead))
        return len(dead)


def stop_event() -> threading.Event:
    """Return an event that is set when a signal asks this process to stop."""
    event = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return event


def keep_running(children: Children, count: int) -> None:
    """Keep ``count`` processes up until a signal asks to stop."""
    stop = stop_event()
    children.start(count)
    try:
        while not stop.wait(LOOK_EVERY):
            children.replace_dead()
    finally:
        children.stop()
