"""Questions under random schedules of answers, timeouts, failures and cancellations."""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.asking import play_in_file, play_in_memory

SCHEDULES: Final = int(os.environ.get("ASKING", "40"))
"""How many schedules are played in virtual time; a tenth of them with SQLite, in real time."""


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_each_question_has_one_outcome_on_which_everybody_agrees(seed: int) -> None:
    play_in_memory(seed)


@pytest.mark.parametrize("seed", range(max(1, SCHEDULES // 10)))
async def test_each_question_has_one_outcome_in_a_file(seed: int, tmp_path: Path) -> None:
    await play_in_file(seed, tmp_path)
