"""Crowds of readers: the short forms. The long ones: `python -m tests.durability.storm`."""

from pathlib import Path

from tests.durability.storm import storm

MEGABYTE = 1024 * 1024


async def test_a_crowd_whose_server_was_killed_reads_on_where_it_was(tmp_path: Path) -> None:
    report = await storm(tmp_path, runs=10, readers=50, seed=0)

    assert report.violations == []
    assert report.last_back_after <= 20
    assert report.resident_after <= 250 * MEGABYTE
