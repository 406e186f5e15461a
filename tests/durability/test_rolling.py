"""Deployments under open streams, the short form.

The long one is `python -m tests.durability.rolling`.
"""

from pathlib import Path

from tests.durability.rolling import GRACE, roll


async def test_no_stream_is_lost_or_torn_while_the_servers_are_restarted_in_turn(
    tmp_path: Path,
) -> None:
    report = await roll(tmp_path, restarts=2, streams=40, seed=0)

    assert report.violations == []
    assert report.runs >= 40
    assert report.farewells > 0
    assert report.takeovers > 0
    assert report.slowest_exit <= GRACE + 1
