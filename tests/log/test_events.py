"""A block is its events, however they are grouped, joined and cut."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from yieldwire.log.events import TERMINAL_EVENTS, Block, Event, EventType, one_line

RUN = "r1-_x"

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
data = values.map(to_json).map(one_line)
in_logs = [kind for kind in EventType if kind is not EventType.STARTED]


def block_of(events: Sequence[Event]) -> Block:
    blocks = [Block.of_event(RUN, event.seq, event.type, event.data) for event in events]
    whole = blocks[0]
    for block in blocks[1:]:
        whole = whole.joined(block)
    return whole


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    first = draw(st.integers(1, 1000))
    kinds = draw(st.lists(st.sampled_from([EventType.CHUNK, EventType.RESTARTED]), max_size=8))
    kinds.append(draw(st.sampled_from(in_logs)))
    return [Event(seq, kind, draw(data)) for seq, kind in enumerate(kinds, first)]


@given(log=logs())
def test_a_blocks_events_are_those_it_was_made_of(log: list[Event]) -> None:
    block = block_of(log)

    assert list(block.events()) == log
    assert (block.first, block.last) == (log[0].seq, log[-1].seq)
    assert block.end == (log[-1].type if log[-1].is_terminal else None)


@given(log=logs(), cut=st.integers(0, 8))
def test_grouping_changes_no_byte(log: list[Event], cut: int) -> None:
    cut = min(cut, len(log) - 1)
    whole = block_of(log)

    joined = block_of(log[:cut]).joined(block_of(log[cut:])) if cut else block_of(log)

    assert joined == whole
    assert joined.frames == b"".join(block_of([event]).frames for event in log)


@given(log=logs(), skip=st.integers(-2, 8))
def test_the_part_after_a_seq_is_cut_at_a_frame(log: list[Event], skip: int) -> None:
    skip = min(skip, len(log) - 1)
    block = block_of(log)

    part = block.after(block.first - 1 + skip)

    assert list(part.events()) == log[max(0, skip) :]
    assert block.frames.endswith(part.frames)
    assert part.size == len(log) - max(0, skip)
    assert (part.last, part.end, part.run_id) == (block.last, block.end, RUN)


def test_nothing_is_after_the_last_event() -> None:
    part = Block.of_chunks(RUN, 1, [b"1", b"2"]).after(2)

    assert list(part.events()) == []
    assert part.frames == b""


@given(chunks=st.lists(data, min_size=1), first=st.integers(1, 10**12))
def test_a_block_of_chunks_is_the_same_as_its_chunks_one_by_one(
    chunks: list[bytes], first: int
) -> None:
    block = Block.of_chunks(RUN, first, chunks)

    assert block == block_of(
        [Event(seq, EventType.CHUNK, chunk) for seq, chunk in enumerate(chunks, first)]
    )
    assert block.end is None


@given(chunk=values)
def test_an_event_is_one_line_of_data_whatever_is_in_it(chunk: object) -> None:
    block = Block.of_chunks(RUN, 1, [to_json(chunk)])

    assert block.frames.count(b"\n") == 3
    assert b"\r" not in block.frames
    assert next(block.events()).value == chunk


def test_the_frames_are_those_of_the_native_format() -> None:
    block = Block.of_chunks("r1", 7, [b'"a"']).joined(
        Block.of_event("r1", 8, EventType.DONE, b"{}")
    )

    assert block.frames == b'id: r1.7\ndata: "a"\n\nid: r1.8\nevent: done\ndata: {}\n\n'


@pytest.mark.parametrize("kind", list(EventType))
def test_only_the_three_ends_are_terminal(kind: EventType) -> None:
    assert Event(1, kind, b"{}").is_terminal is (kind in TERMINAL_EVENTS)
    assert (kind in TERMINAL_EVENTS) is (kind.value in {"done", "error", "cancelled"})


@given(log=logs())
def test_a_blocks_newest_event_is_its_last(log: list[Event]) -> None:
    block = block_of(log)

    newest = block.newest()

    assert list(newest.events()) == log[-1:]
    assert (newest.first, newest.last, newest.end) == (block.last, block.last, block.end)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_block_is_told_without_what_is_for_development_only(before: int) -> None:
    error = b'{"code":"INTERNAL_ERROR","errorId":"e1","debug":{"traceback":"canary"}}'
    block = Block.of_event("r1", before + 1, EventType.ERROR, error)
    if before:
        block = Block.of_chunks("r1", 1, [b'{"debug":1}'] * before).joined(block)

    told = block.without_debug()

    *chunks, end = told.events()
    assert [event.data for event in chunks] == [b'{"debug":1}'] * before
    assert end == Event(before + 1, EventType.ERROR, b'{"code":"INTERNAL_ERROR","errorId":"e1"}')
    assert (told.first, told.last, told.end) == (1, before + 1, EventType.ERROR)


@pytest.mark.parametrize(
    "block",
    [
        Block.of_chunks("r1", 1, [b'{"debug":{"traceback":"mine"}}']),
        Block.of_event("r1", 1, EventType.DONE, b'{"result":{"debug":{}}}'),
        Block.of_event("r1", 1, EventType.ERROR, b'{"code":"X","data":{"a":1}}'),
    ],
)
def test_a_block_without_an_error_to_hide_is_told_as_it_is(block: Block) -> None:
    assert block.without_debug() is block


def test_data_of_an_actions_own_error_keeps_what_it_calls_debug() -> None:
    error = b'{"code":"X","data":{"debug":{"a":1}}}'

    (event,) = Block.of_event("r1", 1, EventType.ERROR, error).without_debug().events()

    assert event.data == error
