import pytest

from tests.cli.top.entries import entry
from yieldwire.cli.top.board import Board
from yieldwire.cli.top.hand import Hand
from yieldwire.cli.top.view import View

QUESTION = {"id": "1", "prompt": "Sure?"}


@pytest.fixture
def board() -> Board:
    made = Board()
    made.take(entry("r1", status="completed"), 0.0)
    made.take(entry("r2", created=1), 0.0)
    made.take(entry("r3", created=2, action="publish", questions=[QUESTION]), 0.0)
    return made


@pytest.fixture
def view() -> View:
    return View("http://localhost")


@pytest.fixture
def hand(board: Board, view: View) -> Hand:
    return Hand(board, view)


def selected(board: Board) -> str:
    row = board.selected(board.listed())
    assert row is not None
    return row.id


def press(hand: Hand, keys: str) -> list[str | None]:
    return [hand.press(key) for key in keys]


@pytest.mark.parametrize(
    ("keys", "run"),
    [
        (["down"], "r2"),
        (["j", "j", "k"], "r2"),
        (["end"], "r1"),
        (["G", "home"], "r3"),
        (["pagedown", "up"], "r2"),
        (["x"], "r3"),
    ],
)
def test_keys_select_a_run(hand: Hand, board: Board, keys: list[str], run: str) -> None:
    selected(board)

    assert {hand.press(key) for key in keys} == {None}
    assert selected(board) == run


def test_a_cancel_is_confirmed(hand: Hand, view: View) -> None:
    assert press(hand, "c") == [None]
    assert view.footer == "Cancel publish r3? y/n"
    assert press(hand, "n") == [None]
    assert view.footer == ""

    assert press(hand, "cy") == [None, "cancel"]
    assert hand.chosen is not None
    assert hand.chosen.id == "r3"


def test_what_is_confirmed_is_the_run_that_was_named(hand: Hand, board: Board) -> None:
    press(hand, "c")
    board.take(entry("r9", created=9), 1.0)

    assert press(hand, "y") == ["cancel"]
    assert hand.chosen is not None
    assert hand.chosen.id == "r3"


def test_only_an_open_question_can_be_answered(hand: Hand, view: View) -> None:
    assert press(hand, "a") == ["answer"]

    assert press(hand, "ja") == [None, None]
    assert view.footer == "This run has no open question."
    assert press(hand, "jc") == [None, None]
    assert view.footer == "This run has ended."


def test_without_a_run_there_is_nothing_to_cancel(view: View) -> None:
    assert press(Hand(Board(), view), "c") == [None]
    assert view.footer == "No run is selected."


def test_words_filter_while_they_are_typed(hand: Hand, board: Board, view: View) -> None:
    press(hand, "/pubq")
    hand.press("backspace")
    hand.press("up")
    assert (board.words, view.footer[:10]) == ("pub", "Find: pub_")

    hand.press("enter")
    assert (board.words, view.footer) == ("pub", "")

    press(hand, "/")
    hand.press("escape")
    assert board.words == ""


def test_the_status_filter_goes_on_and_escape_ends_every_filter(hand: Hand, board: Board) -> None:
    press(hand, "ss/x")
    hand.press("enter")
    assert (board.filter, board.words) == ("pending", "x")

    hand.press("escape")
    assert (board.filter, board.words) == ("all", "")


def test_the_log_and_the_help_come_and_go(hand: Hand, view: View) -> None:
    hand.press("enter")
    press(hand, "?")
    assert (view.is_wide_log, view.is_help) == (True, True)

    assert press(hand, "q") == [None]
    hand.press("enter")
    assert (view.is_wide_log, view.is_help) == (False, False)
    assert press(hand, "q") == ["quit"]
