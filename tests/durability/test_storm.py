"""Crowds of readers, the short forms.

The long ones are `python -m tests.durability.storm` and `python -m tests.durability.slow`.
"""

from pathlib import Path

from tests.durability.slow import LIVELY, pour
from tests.durability.storm import storm

MEGABYTE = 1024 * 1024


async def test_a_crowd_whose_server_was_killed_reads_on_where_it_was(tmp_path: Path) -> None:
    report = await storm(tmp_path, runs=10, readers=50, seed=0)

    assert report.violations == []
    assert report.last_back_after <= 20
    assert report.resident_after <= 250 * MEGABYTE


async def test_fifty_readers_that_stop_reading_cost_little_and_hold_nobody_up(
    tmp_path: Path,
) -> None:
    report = await pour(tmp_path, stalled=50, megabytes=50)

    assert report.whole == 2 * (1 + LIVELY)
    assert report.resident_most - report.resident_before < 30 * MEGABYTE
    assert report.seconds_next_to_others < 3 * report.seconds_alone + 2
