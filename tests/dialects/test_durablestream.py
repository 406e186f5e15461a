"""What a run is as a stream, without a server: messages, offsets, cursors."""

from typing import Any

import pytest
from pydantic_core import from_json

from yieldwire.dialects.durablestream import (
    StreamContent,
    StreamPart,
    cursor_of,
    offset_of,
    run_of,
    seq_of,
    tail_of,
)
from yieldwire.errors import ForeignCursor, ParseError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.testing.dialect.harness import RUN


def record(**fields: Any) -> RunRecord:  # noqa: ANN401 - a record's own
    return RunRecord(id=RUN, action="say", quota_key="owner:ada").changed(**fields)


def read(*blocks: Block, content: str = "application/json", after: int = 0) -> StreamPart:
    part = StreamPart(content=StreamContent(content), seq=after, chunk=after)
    part.read(blocks)
    return part


def test_offsets_sort_as_their_seqs_do() -> None:
    offsets = [offset_of(RUN, seq) for seq in (0, 9, 10, 99, 1_000_000)]

    assert offsets == sorted(offsets)
    assert [seq_of(offset, record()) for offset in offsets] == [0, 9, 10, 99, 1_000_000]
    assert run_of(offsets[0]) == RUN


@pytest.mark.parametrize(("status", "tail"), [(Status.FAILED, 4), (Status.COMPLETED, 5)])
def test_the_error_of_a_run_has_no_offset(status: Status, tail: int) -> None:
    run = record(seq=5, status=status)

    assert (tail_of(run), seq_of("now", run), seq_of("-1", run)) == (tail, tail, 0)


def test_an_offset_of_another_run_or_none_is_refused() -> None:
    with pytest.raises(ForeignCursor, match="another stream"):
        seq_of(offset_of("rBBBBBBBBBBBBBBBBBBBB", 1), record())
    with pytest.raises(ParseError, match="cannot be read"):
        seq_of("1", record())
    assert run_of("-1") is None


def test_the_last_message_is_the_result() -> None:
    part = read(Block.of_chunks(RUN, 1, [b"1", b"2"]).ended(EventType.DONE, b'{"result":3}'))

    assert part.content.body(part.messages) == b'[1,2,{"type":"result","result":3}]'
    assert (part.seq, part.is_closed) == (3, True)


def test_a_mark_is_not_a_message() -> None:
    part = read(Block.of_chunks(RUN, 1, [b'{"type":"durable-stream","sequence":"a"}', b"2"]))

    assert (part.messages, part.seq) == ([b"2"], 2)


def test_reading_stops_before_a_restart_that_takes_back_messages() -> None:
    kept = Block.of_event(RUN, 3, EventType.RESTARTED, b'{"attempt":2,"keep":2}')
    lost = Block.of_event(RUN, 3, EventType.RESTARTED, b'{"attempt":2,"keep":1}')
    chunks = Block.of_chunks(RUN, 1, [b"1", b"2"])

    whole, part, rest = read(chunks, kept), read(chunks, lost), read(lost, after=2)

    assert (whole.seq, whole.error) == (3, None)
    assert (part.seq, part.error and part.error.code) == (2, "INTERRUPTED")
    assert (rest.messages, rest.error and rest.error.code) == ([], "INTERRUPTED")


@pytest.mark.parametrize(
    ("media_type", "body", "data"),
    [
        ("text/plain; charset=utf-8", b"a\r\n b\n", b"event: data\ndata:a\ndata:  b\ndata:\n\n"),
        ("image/png", b"\x89", b"event: data\ndata:iQ==\n\n"),
        ("Application/JSON", b'{"a":1}', b'event: data\ndata:[{"a":1}]\n\n'),
    ],
)
def test_what_is_appended_is_what_is_read(media_type: str, body: bytes, data: bytes) -> None:
    content = StreamContent(media_type)
    chunks = content.chunks(body, from_json)

    part = read(Block.of_chunks(RUN, 1, chunks), content=media_type)

    assert part.messages == [body]
    assert content.data(body) == data
    assert StreamContent.of(record(labels=(content.label,))).name == content.name


def test_a_cursor_always_advances() -> None:
    now = int(cursor_of({}))

    assert int(cursor_of({"cursor": str(now - 1)})) >= now
    assert int(cursor_of({"cursor": str(now + 5)})) > now + 5
    assert int(cursor_of({"cursor": "x"})) >= now
