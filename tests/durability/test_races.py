"""Answers that race with each other, with the clock, and with the death of the asking process."""

from pathlib import Path

import pytest

from tests.durability.races import Racing


@pytest.mark.timeout(240)
async def test_each_question_has_one_outcome_however_often_its_process_is_killed(
    tmp_path: Path,
) -> None:
    racing = Racing(tmp_path, seed=1)

    await racing.run(20, kills=2)

    assert (racing.figures.races, racing.figures.kills) == (20, 2)
    assert racing.figures.restarted > 0
