"""Workers share the runs of a queue, and a worker that is killed loses none."""

from pathlib import Path

from tests.durability.fleet import drain


async def test_a_growing_fleet_executes_every_run_although_workers_are_killed(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/runs.db"

    figures = await drain(tmp_path, store, runs=120, workers=2, kills=2, seed=1)

    assert figures.runs == 120
    assert figures.interrupted + figures.restarted >= 1
