"""A cursor reads as it was written, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.errors import ForeignCursor, ParseError
from yieldwire.log.cursor import (
    CURSOR_LENGTH,
    Cursor,
    check_within,
    cursor_in,
    mark_of,
    parse_cursor,
)


@given(
    run_id=st.from_regex(r"[A-Za-z0-9_~-]{1,64}", fullmatch=True),
    seq=st.integers(0, 10**15 - 1),
    at=st.none() | st.floats(0, 1e10),
)
def test_a_cursor_reads_as_it_was_written(run_id: str, seq: int, at: float | None) -> None:
    cursor = Cursor(run_id, seq, None if at is None else mark_of(at))
    text = str(cursor)

    assert parse_cursor(text) == cursor
    assert cursor_in(text, run_id) == cursor
    assert len(text) <= CURSOR_LENGTH


HOSTILE = [
    "",
    ".",
    "r1",
    "r1.",
    ".1",
    "r1.-1",
    "r1.+1",
    "r1. 1",
    " r1.1",
    "r1.1 ",
    "r1.1\n",
    "r1.1\r\n",
    "r1.1\0",
    "r\0.1",
    "r1.1.1",
    "r1.1.",
    "r1.1.0000g",
    "r1.1.0000A",
    "r1.1.000000",
    "r1.1.00000.1",
    "r1.01",
    "r1.00",
    "r1.1e3",
    "r1.1_000",
    "r1.0x1",
    "r1.\u00b2",
    "r1.\u0661",
    "r1.\uff11",
    "r\u00e4.1",
    "r1/../r2.1",
    "r1%2e.1",
    "r1.1000000000000000",
    "r1." + "9" * 5000,
    "r" * 65 + ".1",
    "r" * 5000 + ".1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_is_not_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="cursor cannot be read"):
        parse_cursor(text)
    with pytest.raises(ParseError, match="cursor cannot be read"):
        cursor_in(text, "r1")


@given(text=st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        cursor = parse_cursor(text)
    except ParseError:
        return
    assert str(cursor) == text


def test_a_bare_seq_is_taken_as_the_runs_own() -> None:
    assert cursor_in("0", "r1") == ("r1", 0, None)
    assert cursor_in("42", "r1") == ("r1", 42, None)
    assert cursor_in("999999999999999", "r1") == ("r1", 999_999_999_999_999, None)


@pytest.mark.parametrize("text", ["\u0661", "\u00b2", "1" * 16, "-1", "1.5"], ids=ascii)
def test_a_bare_seq_is_ascii_digits_and_bounded(text: str) -> None:
    with pytest.raises((ParseError, ForeignCursor), match="cursor"):
        cursor_in(text, "r1")


def test_a_cursor_of_another_run_is_foreign() -> None:
    with pytest.raises(ForeignCursor, match="does not belong"):
        cursor_in("r2.1", "r1")


def test_a_cursor_beyond_the_logs_end_is_foreign() -> None:
    check_within(0, 3)
    check_within(3, 3)
    with pytest.raises(ForeignCursor):
        check_within(4, 3)


def test_events_of_different_times_have_different_marks() -> None:
    marks = {mark_of(1_700_000_000 + ms / 1000) for ms in range(10_000)}

    assert len(marks) == 10_000
