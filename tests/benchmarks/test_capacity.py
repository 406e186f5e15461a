"""What a load takes, from the cost of an event."""

from dataclasses import replace

import pytest

from benchmarks.capacity import (
    BUSIEST,
    LOADS,
    LONGEST_WAIT,
    Cost,
    Load,
    capacity_lines,
    needed,
    waited,
)
from benchmarks.measurement import Measurement, Results

COST = Cost(delivery=100e-6, shared=10e-6, reader=30_000, database=20e-6, operations=5, traffic=400)
CHATS = Load(title="", readers=1_000, interval=0.05)
FEED = Load(title="", readers=100_000, interval=1.0, audience=100_000)


def test_streams_of_their_own_take_cores_by_their_events() -> None:
    needs = needed(CHATS, COST)

    assert needs.cores == 4  # 20,000 events/s of 100 µs, each core 60 % busy
    assert needs.wait < LONGEST_WAIT
    assert (needs.memory, needs.operations, needs.traffic) == (30e6, 100_000, 8e6)
    assert needs.database_cores == pytest.approx(0.4)


def test_a_feed_takes_more_cores_if_its_event_would_reach_the_last_reader_late() -> None:
    needs = needed(FEED, COST)

    # A core could send all of it within its second, but the last reader would wait for a second.
    assert FEED.readers * COST.shared / needs.cores <= LONGEST_WAIT
    assert needs.cores > FEED.readers * COST.shared / BUSIEST


def test_the_database_passes_an_event_of_a_feed_once_to_each_core() -> None:
    needs = needed(FEED, COST)

    assert needs.operations == needs.cores * COST.operations


def test_a_core_with_more_work_than_time_falls_behind() -> None:
    fast, slow = (waited(CHATS, seconds, cores=1) for seconds in (10e-6, 100e-6))

    assert fast < 0.01
    assert slow > 1.0


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.title)
def test_twice_the_readers_never_take_less(load: Load) -> None:
    once = needed(load, COST)
    audience = load.audience if load.audience == 1 else 2 * load.audience

    twice = needed(replace(load, readers=2 * load.readers, audience=audience), COST)

    assert twice.cores >= once.cores
    assert twice.memory == 2 * once.memory


def test_nothing_is_said_of_a_database_that_was_not_measured() -> None:
    results = Results()
    results.add(Measurement(peer="ours", scene="C", round=1, values={"kb_per_stream": 30.0}))

    assert capacity_lines(results, {"ours-workers-valkey": "Valkey"}) == []


def test_each_measured_database_has_a_table() -> None:
    results = Results()
    database = {"database_cpu_us": 20.0, "database_operations": 5.0, "database_bytes": 400.0}
    for peer, scene, values in (
        ("ours", "C", {"kb_per_stream": 30.0}),
        ("fleet", "J", {"cpu_us": 100.0, **database}),
        ("fleet", "K", {"cpu_us": 10.0, **database}),
    ):
        results.add(Measurement(peer=peer, scene=scene, round=1, values=values))

    lines = capacity_lines(results, {"fleet": "Valkey"})

    assert lines[1] == "### With Valkey"
    assert lines[5].startswith("| 1,000 answers of a model, 20 tokens a second | 4 | 0.0307 |")
    assert len(lines) == 5 + len(LOADS)
