"""Where a pending run waits, in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from yieldwire.errors import Json

_UNITS: Final = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
_MOST_OF_UNIT: Final = 1.5
"""A time is told in the largest unit of which it has this many."""


def described(waiting: Mapping[str, Json] | None) -> str:
    """Return the ``waiting`` of a snapshot in words; empty if nothing is known.

    `follow.js` and the developer page have the same.
    """
    if waiting is None:
        return ""
    if waiting["notBefore"] is not None:
        time = datetime.fromisoformat(waiting["notBefore"])
        return f"Starts at {time:%Y-%m-%d %H:%M:%S} UTC"
    before, expected = waiting["before"], waiting["expectedMs"]
    if before is None:
        return ""
    runs = "Next in line" if before == 0 else "1 run is before it" if before == 1 else None
    place = runs or f"{before} runs are before it"
    return place if expected is None else f"{place}, about {_about(expected / 1000)}"


def _about(seconds: float) -> str:
    size, unit = next(
        ((size, unit) for size, unit in _UNITS if seconds >= size * _MOST_OF_UNIT), _UNITS[-1]
    )
    return f"{max(1, round(seconds / size))} {unit}"
