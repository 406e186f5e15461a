"""Serving anew whenever a Python file changes."""

from pathlib import Path

from watchfiles import PythonFilter, watch

from yieldwire.cli.children import Children, stop_event


def reload_on_change(children: Children, file: Path) -> None:
    """Keep one process up until a signal asks to stop, and begin it anew at each change.

    Whatever lies below the current directory is watched, or below the file's own where that
    is elsewhere.
    """
    here = Path.cwd()
    folder = here if file.resolve().is_relative_to(here) else file.resolve().parent
    stop = stop_event()
    children.start()
    try:
        for _ in watch(folder, watch_filter=PythonFilter(), stop_event=stop, raise_interrupt=False):
            children.stop()
            children.start()
    finally:
        children.stop()
