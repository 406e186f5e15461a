"""Repeats a command whenever a Python file changes.

uvicorn's reloader watches in the same way, but waits without a limit for the process that it
stops: an action that blocks would keep the old code running.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchfiles import PythonFilter, watch

from yieldwire.cli.children import Children, stop_event


def reload_on_change(children: Children, file: Path) -> None:
    """Supervise one process until a signal asks to stop, and restart it at each change."""
    stop = stop_event()
    children.start()
    try:
        for _ in _changes(file, stop):
            children.stop()
            children.start()
    finally:
        children.stop()


def repeat_on_change(arguments: Sequence[str], file: Path) -> None:
    """Run a command of this program, and again at each change until a signal asks to stop.

    Each time in a new process, as a process imports a module only once.
    """
    command = [sys.executable, "-m", "yieldwire.cli", *arguments]
    stop = stop_event()
    # Watching starts while the first one runs, so that no change is missed.
    running = subprocess.Popen(command)  # noqa: S603 - this program's own
    try:
        for _ in _changes(file, stop):
            running.wait()
            running = subprocess.Popen(command)  # noqa: S603 - the same
    finally:
        running.wait()


def _changes(file: Path, stop: threading.Event) -> Iterator[object]:
    """Yield at each change below the current directory, or the file's own if it is elsewhere."""
    here = Path.cwd()
    folder = here if file.resolve().is_relative_to(here) else file.resolve().parent
    yield from watch(folder, watch_filter=PythonFilter(), stop_event=stop, raise_interrupt=False)
