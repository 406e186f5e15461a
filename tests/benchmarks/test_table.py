import pytest

from benchmarks.measurement import Measurement, Results, ratio
from benchmarks.peer import read_peers
from benchmarks.report import page
from benchmarks.runner import SCENES
from benchmarks.table import SHEETS, against, number, sheet_lines, times

PEERS = read_peers()


def results_of(scene: str, name: str, **rounds: list[float]) -> Results:
    return Results(
        Measurement(peer=peer, scene=scene, round=number, values={name: value})
        for peer, values in rounds.items()
        for number, value in enumerate(values, 1)
    )


def test_a_figure_is_the_median_of_its_rounds() -> None:
    results = results_of("A", "cpu_us", ours=[9.0, 1.0, 2.0])

    assert results.value("ours", "A", "cpu_us") == 2.0


def test_a_round_that_failed_does_not_count_where_another_did_not() -> None:
    results = results_of("A", "cpu_us", ours=[2.0])
    results.add(Measurement(peer="ours", scene="A", round=2, error="it died"))

    assert results.value("ours", "A", "cpu_us") == 2.0
    assert results.error("ours", "A") == ""


@pytest.mark.parametrize(("of", "to", "expected"), [(6, 2, 3), (None, 2, None), (6, 0, None)])
def test_a_ratio_needs_both_of_its_sides(
    of: float | None, to: float | None, expected: float | None
) -> None:
    assert ratio(of, to) == expected


def test_less_cpu_and_more_requests_are_better() -> None:
    hot = results_of("A", "cpu_us", ours=[2.0], node=[3.0])
    short = results_of("B", "requests_per_s_32", ours=[7000.0], node=[3500.0])

    assert against("A", hot, "node") == 1.5
    assert against("B", short, "node") == 2.0


def test_the_best_server_is_first_and_one_that_failed_is_last() -> None:
    results = results_of("A", "cpu_us", starlette=[16.0], ours=[1.0])
    results.add(Measurement(peer="node", scene="A", round=1, error="it died"))

    lines = sheet_lines("A", results, PEERS)

    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| **Yieldwire on uvicorn, dict chunks**",
        "| Starlette StreamingResponse on uvicorn",
        "| Node's own http server",
    ]
    assert "failed: it died" in lines[-1]
    assert "16x" in lines[3]


def test_a_figure_that_no_server_has_gets_no_column() -> None:
    results = results_of("C", "cpu_us", ours=[30.0], node=[20.0])

    lines = sheet_lines("C", results, PEERS)

    assert lines[0] == "| server | CPU µs an event | against Yieldwire |"


def test_every_row_of_a_table_has_as_many_cells() -> None:
    results = results_of("B", "requests_per_s_32", ours=[7000.0])
    results.add(Measurement(peer="node", scene="B", round=1, error="a | b"))

    lines = sheet_lines("B", results, PEERS)

    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0364, "0.0364"), (1.504, "1.5"), (970_123, "970,000"), (0.00001, "0.0000")],
)
def test_a_figure_has_three_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (12.345, "12.3x"), (1234.5, "1,234x")])
def test_a_ratio_is_shown_as_times(value: float | None, shown: str) -> None:
    assert times(value) == shown


def test_every_scene_is_shown_and_every_server_has_scenes_that_there_are() -> None:
    served = {letter for peer in PEERS.values() for letter in peer.scenes}

    assert set(SHEETS) == set(SCENES) == served


def test_the_page_says_what_was_measured_on_which_machine() -> None:
    results = results_of("A", "cpu_us", ours=[1.0], starlette=[16.0])

    text = page(results, PEERS, {}, {"CPU": "some", "commit": "abc"})

    assert "| some | abc |" in text
    assert "| A, dict chunks | ≤ 1.5 µs | met: 1 µs |" in text
    assert "## A. One stream" in text
