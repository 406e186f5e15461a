"""Where a pending run waits, in words."""

import pytest

from yieldwire.errors import Json
from yieldwire.log.waiting import described


@pytest.mark.parametrize(
    ("before", "ms", "words"),
    [
        (None, None, ""),
        (0, None, "Next in line"),
        (1, None, "1 run is before it"),
        (12, None, "12 runs are before it"),
        (12, 41_400, "12 runs are before it, about 41 s"),
        (0, 20, "Next in line, about 1 s"),
        (2, 89_000, "2 runs are before it, about 89 s"),
        (2, 90_000, "2 runs are before it, about 2 min"),
        (2, 5_400_000, "2 runs are before it, about 2 h"),
    ],
)
def test_a_place_is_told_with_about_how_long_it_takes(
    before: int | None, ms: int | None, words: str
) -> None:
    waiting: dict[str, Json] = {"before": before, "expectedMs": ms, "notBefore": None}

    assert described(waiting) == words


def test_a_run_that_starts_later_is_told_with_its_time() -> None:
    time = "2026-11-30T09:00:00.000+00:00"

    told = described({"before": None, "expectedMs": None, "notBefore": time})

    assert (told, described(None)) == ("Starts at 2026-11-30 09:00:00 UTC", "")
