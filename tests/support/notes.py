"""What the durable application notes aside, where a kill cannot take it back."""

from pathlib import Path
from typing import Final

LEASE: Final = 1.0
SWEEP: Final = 0.1


def notes_in(path: Path) -> list[tuple[str, str, int]]:
    """Return what was noted, in order: what happened, in which run, in which attempt."""
    lines = [line.split() for line in path.read_text("ascii").splitlines()]
    return [(what, run_id, int(attempt)) for what, run_id, attempt in lines]
