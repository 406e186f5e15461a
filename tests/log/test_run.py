"""The table of a run's life, and its ids."""

import re

import pytest

from yieldwire.errors import IllegalTransition, UsageError
from yieldwire.log.cursor import Cursor, parse_cursor
from yieldwire.log.events import TERMINAL_EVENTS, EventType
from yieldwire.log.run import (
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    TERMINAL,
    TRANSITIONS,
    RunRecord,
    Status,
    advance,
    distinct_labels,
    new_run_id,
)

P, R = Status.PENDING, Status.RUNNING
ROWS = {
    (P, EventType.STARTED): R,
    (P, EventType.CANCELLED): Status.CANCELLED,
    (P, EventType.ERROR): Status.FAILED,
    (R, EventType.CHUNK): R,
    (R, EventType.QUESTION): R,
    (R, EventType.ANSWER): R,
    (R, EventType.RESTARTED): P,
    (R, EventType.DONE): Status.COMPLETED,
    (R, EventType.ERROR): Status.FAILED,
    (R, EventType.CANCELLED): Status.CANCELLED,
}
CELLS = [(status, event) for status in Status for event in EventType]


@pytest.mark.parametrize(("status", "event"), CELLS)
def test_a_run_takes_the_steps_of_its_table_and_no_other(status: Status, event: EventType) -> None:
    if (status, event) in ROWS:
        assert advance(status, event) is ROWS[status, event]
    else:
        with pytest.raises(IllegalTransition, match=f"'{event}' cannot happen while {status}"):
            advance(status, event)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_reach_an_end(status: Status) -> None:
    reached, found = set[Status](), {status}
    while found != reached:
        reached = set(found)
        found |= {after for before in reached for after in TRANSITIONS[before].values()}

    assert reached & TERMINAL


@pytest.mark.parametrize("status", list(Status))
def test_a_terminal_status_is_absorbing(status: Status) -> None:
    assert status.is_terminal is (TRANSITIONS[status] == {})
    assert status.is_terminal is (status.value in {"completed", "failed", "cancelled"})


def test_a_terminal_event_always_brings_a_terminal_status() -> None:
    steps = [(event, after) for row in TRANSITIONS.values() for event, after in row.items()]

    assert all((event in TERMINAL_EVENTS) is after.is_terminal for event, after in steps)


def test_a_run_id_is_long_random_and_fit_for_a_cursor() -> None:
    ids = {new_run_id() for _ in range(1000)}

    assert len(ids) == 1000
    for run_id in ids:
        assert re.fullmatch(r"r[A-Za-z0-9_-]{20}", run_id, re.ASCII)
        assert parse_cursor(f"{run_id}.3") == Cursor(run_id, 3)


def test_a_label_counts_once_in_the_order_of_first_mention() -> None:
    assert distinct_labels(["b", "a", "b", "ä c", "a"]) == ("b", "a", "ä c")
    assert distinct_labels(()) == ()
    assert distinct_labels(["x"] * (MAX_LABELS + 1)) == ("x",)


@pytest.mark.parametrize(
    "label",
    [
        "",
        " ",
        7,
        None,
        b"x",
        True,
        "a\nb",
        "a\x00b",
        "\ud800",
        "\u2028",
        "x" * (MAX_LABEL_LENGTH + 1),
    ],
)
def test_what_cannot_be_a_label_is_named(label: object) -> None:
    with pytest.raises(UsageError, match="cannot be a label") as caught:
        distinct_labels(["fine", label])

    assert str(caught.value).startswith(repr(label)[:50])


@pytest.mark.parametrize("labels", ["nightly", b"nightly", 7, None, {"a", "b"}, {"a": 1}])
def test_labels_are_a_list(labels: object) -> None:
    with pytest.raises(UsageError, match=r"labels is a list of strings such as \['nightly'\], not"):
        distinct_labels(labels)


def test_a_run_has_a_limited_number_of_labels() -> None:
    with pytest.raises(UsageError, match="at most 32 labels; these are 33"):
        distinct_labels([str(number) for number in range(MAX_LABELS + 1)])


def test_a_changed_record_has_the_new_values_and_every_other_one() -> None:
    run = RunRecord(id="r1", action="count", quota_key="owner:alice", owner="alice")

    changed = run.changed(seq=3, status=Status.RUNNING)

    assert changed == run._replace(seq=3, status=Status.RUNNING)
    assert type(changed) is RunRecord


def test_a_record_has_no_other_fields_to_change() -> None:
    run = RunRecord(id="r1", action="count", quota_key="owner:alice")

    with pytest.raises(KeyError, match="colour"):
        run.changed(colour="red")
