"""What a run was told, and what it saved, outlives the process that accepted it."""

import asyncio
from pathlib import Path

import pytest

from tests.durability.telling import check, killed_while_telling


@pytest.mark.parametrize("lines", [7, 60])
def test_acknowledged_messages_and_places_live_through_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "runs.db"

    told = killed_while_telling(path, lines)

    assert asyncio.run(check(path, told)) >= len(told.sent) > 0
