"""What a client's message says, and which ones cannot be read."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from yieldwire.asgi.websocket.message import (
    MAX_BODY_BYTES,
    Asked,
    BadMessage,
    Granted,
    Leaving,
    NewToken,
    read,
)
from yieldwire.codecs.websocket import CREDIT, MAX_HEAD_BYTES, MAX_ID, REQUEST_HEADERS
from yieldwire.errors import ProtocolError

GET = {"id": 1, "method": "GET", "path": "/runs"}


def text(head: object, body: str = "") -> str:
    return to_json(head).decode() + (f"\n{body}" if body else "")


def test_a_request_has_its_body_behind_its_head() -> None:
    head = {"id": 7, "method": "POST", "path": "/say?a=1", "headers": {"Prefer": "wait=1"}}

    assert read(text({**head, "credit": 9, "later": {"a": []}}, '{"a": "\u2028"}')) == Asked(
        id=7,
        method="POST",
        target="/say?a=1",
        headers={"accept": "application/x-ndjson", "prefer": "wait=1"},
        body='{"a": "\u2028"}'.encode(),
        credit=9,
    )


def test_the_defaults_of_a_request_are_no_body_and_the_first_credit() -> None:
    asked = read(text(GET))

    assert isinstance(asked, Asked)
    assert (asked.body, asked.credit) == (b"", CREDIT)


def test_only_headers_of_one_request_are_taken() -> None:
    sent = {"Authorization": "Bearer b", "Cookie": "a=b", "Host": "x", "X-Forwarded-For": "1"}

    asked = read(text({**GET, "headers": sent}))

    assert isinstance(asked, Asked)
    assert asked.headers == {"accept": "application/x-ndjson"}


def test_the_headers_of_a_request_are_those_that_clients_send_with_one() -> None:
    sent = {name.title(): "1" for name in REQUEST_HEADERS}

    asked = read(text({**GET, "headers": sent}))

    assert isinstance(asked, Asked)
    assert asked.headers == dict.fromkeys(REQUEST_HEADERS, "1")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"id": 1, "credit": 5}, Granted(1, 5)),
        ({"id": MAX_ID, "leave": True}, Leaving(MAX_ID)),
        ({"token": "a.b~c"}, NewToken("a.b~c")),
    ],
)
def test_a_client_grants_leaves_and_gives_a_token(head: object, said: object) -> None:
    assert read(text(head)) == said


@pytest.mark.parametrize(
    "change",
    [
        {"method": "HEAD"},
        {"method": []},
        {"path": "runs"},
        {"path": "/ü"},
        {"path": "/" + "a" * 9000},
        {"path": None},
        {"credit": -1},
        {"credit": 1.5},
        {"credit": True},
        {"credit": 2**50},
        {"pieces": 1},
        {"headers": []},
        {"headers": {"Prefer": 1}},
        {"headers": {"Prefer": "a\nb"}},
        {"headers": {"Prefer": "\u20ac"}},
        {"headers": {"Accept": "text/html"}},
    ],
)
def test_a_request_that_cannot_be_read_names_its_id(change: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match=r"\w") as caught:
        read(text({**GET, **change}))

    assert caught.value.id == 1


def test_a_body_is_in_its_message_or_in_pieces() -> None:
    with pytest.raises(BadMessage, match="in pieces"):
        read(text({**GET, "pieces": True}, "{}"))
    with pytest.raises(BadMessage, match="more than 65536 bytes"):
        read(text(GET, "x" * (MAX_BODY_BYTES + 1)))


@pytest.mark.parametrize(
    "message",
    ["", "{", "[1]", "{}", '{"id": 0}', '{"id": 2147483648}', '{"token": 1}', '{"token":"a\\n"}'],
)
def test_a_message_without_an_id_belongs_to_no_request(message: str) -> None:
    with pytest.raises(BadMessage, match=r"\w") as caught:
        read(message)

    assert caught.value.id is None


def test_a_head_has_a_limit() -> None:
    with pytest.raises(ProtocolError, match="head"):
        read(" " * (MAX_HEAD_BYTES + 1))


@given(st.text(max_size=200) | st.text('{}[]":,\nid01\\u', max_size=60))
def test_no_text_fails_in_another_way(message: str) -> None:
    with suppress(BadMessage, ProtocolError):
        read(message)
