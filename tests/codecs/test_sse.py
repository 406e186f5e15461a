"""The parser keeps the rules of WHATWG HTML 9.2.6, the decoder those of the native format."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.codecs.sse import SSEDecoder, SSEEncoder, SSEMessage, SSEParser
from yieldwire.errors import ProtocolError
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType

BOM = b"\xef\xbb\xbf"


def parse(*slices: bytes) -> list[SSEMessage]:
    parser = SSEParser()
    return [message for piece in slices for message in parser.feed(piece)]


def message(data: str, event: str = "message", last_event_id: str = "") -> SSEMessage:
    return SSEMessage(event=event, data=data, last_event_id=last_event_id)


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"data: a\n\n", [message("a")]),
        (b"data:a\n\n", [message("a")]),
        (b"data:  a\n\n", [message(" a")]),
        (b"data\n\n", [message("")]),
        (b"data\ndata\n\n", [message("\n")]),
        (b"data: a\ndata: b\n\n", [message("a\nb")]),
        (b"data: a\r\rdata: b\r\r", [message("a"), message("b")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [message("a"), message("b")]),
        (b"data: a\r\ndata: b\n\r\n", [message("a\nb")]),
        (b"data: a\n\r\n", [message("a")]),
        (b"data: a\r\n\n", [message("a")]),
        (b"data: a\n", []),
        (b"data: a", []),
        (b"\n\n\n", []),
        (b": comment\n\n", []),
        (b": comment\ndata: a\n:\n\n", [message("a")]),
        (b"event: x\n\n", []),
        (b"event: x\n\ndata: a\n\n", [message("a")]),
        (b"event: x\ndata: a\n\n", [message("a", "x")]),
        (b"event: x\nevent: y\ndata: a\n\n", [message("a", "y")]),
        (b"event\ndata: a\n\n", [message("a")]),
        (b"unknown: x\ndata: a\n\n", [message("a")]),
        (b"Data: x\ndata : y\n data: z\ndata: a\n\n", [message("a")]),
        (b"data: a:b: c\n\n", [message("a:b: c")]),
        (b"data: \xff\n\n", [message("\ufffd")]),
        (b"data: a\xe2\x80\xa8b\xc2\x85c\x0bd\n\n", [message("a\u2028b\u0085c\x0bd")]),
        (b"data: a\0b\n\n", [message("a\0b")]),
    ],
    ids=repr,
)
def test_a_stream_is_interpreted_as_the_standard_says(
    stream: bytes, messages: list[SSEMessage]
) -> None:
    assert parse(stream) == messages
    assert parse(*(bytes([byte]) for byte in stream)) == messages


@pytest.mark.parametrize(
    ("stream", "ids"),
    [
        (b"id: 1\ndata: a\n\ndata: b\n\n", ["1", "1"]),
        (b"id: 1\ndata: a\n\nid\ndata: b\n\n", ["1", ""]),
        (b"id: 1\n\ndata: b\n\n", ["1"]),
        (b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", ["1", "1"]),
        (b"id: 1\nid: 2\ndata: a\n\n", ["2"]),
        (b"id:1\ndata: a\n\n", ["1"]),
        (b"id: 1 \ndata: a\n\n", ["1 "]),
    ],
    ids=repr,
)
def test_an_id_stays_until_another_one_comes(stream: bytes, ids: list[str]) -> None:
    assert [told.last_event_id for told in parse(stream)] == ids


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        (b"1500", 1500),
        (b"0", 0),
        (b"", None),
        (b"-1", None),
        (b"1.5", None),
        (b"1500x", None),
        (b" 1500", None),
        ("\u0661".encode(), None),
        ("\u00b2".encode(), None),
    ],
    ids=repr,
)
def test_a_retry_is_ascii_digits_or_nothing(value: bytes, retry: int | None) -> None:
    parser = SSEParser()

    parser.feed(b"retry: " + value + b"\n\n")

    assert parser.retry_ms == retry


def test_a_retry_of_many_digits_is_a_long_time_and_no_error() -> None:
    parser = SSEParser()

    parser.feed(b"retry: " + b"9" * 10_000 + b"\n\n")

    assert (parser.retry_ms or 0) >= 10**8


def test_one_byte_order_mark_is_skipped_at_the_beginning() -> None:
    assert parse(BOM + b"data: a\n\n") == [message("a")]
    assert parse(BOM[:1], BOM[1:] + b"data: a\n\n") == [message("a")]
    assert parse(BOM + BOM + b"data: a\n\n") == []
    assert parse(b"data: a\n\n" + BOM + b"data: b\n\n") == [message("a")]


def test_a_character_can_be_cut_in_the_middle() -> None:
    data = "data: 😀\n\n".encode()

    for cut in range(len(data)):
        assert parse(data[:cut], data[cut:]) == [message("😀")]


@given(stream=st.text("ab:\n\r di\ufeff").map(str.encode), cuts=st.lists(st.integers(0, 40)))
def test_cutting_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    slices = [stream[start:end] for start, end in pairwise(places)]

    assert parse(*slices) == parse(stream)


def test_a_line_in_many_pieces_costs_no_more_than_its_bytes() -> None:
    parser, piece = SSEParser(), b"x" * 16

    parser.feed(b"data: ")
    for _ in range(200_000):
        parser.feed(piece)

    assert [len(told.data) for told in parser.feed(b"\n\n")] == [3_200_000]


# The native format.


def test_the_opening_frame_sets_the_cursor_and_is_not_an_event() -> None:
    decoder = SSEDecoder()

    events = decoder.feed(SSEEncoder().opening(Cursor("r1", 4), b'{"status":"running"}'))

    assert list(events) == []
    assert (decoder.cursor, decoder.opening) == ("r1.4", '{"status":"running"}')


def test_the_cursor_moves_with_whole_frames_only() -> None:
    decoder = SSEDecoder()
    frames = SSEEncoder().encode(Block.of_chunks("r1", 1, [b"1", b"2"]))

    decoder.feed(frames[:-1])
    before = decoder.cursor
    decoder.feed(frames[-1:])

    assert (before, decoder.cursor) == ("r1.1", "r1.2")


def test_a_reset_moves_the_cursor_to_just_before_the_log() -> None:
    decoder = SSEDecoder()

    decoder.feed(SSEEncoder().reset("r1", 8))

    assert (decoder.cursor, decoder.first_seq) == ("r1.7", 8)


def test_a_farewell_says_when_to_come_back() -> None:
    decoder = SSEDecoder()

    decoder.feed(SSEEncoder().farewell(2500))

    assert decoder.retry_ms == 2500


def test_every_event_has_a_frame_with_its_cursor() -> None:
    chunks = Block.of_chunks("r1", 7, [b'"a"', b"2"], 1.0)
    restarted = Block.of_event("r1", 9, EventType.RESTARTED, b"{}", 2.0)

    frames = SSEEncoder().encode(Block.join([chunks, restarted]))

    assert frames == (
        b'id: r1.7\ndata: "a"\n\nid: r1.8\ndata: 2\n\nid: r1.9\nevent: restarted\ndata: {}\n\n'
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"data: 1\n\n",
        b"id: 1\ndata: 1\n\n",
        b"id: r1.x\ndata: 1\n\n",
        b"event: run\ndata: {}\n\n",
        b"id: 1\nevent: reset\ndata: {}\n\n",
        b"id: 1\nevent: done\ndata: {}\n\n",
    ],
    ids=repr,
)
def test_a_frame_of_another_format_is_a_protocol_error(frame: bytes) -> None:
    with pytest.raises(ProtocolError, match="Not a frame of this protocol"):
        SSEDecoder().feed(frame)


@pytest.mark.parametrize("name", ["surprise", "started", "Done", "constructor", "é", " done"])
def test_a_frame_of_an_unknown_type_moves_the_cursor_and_is_not_an_event(name: str) -> None:
    decoder = SSEDecoder()

    events = decoder.feed(f"id: r1.1\nevent: {name}\ndata: not JSON\n\n".encode())

    assert list(events) == []
    assert decoder.cursor == "r1.1"


@pytest.mark.parametrize("place", ["", "id: 7\n", "id\n", "id: r1.x\n"])
def test_a_frame_of_an_unknown_type_without_a_place_moves_nothing(place: str) -> None:
    decoder = SSEDecoder()

    decoder.feed(b"id: r1.1\ndata: 1\n\n")
    decoder.feed(f"{place}event: surprise\ndata: 1\n\n".encode())

    assert decoder.cursor == "r1.1"


def test_a_frame_of_an_unknown_type_with_a_place_in_another_run_moves_nothing() -> None:
    decoder = SSEDecoder()

    decoder.feed(b"id: r1.0\nevent: run\ndata: {}\n\nid: r1.1\ndata: 1\n\n")
    steps = decoder.steps(b"id: child.7\nevent: surprise\ndata: 1\n\nid: r1.2\ndata: 2\n\n")

    assert [place.seq for place, _ in steps] == [2]
    assert decoder.cursor == "r1.2"


def test_an_event_is_in_one_line_for_every_reader_from_every_sender() -> None:
    (event,) = SSEDecoder().feed('id: r1.1\ndata: "a\u2028b"\n\n'.encode())

    assert event.data == b'"a\\u2028b"'
    assert event.value == "a\u2028b"
