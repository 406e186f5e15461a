"""An application that imports rows, and notes aside each row that it does.

``RUNS_FILE`` is the store's file, ``NOTES_FILE`` the one for the notes.
"""

import os
import time
from collections.abc import Iterator

from tests.support.notes import LEASE, SWEEP
from yieldwire import Actions, Context, Progress, Result, Timing
from yieldwire.stores.sqlite import SQLiteStore

actions = Actions(
    store=SQLiteStore(os.environ["RUNS_FILE"]),
    timing=Timing(lease=LEASE, sweep_every=SWEEP, keepalive=0.3, grace=0.0),
)
_notes = os.open(os.environ["NOTES_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, attempt: int) -> None:
    """Write a line that a kill cannot take back."""
    os.write(_notes, f"{what} {attempt}\n".encode())


@actions.action(linger=None, retries=1000)
def import_rows(ctx: Context, rows: int, pause: float) -> Iterator[Progress | Result[str]]:
    """Do each row, and save the place after it."""
    ready = ctx.blocking.step("prepare", prepare, ctx.attempt)
    for row in range(ctx.saved or 0, rows):
        note(f"row-{row}", ctx.attempt)
        time.sleep(pause)
        yield Progress(row + 1, total=rows)
        ctx.save(row + 1)
    yield Result(ready)


def prepare(attempt: int) -> str:
    """Do what must be done once, before the rows."""
    note("prepared", attempt)
    return f"prepared in attempt {attempt}"
