import re
from dataclasses import replace

import pytest

from benchmarks.goal import GOALS, Goal, beyond, cost, read_reasons, times, times_python, worst
from benchmarks.measurement import Measurement, Results
from benchmarks.peer import Peer, read_peers

PEERS = read_peers()


def measured(**costs: float) -> Results:
    return Results(
        Measurement(peer=peer.replace("_", "-"), scene="A", round=1, values={"cpu_us": value})
        for peer, value in costs.items()
    )


def test_a_ratio_says_how_many_times_as_much_a_peer_needs() -> None:
    results = measured(ours=1.5, fastapi=133.5)

    found = times("fastapi", "A")(results, PEERS)

    assert found == pytest.approx(89.0)


def test_what_was_not_measured_has_no_ratio() -> None:
    results = measured(ours=1.5)

    found = [figure(results, PEERS) for figure in (times("fastapi", "A"), times_python("A"))]

    assert found == [None, None]


def test_the_best_python_framework_is_not_a_bare_server_a_limit_or_in_node() -> None:
    results = measured(ours=2.0, starlette=16.0, aiohttp=15.0, raw_asgi=9.0, node=3.0)
    results.add(Measurement(peer="limit-uvloop", scene="A", round=1, values={"cpu_us": 0.2}))

    found = times_python("A")(results, PEERS)

    assert found == pytest.approx(7.5)


def test_a_store_is_held_against_what_memory_costs() -> None:
    results = measured(ours=1.0, ours_sqlite=2.75)

    found = beyond("ours-sqlite", "ours", "A")(results, PEERS)

    assert found == pytest.approx(1.75)


def test_the_worst_of_several_figures_counts() -> None:
    values = {"first_p99_ms": 2.0, "later_p99_ms": 3.0}
    results = Results([Measurement(peer="ours", scene="H", round=1, values=values)])

    found = worst("ours", "H", "first_p99_ms", "later_p99_ms")(results, PEERS)

    assert found == 3.0


@pytest.mark.parametrize(
    ("aim", "value", "outcome"),
    [
        ("<= 1.5 µs", 1.5, "met: 1.5 µs"),
        ("<= 1.5 µs", 2.0, "**missed by 0.5 µs**: 2 µs"),
        (">= 10 x", 12.34, "met: 12.3x"),
        (">= 10 x", 8.0, "**missed by 2x**: 8x. Because."),
    ],
)
def test_an_outcome_says_by_how_much_and_why(aim: str, value: float, outcome: str) -> None:
    goal = Goal("key" if "10" in aim else "other", "what", aim, cost("ours", "A"))

    said = goal.outcome(measured(ours=value), PEERS, {"key": "Because."})

    assert said == outcome


def test_a_goal_without_a_figure_is_neither_met_nor_missed() -> None:
    goal = Goal("key", "what", "<= 1 µs", cost("ours", "A"))

    said = goal.outcome(Results(), PEERS, {})

    assert said == "not measured"


def test_every_reason_belongs_to_a_goal() -> None:
    keys = [goal.key for goal in GOALS]

    reasons = read_reasons()

    assert set(reasons) <= set(keys)
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("goal", GOALS, ids=[goal.key for goal in GOALS])
def test_an_aim_can_be_read(goal: Goal) -> None:
    aim = goal.shown_aim

    assert re.fullmatch(r"[≥≤] [\d.]+(x| µs| ms| MB| KB)", aim)


def test_the_servers_that_goals_name_are_there() -> None:
    seen: set[str] = set()

    class Recording(Results):
        def value(self, peer: str, scene: str, name: str) -> float | None:
            if scene in PEERS[peer].scenes:
                seen.add(peer)
            return None

    for goal in GOALS:
        goal.figure(Recording(), PEERS)

    assert seen >= {"ours", "ours-model", "ours-sqlite", "starlette", "fastapi", "node"}


def test_a_bare_server_is_not_a_framework() -> None:
    peer: Peer = replace(PEERS["starlette"], framework=False)

    found = times_python("A")(measured(ours=1.0, starlette=9.0), {"starlette": peer})

    assert found is None
