"""Frames of TanStack Start, byte for byte as its own server writes them."""

import pytest

from yieldwire.dialects.tanstack import MAX_FRAME_BYTES, TanStackEncoder
from yieldwire.errors import ActionError
from yieldwire.log.events import Block, EventType

RUN = "rAAAAAAAAAAAAAAAAAAAA"


def framed(payload: bytes) -> bytes:
    return b"\0\0\0\0\0" + len(payload).to_bytes(4) + payload


def test_chunks_and_the_return_are_steps_of_stream_5_with_numbers_from_8() -> None:
    encoder = TanStackEncoder()
    block = Block.of_chunks(RUN, 1, [b"1", b'{"a":"<\\"","b":[null]}'])
    (end,) = Block.of_event(RUN, 3, EventType.DONE, b'{"result":{}}').events()

    frames = [frame for event in block.events() for frame in encoder.chunk(event)]

    assert [*frames, *encoder.done(end)] == [
        framed(b'{"t":32,"i":5,"f":{"t":0,"s":1}}'),
        framed(
            b'{"t":32,"i":5,"f":{"t":10,"i":8,"p":{"k":["a","b"],"v":[{"t":1,"s":"\\\\x3C\\\\\\""},'
            b'{"t":9,"i":9,"a":[{"t":2,"s":0}],"o":0}]},"o":0}}'
        ),
        framed(b'{"t":34,"i":5,"f":{"t":10,"i":10,"p":{"k":[],"v":[]},"o":0}}'),
    ]


def test_an_error_is_thrown_with_its_facts() -> None:
    error = ActionError("OUT", "No <more>.", status=402).error_object()

    (frame,) = TanStackEncoder().error(error)

    assert frame.startswith(b"\0\0\0\0\0")
    assert b'"f":{"t":13,"i":8,"s":0,"m":"No \\\\x3Cmore>.","p":{"k":["code",' in frame


def test_a_generator_without_a_result_returns_nothing() -> None:
    (end,) = Block.of_event(RUN, 1, EventType.DONE, b"{}").events()

    assert TanStackEncoder().done(end) == [framed(b'{"t":34,"i":5,"f":{"t":2,"s":1}}')]


def test_a_frame_that_the_client_would_refuse_is_not_made() -> None:
    (chunk,) = Block.of_chunks(RUN, 1, [b'"%b"' % (b"x" * MAX_FRAME_BYTES)]).events()

    with pytest.raises(ValueError, match="at most 16777216 bytes"):
        TanStackEncoder().chunk(chunk)
