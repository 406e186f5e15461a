import pytest

from tests.cli.top.entries import entry
from yieldwire.cli.top import board as module
from yieldwire.cli.top.board import FILTERS, Board, status_of
from yieldwire.errors import Json


def board(*runs: tuple[str, str]) -> Board:
    """Return a board of runs, given as their ids and statuses, the oldest first."""
    made = Board()
    for age, (run_id, status) in enumerate(runs):
        made.take(entry(run_id, status=status, created=age), 0.0)
    return made


def ids(made: Board) -> list[str]:
    return [row.id for row in made.listed()]


def selected(made: Board) -> str | None:
    row = made.selected(made.listed())
    return None if row is None else row.id


def test_runs_that_have_not_ended_come_first_and_of_both_the_newest() -> None:
    made = board(("a", "running"), ("b", "failed"), ("c", "completed"), ("d", "pending"))

    assert (ids(made), len(made), made.active) == (["d", "a", "c", "b"], 4, 2)


def test_the_selection_stays_at_its_run_wherever_that_moves() -> None:
    made = board(("a", "running"), ("b", "running"), ("c", "running"))
    assert selected(made) == "c"

    made.move(1)
    made.take(entry("b", status="failed", created=1), 1.0)

    assert (ids(made), selected(made)) == (["c", "a", "b"], "b")


def test_the_selection_ends_at_the_first_and_the_last_run() -> None:
    made = board(("a", "running"), ("b", "running"))

    made.move(-1)
    assert selected(made) == "b"
    made.move(99)
    assert selected(made) == "a"


def test_without_runs_nothing_is_selected() -> None:
    made = Board()

    made.move(1)

    assert selected(made) is None


def test_if_the_selected_run_is_gone_the_one_in_its_place_is_selected() -> None:
    made = board(("a", "running"), ("b", "running"), ("c", "running"))
    made.move(2)
    assert selected(made) == "a"

    made.drop_missing(made.ids(), {"runs": [entry("b", created=1), entry("c")], "next": None})

    assert selected(made) == "b"


def test_runs_that_the_list_does_not_have_are_dropped_unless_they_are_newer_than_it() -> None:
    made = board(("gone", "running"), ("there", "running"))
    known = made.ids()
    made.take(entry("new", created=9), 1.0)

    made.drop_missing([*known, "never"], {"runs": [entry("there", created=1)], "next": None})

    assert ids(made) == ["new", "there"]


def test_every_filter_shows_its_statuses_and_the_last_is_followed_by_the_first() -> None:
    made = board(("a", "running"), ("b", "failed"), ("c", "pending"))

    shown = {}
    for _ in FILTERS:
        shown[made.filter] = set(ids(made))
        made.next_filter()

    assert made.filter == "all"
    assert shown == {
        "all": {"a", "b", "c"},
        "active": {"a", "c"},
        "pending": {"c"},
        "running": {"a"},
        "completed": set(),
        "failed": {"b"},
        "cancelled": set(),
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("COUNT night", ["r1"]),
        ("r1", ["r1"]),
        ("running", ["r1"]),
        ("mail", []),
        (" ", ["r1"]),
        ("asking", ["r1"]),
    ],
)
def test_words_are_found_in_action_labels_status_and_id(words: str, found: list[str]) -> None:
    made = Board()
    made.take(entry("r1", labels=["nightly"], questions=[{"id": "1"}]), 0.0)

    made.words = words

    assert ids(made) == found


def test_the_pace_is_that_of_the_last_seconds() -> None:
    made = Board()
    made.take(entry("r1", seq=1000), 0.0)
    (row,) = made.listed()
    assert row.rate(0.4) is None  # what was before is of unknown age

    for second in range(1, 9):
        made.take(entry("r1", seq=1000 + 10 * second), float(second))

    assert row.rate(8.5) == pytest.approx(10.0)
    assert made.rate(8.5) == pytest.approx(10.0)
    assert row.rate(60.0) == 0.0


def test_a_run_that_has_ended_is_not_part_of_the_pace() -> None:
    made = Board()
    made.take(entry("r1", seq=0), 0.0)
    made.take(entry("r1", seq=10, status="completed"), 1.0)

    assert made.rate(1.0) == 0.0


def test_of_very_many_runs_the_oldest_ended_ones_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    made = board(("a", "running"), ("b", "failed"), ("c", "failed"), ("d", "running"))
    assert ids(made) == ["d", "a"]

    made.take(entry("e", created=9), 0.0)

    assert ids(made) == ["e", "d"]


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({}, "running"),
        ({"questions": [{"id": "1"}]}, "asking"),
        ({"questions": [{"id": "1"}], "cancelRequested": True}, "stopping"),
        ({"status": "failed"}, "failed"),
    ],
)
def test_a_status_is_one_word(members: dict[str, Json], status: str) -> None:
    assert status_of(entry("r1", **members)) == status
