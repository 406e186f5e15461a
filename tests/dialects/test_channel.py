"""An answer of HTTP as messages over a socket."""

from typing import Any

import pytest

from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.websocket.message import Asked
from yieldwire.dialects.channel import ForeignChannel, fields_of, own_headers, unreadable

STREAM = (b"content-type", b"text/event-stream")


class Toy(ForeignChannel):
    """Tells what it is asked for."""

    def begun(self) -> bytes:
        return b"begun"

    def framed(self, frame: bytes) -> bytes:
        return frame.removeprefix(b":")

    def answered(self, status: int, body: bytes) -> bytes:
        return b"%d %b" % (status, body)


class Line:
    """A request and the messages of its answer."""

    def __init__(self) -> None:
        self.told: list[str] = []
        asked = Asked(id="a", method="GET", target="/", headers={}, body=b"", credit=0)
        self.channel = Toy(asked, self._write, Allowance(0))

    async def _write(self, text: str) -> None:
        self.told.append(text)

    async def head(self, *headers: Any) -> None:  # noqa: ANN401 - ASGI's
        start = {"type": "http.response.start", "status": 201, "headers": headers}
        await self.channel.send(start)

    async def body(self, body: bytes, *, more: bool = True) -> None:
        await self.channel.send({"type": "http.response.body", "body": body, "more_body": more})


async def test_each_frame_is_a_message_wherever_the_stream_is_cut() -> None:
    line = Line()

    await line.head(STREAM)
    for byte in b"one\n\n:\n\ntwo\n\nrest":
        await line.body(bytes([byte]))
    await line.body(b"", more=False)

    assert line.told == ["begun", "one", "two"]
    assert line.channel.has_ended


@pytest.mark.parametrize("headers", [(), (STREAM, (b"content-length", b"6"))])
async def test_a_whole_answer_is_one_message_at_its_end(headers: Any) -> None:  # noqa: ANN401 - ASGI's
    line = Line()

    await line.head(*headers)
    await line.body(b"one\n\n")
    await line.body(b"two", more=False)

    assert line.told == ["201 one\n\ntwo"]


async def test_a_client_that_has_left_is_told_nothing() -> None:
    line = Line()
    line.channel.leave()

    await line.head(STREAM)
    await line.body(b"one\n\n", more=False)

    assert line.told == []


def test_a_comment_has_no_fields_and_a_value_keeps_its_colons() -> None:
    assert fields_of(b": hi\nevent: a\ndata: b: c\nbare") == {
        b"": b"hi",
        b"event": b"a",
        b"data": b"b: c",
    }


def test_a_request_has_only_headers_that_are_allowed_and_can_be_sent() -> None:
    sent = {"a": "1", "b": "x\r\ny", "c": 3, "d": "other"}

    assert own_headers(sent, "a", "b", "c", "e") == {"a": "1"}
    assert own_headers("none", "a") == {}


def test_what_cannot_be_read_says_which_protocol_it_is_not() -> None:
    assert "Toy" in str(unreadable("Toy", 1))
