"""Worker processes that share one socket, and the process that supervises them.

uvicorn's `Multiprocess` does not do this. It restarts a worker that crashes at once, as often as
it does, and stops altogether if one fails to start; it kills a worker that does not answer a ping
for some seconds, which a blocking call in an action can cause; and it waits without a limit for
the workers that it stops. Its workers run a plain `uvicorn.Server`, whose streams are not drained.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from yieldwire.cli.output import note

KILL_AFTER: Final = 2.0
"""Extra seconds that a process can take to end, in addition to its own time to do so."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between the end of a process that keeps exiting and its next start."""
STEADY: Final = 10.0
"""Seconds after which a process counts as steady."""
LOOK_EVERY: Final = 0.2
"""Seconds between two checks of all processes."""


class RestartDelay:
    """How long to wait before a process that exited is restarted.

    Not at all the first time, then longer and longer, until one has lived for a while.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, lived: float) -> float:
        """Return the seconds to wait after a process that ran for ``lived`` seconds."""
        if lived >= STEADY:
            self._next = 0.0
        pause, self._next = self._next, min(max(FIRST_PAUSE, 2 * self._next), LONGEST_PAUSE)
        return pause


class _Slot:
    """A supervised process, and when it was started or is due to start."""

    def __init__(self, process: "subprocess.Popen[bytes]", at: float) -> None:
        self.process, self.at = process, at
        self.delay = RestartDelay()
        self.is_down = False


class Children:
    """Runs this program with the same arguments again, in one or more processes.

    Args:
        listener: The socket that they all accept connections from. It stays open during a
            restart, so clients that connect meanwhile wait instead of being refused.
        grace: Seconds that a process can take to end.
        clock: Returns the seconds since some fixed moment.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        grace: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener, self._grace, self._clock = listener, grace, clock
        program = [sys.executable, "-m", "yieldwire.cli"]
        self._command = [*program, *sys.argv[1:], "--fd", str(listener.fileno())]
        self._slots: list[_Slot] = []

    @property
    def running(self) -> "list[subprocess.Popen[bytes]]":
        """The processes that are not known to have ended."""
        return [slot.process for slot in self._slots if not slot.is_down]

    def start(self, count: int = 1) -> None:
        """Start ``count`` processes."""
        for _ in range(count):
            self._slots.append(_Slot(self._new(), self._clock()))

    def _new(self) -> "subprocess.Popen[bytes]":
        # The command is this program itself, with its own arguments.
        return subprocess.Popen(self._command, pass_fds=[self._listener.fileno()])  # noqa: S603

    def stop(self) -> None:
        """End them all, gently first."""
        for child in self.running:
            child.terminate()
        for child in self.running:
            try:
                child.wait(self._grace + KILL_AFTER)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._slots.clear()

    def replace_dead(self) -> int:
        """Restart each process that has exited, after its pause; return how many."""
        now, started = self._clock(), 0
        for slot in self._slots:
            if not slot.is_down and slot.process.poll() is not None:
                self._note_end(slot, now)
            if slot.is_down and slot.at <= now:
                slot.process, slot.at, slot.is_down = self._new(), now, False
                started += 1
        return started

    def _note_end(self, slot: _Slot, now: float) -> None:
        lived = now - slot.at
        pause = slot.delay.after(lived)
        slot.at, slot.is_down = now + pause, True
        if pause == 0.0:  # logged once, however often it exits from now on
            note(
                f"A worker exited after {lived:.1f} s, with status "
                f"{slot.process.returncode}, and is restarted. Until one lives for "
                f"{STEADY:g} s, each start waits longer than the last, up to {LONGEST_PAUSE:g} s."
            )


def stop_event() -> threading.Event:
    """Return an event that is set when a signal asks this process to stop."""
    event = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return event


def keep_running(children: Children, count: int) -> None:
    """Supervise ``count`` processes until a signal asks to stop."""
    stop = stop_event()
    children.start(count)
    try:
        while not stop.wait(LOOK_EVERY):
            children.replace_dead()
    finally:
        children.stop()
