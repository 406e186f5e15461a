"""Which messages an inbox takes, as a pure function of what it has."""

import pytest

from yieldwire.errors import AlreadyAnswered, InboxFull, KeyReused, RunEnded, YieldwireError
from yieldwire.log.message import Message
from yieldwire.stores.inbox import InboxState, accept

KEYED = Message(1, b"12", key="k")
ANSWER = Message(2, b"345", question="1")
TIMEOUT = Message(3, b"null", question="2", is_timeout=True)
KEPT = [KEYED, ANSWER, TIMEOUT]


def accepted(
    message: Message, *, most: int = 9, most_bytes: int = 99, has_ended: bool = False
) -> Message | None:
    state = InboxState.of(KEPT, message, has_ended=has_ended)
    return accept(message, state, most=most, most_bytes=most_bytes)


def test_the_state_is_what_the_message_meets() -> None:
    state = InboxState.of(KEPT, Message(0, b"", question="1", key="k"), has_ended=True)

    assert (state.known, state.answer, state.has_ended) == (KEYED, ANSWER, True)
    assert (state.last, state.count, state.size) == (3, 2, 5)


def test_messages_without_key_and_question_meet_none() -> None:
    state = InboxState.of(KEPT, Message(0, b"1"), has_ended=False)

    assert (state.known, state.answer) == (None, None)


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_known_message_is_returned_whatever_happened_since(
    has_ended: bool,  # noqa: FBT001 - a row of the table
) -> None:
    again = KEYED._replace(number=0, by="bob")

    assert accepted(again, most=0, most_bytes=0, has_ended=has_ended) is KEYED


@pytest.mark.parametrize(
    ("message", "has_ended", "error"),
    [
        (Message(0, b"other", key="k"), False, KeyReused),
        (Message(0, b"other", key="k"), True, KeyReused),
        (Message(0, b"1"), True, RunEnded),
        (Message(0, b"1", question="1"), True, RunEnded),
        (Message(0, b"1", question="1"), False, AlreadyAnswered),
        (Message(0, b"1", question="1", is_timeout=True), False, AlreadyAnswered),
        (Message(0, b"1", question="2"), False, AlreadyAnswered),
    ],
)
def test_a_message_is_refused_for_the_first_reason(
    message: Message,
    has_ended: bool,  # noqa: FBT001 - a row of the table
    error: type[YieldwireError],
) -> None:
    with pytest.raises(error, match=r"\w"):
        accepted(message, most=0, has_ended=has_ended)


def test_who_is_refused_for_an_answer_is_told_which_was_first() -> None:
    with pytest.raises(AlreadyAnswered, match="already") as refused:
        accepted(Message(0, b"late", question="1"))

    assert refused.value.answer is ANSWER


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 99), (9, 5)])
def test_what_does_not_fit_is_refused_but_a_timeout_is_not(most: int, most_bytes: int) -> None:
    with pytest.raises(InboxFull, match="full"):
        accepted(Message(0, b"1"), most=most, most_bytes=most_bytes)

    timeout = Message(0, b"null", question="3", is_timeout=True)
    assert accepted(timeout, most=most, most_bytes=most_bytes) is None


def test_what_just_fits_is_accepted() -> None:
    assert accepted(Message(0, b"1"), most=3, most_bytes=6) is None
