"""Scenes O and Q compare two servers, at once or in turn, and say which of them failed."""

import sys
from dataclasses import replace

import pytest

from benchmarks.environment import Environment
from benchmarks.machine import ROOT
from benchmarks.measurement import Results, Values
from benchmarks.pair import TURNS, WINDOWS, compared, in_turn
from benchmarks.peer import Peer, read_peers
from benchmarks.plan import QUICK
from benchmarks.runner import Runner

OURS = read_peers()["ours"]
PEER = replace(OURS, name="pair-test", role="peer", scenes="O")
# The tests' own environment has all that this server needs.
STARTS = Environment(command=(sys.executable, "-m", *OURS.command), directory=ROOT, versions=())
FAILS = replace(STARTS, command=(sys.executable, "-c", "raise SystemExit('no such module')"))
KEPT = ROOT / "build" / "bench" / "pair-test.json"
SHORT = replace(QUICK, paced=0.5, streams=50)


def figures(cpu_us: float, events_per_s: float = 100.0) -> Values:
    return {"cpu_us": cpu_us, "events_per_s": events_per_s, "cpu_share": cpu_us / 100}


def run(*peers: Peer, scenes: str = "O", **environments: Environment) -> Results:
    runner = Runner(peers, scenes, SHORT, rounds=1)
    runner.path = KEPT
    runner.environments = {
        name.replace("_", "-"): environment for name, environment in environments.items()
    }
    return runner.run(lambda _: None)


def test_a_share_is_that_of_the_same_window() -> None:
    # In the second window the machine is slow for both, and in the third for ours alone.
    theirs = [figures(20.0), figures(40.0), figures(20.0)]
    own = [figures(22.0), figures(44.0), figures(30.0)]

    found = compared([*zip(theirs, own, strict=True)])

    assert (found["cpu_us"], found["ours_cpu_us"]) == (20.0, 30.0)
    assert found["ours_share"] == pytest.approx(1.1)
    assert (found["ours_share_min"], found["ours_share_max"]) == pytest.approx((1.1, 1.5))
    assert found["cpu_share"] == pytest.approx(0.5)


def test_the_slower_of_both_says_how_the_pace_was_kept() -> None:
    fast, slow = figures(20.0, events_per_s=100.0), figures(20.0, events_per_s=80.0)

    found = [compared([pair])["least_per_s"] for pair in ((fast, slow), (slow, fast))]

    assert found == [80.0, 80.0]


def test_a_share_of_turns_is_that_of_two_that_follow_each_other() -> None:
    def turn(requests_per_s: float) -> Values:
        cpu_us = 1e6 / requests_per_s
        return {"requests_per_s": requests_per_s, "cpu_us": cpu_us, "ttfe_p99_ms": cpu_us / 50}

    # The machine becomes slower for both, and once for ours alone.
    found = in_turn([(turn(1000), turn(1500)), (turn(500), turn(750)), (turn(400), turn(100))])

    assert (found["requests_per_s"], found["ours_requests_per_s"]) == (500, 750)
    assert found["ours_share_requests_per_s"] == pytest.approx(1.5)
    assert found["ours_share_cpu_us"] == pytest.approx(1 / 1.5)
    assert found["ours_share_ttfe_p99_ms"] == pytest.approx(1 / 1.5)
    assert found["ours_share_requests_per_s_lower"] == pytest.approx(0.25)


def test_two_servers_are_measured_at_the_same_time() -> None:
    results = run(PEER, OURS, pair_test=STARTS, ours=STARTS)

    (one,) = results.measurements
    assert (one.peer, one.error) == ("pair-test", "")
    assert one.values["streams"] == 50
    assert one.values["kept_up"] > 0.5
    # It is the same server twice.
    assert one.values["ours_share_min"] <= one.values["ours_share"] <= one.values["ours_share_max"]
    assert 0.5 < one.values["ours_share"] < 2
    # Both starts come on top of the windows.
    assert one.seconds > WINDOWS * SHORT.paced


def test_two_servers_are_measured_in_turn() -> None:
    peer = replace(PEER, scenes="Q")
    results = run(peer, OURS, scenes="Q", pair_test=STARTS, ours=STARTS)

    (one,) = results.measurements
    assert (one.peer, one.error) == ("pair-test", "")
    assert 0.5 < one.values["ours_share_requests_per_s"] < 2  # it is the same server twice
    assert one.values["cpu_us"] > 0
    assert one.seconds > 2 * TURNS * SHORT.turn


def test_a_second_server_that_was_not_chosen_is_asked_for() -> None:
    results = run(PEER, pair_test=STARTS)

    assert results.error("pair-test", "O") == "It is measured next to ours: choose that peer too."


def test_a_second_server_that_does_not_start_is_named_and_ends_no_other_scene() -> None:
    both = replace(PEER, scenes="AO")

    results = run(both, replace(OURS, scenes=""), scenes="OA", pair_test=STARTS, ours=FAILS)

    said = results.error("pair-test", "O")
    assert said == "ours, next to it: It did not start: no such module"
    assert results.value("pair-test", "A", "cpu_us") is not None


def test_a_second_server_that_was_not_installed_is_named() -> None:
    limit = replace(read_peers()["limit-c"], name="pair-test", scenes="O")
    missing = replace(OURS, kind="native", source="no.c", scenes="")
    runner = Runner([limit, missing], "O", SHORT, rounds=1)
    runner.path = KEPT

    runner.install(lambda _: None)
    results = runner.run(lambda _: None)

    assert "ours, next to it: not installed" in results.error("pair-test", "O")
