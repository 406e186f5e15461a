"""What somebody else tells a run."""

import pytest

from yieldwire.log.message import Message

KNOWN = Message(3, b"1", question="1", by="ada", key="k", at=7.0)


def test_a_message_repeats_one_that_says_the_same() -> None:
    assert Message(0, b"1", question="1", by="bob").repeats(KNOWN)


@pytest.mark.parametrize(
    "other",
    [
        Message(3, b"2", question="1", by="ada", key="k", at=7.0),
        Message(3, b"1", question="2", by="ada", key="k", at=7.0),
        Message(3, b"1", by="ada", key="k", at=7.0),
        Message(3, b"1", question="1", by="ada", key="k", at=7.0, is_timeout=True),
    ],
)
def test_other_data_or_another_question_is_another_message(other: Message) -> None:
    assert not other.repeats(KNOWN)
