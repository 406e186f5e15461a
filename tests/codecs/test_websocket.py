"""The messages of a socket, for both of its ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.codecs.websocket import (
    MAX_HEAD_BYTES,
    MAX_ID,
    head_and_body,
    message_of,
    number_and_piece,
    protocol_with,
    text_of,
    token_in,
)
from yieldwire.errors import ProtocolError


@given(st.text())
def test_a_body_is_the_same_behind_its_head(body: str) -> None:
    encoded = body.encode("utf-8", "replace")

    head, read = head_and_body(text_of({"id": 1}, encoded))

    assert head == '{"id":1}'
    assert read.encode() == encoded


@given(st.integers(0, MAX_ID), st.binary())
def test_a_piece_is_the_same_behind_its_number(number: int, piece: bytes) -> None:
    assert number_and_piece(message_of(number, piece)) == (number, piece)


def test_a_binary_message_needs_a_number() -> None:
    with pytest.raises(ProtocolError, match="four bytes"):
        number_and_piece(b"abc")


def test_a_head_has_a_limit() -> None:
    with pytest.raises(ProtocolError, match=str(MAX_HEAD_BYTES)):
        head_and_body("x" * (MAX_HEAD_BYTES + 1) + "\n")


@given(st.text())
def test_any_token_can_be_a_subprotocol(token: str) -> None:
    token = token.encode("utf-8", "replace").decode()

    protocol = protocol_with(token)

    assert token_in(["yieldwire", protocol]) == token
    assert set(protocol) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize(
    "protocol", ["yieldwire", "yieldwire.token.A", "yieldwire.token._w", "other"]
)
def test_another_subprotocol_carries_no_token(protocol: str) -> None:
    assert token_in([protocol]) is None
