"""Rows of React Flight."""

from yieldwire.dialects.rsc import RSCEncoder
from yieldwire.log.events import Block, EventType

RUN = "rAAAAAAAAAAAAAAAAAAAA"


def rows(*chunks: bytes) -> list[bytes]:
    encoder = RSCEncoder()
    (block, end) = (
        Block.of_chunks(RUN, 1, chunks),
        Block.of_event(RUN, 9, EventType.DONE, b'{"result":"$r"}'),
    )
    frames = [*encoder.begin(RUN)]
    for event in block.events():
        frames += encoder.chunk(event)
    return [*frames, *encoder.done(*end.events())]


def test_a_value_is_a_chain_of_promises() -> None:
    assert rows(b'{"type":"value","value":1}', b'{"n":2}') == [
        b'0:{"type":"$Sui.streamable.value","next":"$@1"}\n',
        b'1:{"curr":1,"next":"$@2"}\n',
        b'2:{"curr":{"n":2},"next":"$@3"}\n',
        b"3:{}\n",
    ]


def test_text_grows_and_no_string_is_taken_for_a_reference() -> None:
    assert rows(b'{"type":"append","text":"$a"}', b'{"type":"append","text":"$@1"}')[1:3] == [
        b'1:{"curr":"$$a","next":"$@2"}\n',
        b'2:{"diff":[0,"$$@1"],"next":"$@3"}\n',
    ]
    assert rows(b'[{"k":"$"}]')[1] == b'1:{"curr":[{"k":"$$"}],"next":"$@2"}\n'


def test_numbers_of_rows_are_hexadecimal() -> None:
    assert rows(*[b"1"] * 20)[16].startswith(b'10:{"curr":1,"next":"$@11"')


def test_keepalives_are_rows_that_nothing_refers_to() -> None:
    encoder = RSCEncoder()

    assert [encoder.keepalive() for _ in range(2)] == [b"4000001:null\n", b"4000002:null\n"]
