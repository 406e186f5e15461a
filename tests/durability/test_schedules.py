"""What a run promises holds while workers, servers, lines and the store fail, on every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability.deployment import Store, running
from tests.durability.schedules import play_on

SEEDS = (30, 33)
"""Together: a worker sleeps and one is killed, a web process is killed, the store is restarted, and
lines are silent and cut."""


@pytest.fixture(params=["valkey", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with running(request.param) as store:
        yield store


async def test_schedules_of_faults_break_nothing_that_a_run_promises(
    store: Store, tmp_path: Path
) -> None:
    figures = await play_on(store, tmp_path, SEEDS)

    assert figures.violations == []
    assert figures.schedules == len(SEEDS)
    assert figures.completed >= len(SEEDS)
