"""Runs outlive the process that runs them: killed as by a power cut, and started again."""

from pathlib import Path

import pytest

from tests.durability.kills import Killing

KILLS = 3
"""`make soak` kills it 200 times."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("breaks", [False, True], ids=["lines that hold", "lines that break"])
async def test_readers_and_runs_live_through_kills_of_the_server(
    tmp_path: Path,
    breaks: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    killing = Killing(tmp_path, seed=1, breaks=breaks)

    await killing.run(KILLS)

    assert killing.figures.kills == KILLS
    assert killing.figures.interrupted >= KILLS
    assert killing.figures.restarted >= 1
