"""An import continues at its row when its server was killed, and no row before it is repeated."""

from pathlib import Path

import pytest

from tests.durability.imports import Importing


@pytest.mark.timeout(240)
async def test_an_import_lives_through_kills_and_repeats_nothing_before_its_saved_place(
    tmp_path: Path,
) -> None:
    importing = Importing(tmp_path, seed=1, rows=3_000, pause=0.0005)

    await importing.run(2)

    assert importing.figures.kills == 2
    assert importing.figures.repeated < 1_500
