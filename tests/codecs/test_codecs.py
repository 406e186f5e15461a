"""Codecs say the same of a log, however blocks are grouped and bytes are cut."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from tests.support.ndjson import NDJSONDecoder
from yieldwire.codecs import Decoder, Encoder
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import SSEDecoder, SSEEncoder
from yieldwire.codecs.text import TextEncoder
from yieldwire.errors import ProtocolError
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, Event, EventType

RUN = "r1"

CODECS = [
    pytest.param(SSEEncoder, SSEDecoder, id="sse"),
    pytest.param(NDJSONEncoder, NDJSONDecoder, id="ndjson"),
]
ENCODERS = [SSEEncoder, NDJSONEncoder, TextEncoder]

hostile = st.text() | st.sampled_from(
    [
        "\n\nevent: done\ndata: {}\n\n",
        "\r\rid: r2.9\r\r",
        "\r\n\r\n",
        "\u2028\u2029\u0085",
        "\0",
        "\ufeff",
        '"}\n{"seq":9,"type":"done","data":{}}\n',
        "data: [DONE]",
        "😀",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)
in_logs = [
    *[EventType.CHUNK] * 3,
    EventType.QUESTION,
    EventType.ANSWER,
    EventType.RESTARTED,
]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    kinds = draw(st.lists(st.sampled_from(in_logs), max_size=8))
    kinds += draw(st.sampled_from([[], [EventType.DONE], [EventType.ERROR], [EventType.CANCELLED]]))
    first = draw(st.integers(1, 10_000))
    return [Event(seq, kind, to_json(draw(values))) for seq, kind in enumerate(kinds, first)]


def blocks_of(log: Sequence[Event], grouping: Sequence[int]) -> list[Block]:
    """Return the log as blocks that begin at the places of ``grouping``."""
    blocks: list[Block] = []
    for place, event in enumerate(log):
        block = Block.of_event(RUN, event.seq, event.type, event.data, event.at)
        if blocks and place not in grouping:
            blocks[-1] = Block.join([blocks[-1], block])
        else:
            blocks.append(block)
    return blocks


def sliced(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def read(decoder: Decoder, slices: Sequence[bytes]) -> list[Event]:
    return [event for piece in slices for event in decoder.feed(piece)]


def meaning(events: Sequence[Event]) -> list[tuple[int, str, object]]:
    return [(event.seq, event.type.value, from_json(event.data)) for event in events]


@pytest.mark.parametrize(("encoder", "decoder"), CODECS)
@given(
    log=logs(),
    grouping=st.lists(st.integers(0, 9)),
    cuts=st.lists(st.integers(0, 600)),
    alive=st.integers(0, 9),
)
def test_any_log_survives_any_slicing(
    encoder: Callable[[], Encoder],
    decoder: Callable[[], Decoder],
    log: list[Event],
    grouping: list[int],
    cuts: list[int],
    alive: int,
) -> None:
    writer = encoder()
    data = writer.opening(Cursor(RUN, 0), b'{"id":"r1"}')
    for place, block in enumerate(blocks_of(log, grouping)):
        data += writer.keepalive() if place == alive else b""
        data += writer.encode(block)

    whole, cut = read(decoder(), [data]), read(decoder(), sliced(data, cuts))

    assert meaning(whole) == meaning(log)
    assert cut == whole


@pytest.mark.parametrize(("encoder", "decoder"), CODECS)
@given(log=logs())
def test_bytes_can_come_one_by_one(
    encoder: Callable[[], Encoder], decoder: Callable[[], Decoder], log: list[Event]
) -> None:
    data = b"".join(encoder().encode(block) for block in blocks_of(log, []))

    events = read(decoder(), [bytes([byte]) for byte in data])

    assert meaning(events) == meaning(log)


@given(log=logs(), grouping=st.lists(st.integers(0, 9)))
def test_every_format_says_the_same(log: list[Event], grouping: list[int]) -> None:
    blocks = blocks_of(log, grouping)
    sse, ndjson = SSEEncoder(), NDJSONEncoder()

    heard = read(SSEDecoder(), [sse.encode(block) for block in blocks])
    also = read(NDJSONDecoder(), [ndjson.encode(block) for block in blocks])

    assert meaning(heard) == meaning(also) == meaning(log)


@pytest.mark.parametrize("encoder", ENCODERS)
@given(log=logs(), grouping=st.lists(st.integers(0, 9)))
def test_grouping_changes_no_byte(
    encoder: Callable[[], Encoder], log: list[Event], grouping: list[int]
) -> None:
    one, other = encoder(), encoder()

    bytes_of_blocks = [
        b"".join(writer.encode(block) for block in blocks_of(log, places))
        for writer, places in [(one, grouping), (other, range(10))]
    ]

    assert bytes_of_blocks[0] == bytes_of_blocks[1]


@pytest.mark.parametrize(("encoder", "decoder"), CODECS)
@given(text=hostile)
def test_no_text_can_make_an_event(
    encoder: Callable[[], Encoder], decoder: Callable[[], Decoder], text: str
) -> None:
    block = Block.of_chunks(RUN, 1, [to_json(text), to_json({text: text})])

    events = read(decoder(), [encoder().encode(block)])

    assert meaning(events) == [(1, "chunk", text), (2, "chunk", {text: text})]


@pytest.mark.parametrize(("encoder", "decoder"), CODECS)
def test_a_reset_says_where_the_log_begins(
    encoder: Callable[[], Encoder], decoder: Callable[[], NDJSONDecoder | SSEDecoder]
) -> None:
    reader = decoder()

    events = reader.feed(encoder().reset(RUN, 8))

    assert list(events) == []
    assert reader.first_seq == 8


@pytest.mark.parametrize(("encoder", "decoder"), CODECS)
def test_keepalive_and_farewell_are_not_events(
    encoder: Callable[[], Encoder], decoder: Callable[[], Decoder]
) -> None:
    writer, reader = encoder(), decoder()

    events = read(reader, [writer.keepalive(), writer.farewell(1500) or b"", writer.keepalive()])
    after = reader.feed(writer.encode(Block.of_chunks(RUN, 1, [b"1"])))

    assert events == []
    assert meaning(after) == [(1, "chunk", 1)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_an_encoder_names_its_media_type(encoder: Callable[[], Encoder]) -> None:
    assert encoder().media_type in {
        "text/event-stream; charset=utf-8",
        "application/x-ndjson",
        "text/plain; charset=utf-8",
    }
    assert encoder().carries_end is not isinstance(encoder(), TextEncoder)


# Limits.


@pytest.mark.parametrize("pieces", [1, 7, 1000])
@pytest.mark.parametrize(
    ("decoder", "frame"),
    [
        (SSEDecoder, b"id: r1.1\ndata: %b\n\n"),
        (NDJSONDecoder, b'{"seq":1,"type":"chunk","data":%b}\n'),
    ],
    ids=["sse", "ndjson"],
)
def test_an_event_over_the_limit_is_refused_however_it_is_cut(
    decoder: type[SSEDecoder | NDJSONDecoder], frame: bytes, pieces: int
) -> None:
    data = frame % (b'"' + b"x" * 2000 + b'"') + frame % b"1"
    size = -(-len(data) // pieces)
    slices = [data[start : start + size] for start in range(0, len(data), size)]

    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        read(limited(decoder, 1000), slices)
    assert len(read(limited(decoder, 3000), slices)) == 2


def limited(decoder: type[SSEDecoder | NDJSONDecoder], size: int) -> SSEDecoder | NDJSONDecoder:
    if decoder is SSEDecoder:
        return SSEDecoder(max_event_bytes=size)
    return NDJSONDecoder(max_line_bytes=size)


@pytest.mark.parametrize(
    ("decoder", "frame"),
    [
        (SSEDecoder, b"id: r1.1\ndata: 1\n\n"),
        (NDJSONDecoder, b'{"seq":1,"type":"chunk","data":1}\n'),
    ],
    ids=["sse", "ndjson"],
)
def test_many_small_events_are_not_one_large_event(
    decoder: type[SSEDecoder | NDJSONDecoder], frame: bytes
) -> None:
    assert len(read(limited(decoder, 100), [frame * 500])) == 500


# NDJSON.


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b'{"seq":1,"type":"chunk"}',
        b'{"seq":"x","type":"chunk","data":1}',
        b'{"seq":1e999,"type":"chunk","data":1}',
        b'{"seq":null,"type":"chunk","data":1}',
        b'{"seq":1,"type":null,"data":1}',
        b'{"seq":1,"type":7,"data":1}',
        b'{"seq":1,"type":["chunk"],"data":1}',
        b'{"type":"reset","data":{}}',
        b'{"type":"reset","data":{"firstSeq":1e999}}',
        b'{"seq":1,"type":"chunk","data":"\xff"}',
        b'{"seq":1,"type":"chunk","data":"\\ud800"}',
        b'{"seq":%b,"type":"chunk","data":1}' % (b"9" * 5000),
        b"[" * 100_000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_a_line_that_is_not_an_event_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="not an event of this protocol"):
        NDJSONDecoder().feed(line + b"\n")


names = st.text("abcdefghijklmnopqrstuvwxyzABC_-é ", min_size=1, max_size=12).filter(
    lambda name: (
        name not in {"chunk", "question", "answer", "restarted", "done", "error", "cancelled"}
        and name not in {"run", "message", "reset"}
    )
)


times = st.floats(0, 4_000_000_000) | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)


@given(log=logs(), ats=st.lists(times, min_size=9, max_size=9), places=st.lists(st.integers(0, 9)))
def test_times_add_only_themselves_and_are_the_same_however_blocks_are_joined(
    log: list[Event], ats: list[float], places: list[int]
) -> None:
    timed = [replace(event, at=at) for event, at in zip(log, ats, strict=False)]
    writer = NDJSONEncoder(times=True)

    alone = b"".join(writer.encode(block) for block in blocks_of(timed, range(10)))
    joined = b"".join(writer.encode(block) for block in blocks_of(timed, places))
    untimed = b"".join(NDJSONEncoder().encode(block) for block in blocks_of(timed, places))

    assert alone == joined
    assert re.sub(rb',"atMs":[0-9]+}$', b"}", joined, flags=re.MULTILINE) == untimed
    events = NDJSONDecoder().feed(joined)
    assert [event.at for event in events] == [round(event.at, 3) for event in timed]


@given(log=logs(), strange=st.lists(st.tuples(st.integers(0, 9), names, values)), data=st.data())
def test_events_of_unknown_types_are_passed_wherever_they_are(
    log: list[Event], strange: list[tuple[int, str, object]], data: st.DataObject
) -> None:
    frames: list[tuple[str, bytes]] = [(each.type.value, each.data) for each in log]
    for place, name, value in strange:
        frames.insert(min(place, len(frames)), (name, to_json(value)))
    sse = b"".join(
        b"id: r1.%d\nevent: %b\nmore: x\ndata: %b\n\n" % (seq, name.encode(), value)
        for seq, (name, value) in enumerate(frames, 1)
    )
    lines = b"".join(
        b'{"more":[],"seq":%d,"type":%b,"data":%b}\n' % (seq, to_json(name), value)
        for seq, (name, value) in enumerate(frames, 1)
    )
    cuts = data.draw(st.lists(st.integers(0, 600)))
    decoder, known = SSEDecoder(), [event.type.value for event in log]

    events = read(decoder, sliced(sse, cuts))
    of_lines = read(NDJSONDecoder(), sliced(lines, cuts))

    assert [event.type.value for event in events] == known
    assert [event.value for event in events] == [event.value for event in log]
    assert meaning(of_lines) == meaning(events)
    assert decoder.cursor == (f"r1.{len(frames)}" if frames else None)


@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":1,"type":"no such type","data":1}',
        b'{"seq":1,"type":"started","data":1}',
        b'{"type":"notice"}',
        b'{"type":"constructor","seq":"x"}',
    ],
)
def test_a_line_of_an_unknown_type_is_passed(line: bytes) -> None:
    assert list(NDJSONDecoder().feed(line + b"\n")) == []


@given(data=st.binary(max_size=200))
def test_any_bytes_are_events_or_a_protocol_error(data: bytes) -> None:
    for decoder in (NDJSONDecoder(), SSEDecoder()):
        try:
            decoder.feed(data + b"\n\n")
        except ProtocolError:
            continue


def test_ndjson_may_have_blank_lines_and_other_line_ends() -> None:
    decoder = NDJSONDecoder()

    events = decoder.feed(b'\n \r\n  {"seq":1,"type":"chunk","data":1}\r\n\n')

    assert meaning(events) == [(1, "chunk", 1)]


# Plain text.


def test_plain_text_is_the_concatenation_of_the_texts() -> None:
    data = [
        b'"a"',
        b'{"type":"text","text":"b\\n"}',
        b'{"type":"progress","current":1}',
        b'{"type":"append","text":"c"}',
        b"3",
    ]
    block = Block.of_chunks(RUN, 1, data)

    text = TextEncoder().encode(
        Block.join([block, Block.of_event(RUN, 6, EventType.DONE, b'"end"')])
    )

    assert text == b"ab\nc"


def test_plain_text_carries_nothing_but_text() -> None:
    encoder = TextEncoder()

    rest = [
        encoder.opening(Cursor(RUN, 0), b"{}"),
        encoder.keepalive(),
        encoder.reset(RUN, 3),
    ]

    assert rest == [b""] * 3


@pytest.mark.parametrize("encoder", ENCODERS)
def test_all_readers_of_a_format_have_one_encoder_for_blocks(
    encoder: Callable[[], Encoder],
) -> None:
    one, other = encoder(), encoder()

    assert one.encode is other.encode  # else the newest block would be encoded for each of them
