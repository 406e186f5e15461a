"""The envelope of a message with files, and which messages say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.log.attachment import Attachment, attachment_of, new_token, repeats
from yieldwire.log.message import Message


@given(st.binary(), st.integers(0, 2**60))
def test_what_an_envelope_has_is_read_from_it(value: bytes, size: int) -> None:
    for token in (new_token(), ""):
        attachment = Attachment(token, size, value)

        assert attachment_of(attachment.data) == attachment


@pytest.mark.parametrize(
    "data", [b"1", b'{"files":"../r2","bytes":1,"value":1}', b'{"files":["a"],"value":1}']
)
def test_other_data_are_no_envelope(data: bytes) -> None:
    assert attachment_of(data) is None


def test_messages_with_the_same_value_say_the_same_wherever_their_files_are() -> None:
    one, other = (Message(1, Attachment(new_token(), 3, b"{}").data, "1") for _ in range(2))

    assert repeats(one, other)
    assert not repeats(one, other._replace(question="2"))
    assert not repeats(one, one._replace(data=Attachment(new_token(), 3, b"[]").data))
