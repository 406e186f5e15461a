"""A command in a real terminal, which tmux emulates."""

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

_NUMBERS = itertools.count()
_LOOK_EVERY = 0.05
_ENDED = re.compile(r"^\[ended: (\d+)\]$", re.MULTILINE)
# The shell outlives a Ctrl-C, as one does that a person types into.
_SHELL = 'trap : INT; "$@"; echo "[ended: $?]"; read -r _'


class Screen:
    """A terminal while a command runs in it, and afterwards."""

    def __init__(self, command: Sequence[str], *, cwd: Path, columns: int) -> None:
        self._server = f"yieldwire-{os.getpid()}-{next(_NUMBERS)}"
        size = ["-x", str(columns), "-y", "24", "-c", str(cwd)]
        shell = shlex.join(["sh", "-c", _SHELL, "sh", *command])
        self._tmux("new-session", "-d", *size, shell)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-f", os.devnull, "-L", self._server, *arguments]
        env = {key: value for key, value in os.environ.items() if key not in {"TMUX", "COLUMNS"}}
        done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def _shown(self) -> str:
        return self._tmux("capture-pane", "-p", "-S", "-").rstrip("\n")  # also what scrolled away

    def wait_for(self, text: str) -> list[str]:
        """Wait until a line has ``text``, and return the lines."""
        while text not in (shown := self._shown()):
            assert not _ENDED.search(shown), f"{text!r} did not come: {shown}"
            time.sleep(_LOOK_EVERY)
        return shown.splitlines()

    def lines(self) -> list[str]:
        """Return what is visible, line by line."""
        return self._tmux("capture-pane", "-p").splitlines()

    def wait_until(self, condition: Callable[[list[str]], bool]) -> None:
        """Wait until the visible lines are as they should be."""
        while not condition(self.lines()):
            time.sleep(_LOOK_EVERY)

    def _process(self) -> int:
        shell = self._tmux("list-panes", "-F", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text())

    def signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        os.kill(self._process(), number)

    def cpu_seconds(self) -> float:
        """Return how much time of a core the command has taken so far."""
        stat = Path(f"/proc/{self._process()}/stat").read_text().rpartition(") ")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime

    def press(self, key: str) -> None:
        """Press a key, by tmux's name for it: ``C-c``."""
        self._tmux("send-keys", key)

    def type(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", text)
        self.press("Enter")

    def finish(self) -> tuple[int, list[str]]:
        """Wait for the end of the command, and return its exit code with the lines."""
        while (ended := _ENDED.search(shown := self._shown())) is None:
            time.sleep(_LOOK_EVERY)
        return int(ended[1]), shown.splitlines()[:-1]

    def close(self) -> None:
        """End the terminal with what runs in it."""
        self._tmux("kill-server")


@contextmanager
def showing(
    *arguments: str, cwd: Path, columns: int, before: Sequence[str] = ()
) -> Generator[Screen, None, None]:
    """Run a command of the program in a terminal, with a command ``before`` it, such as env."""
    command = [*before, sys.executable, "-m", "yieldwire.cli", *arguments]
    screen = Screen(command, cwd=cwd, columns=columns)
    try:
        yield screen
    finally:
        screen.close()
