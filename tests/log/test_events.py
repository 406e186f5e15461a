"""A block is its events, however they are grouped, joined and cut."""

from collections.abc import Sequence
from dataclasses import replace

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
    return Block.join(
        [Block.of_event(RUN, event.seq, event.type, event.data, event.at) for event in events]
    )


def timed(block: Block) -> list[tuple[Event, float]]:
    return [(event, event.at) for event in block.events()]


def times_of(log: Sequence[Event]) -> list[tuple[Event, float]]:
    return [(event, event.at) for event in log]


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    first = draw(st.integers(1, 1000))
    kinds = draw(st.lists(st.sampled_from([EventType.CHUNK, EventType.RESTARTED]), max_size=8))
    kinds.append(draw(st.sampled_from(in_logs)))
    at = st.sampled_from([0.0, 1.5, 1_764_378_000.125, 1_764_378_000.126])
    return [Event(seq, kind, draw(data), draw(at)) for seq, kind in enumerate(kinds, first)]


@given(log=logs())
def test_a_blocks_events_are_those_it_was_made_of(log: list[Event]) -> None:
    block = block_of(log)

    assert timed(block) == times_of(log)
    assert (block.first, block.last) == (log[0].seq, log[-1].seq)
    assert block.end == (log[-1].type if log[-1].is_terminal else None)


@given(log=logs(), cut=st.integers(0, 8))
def test_grouping_changes_no_byte(log: list[Event], cut: int) -> None:
    cut = min(cut, len(log) - 1)
    whole = block_of(log)

    joined = Block.join([block_of(log[:cut]), block_of(log[cut:])]) if cut else block_of(log)

    assert joined == whole
    assert joined.begins_with(whole)


@given(log=logs(), skip=st.integers(-2, 8))
def test_the_part_after_a_seq_is_cut_at_a_line(log: list[Event], skip: int) -> None:
    skip = min(skip, len(log) - 1)
    block = block_of(log)

    part = block.after(block.first - 1 + skip)

    assert timed(part) == times_of(log[max(0, skip) :])
    assert block.body.endswith(part.body)
    assert part.size == len(log) - max(0, skip)
    assert (part.last, part.end, part.run_id) == (block.last, block.end, RUN)


def test_nothing_is_after_the_last_event() -> None:
    part = Block.of_chunks(RUN, 1, [b"1", b"2"]).after(2)

    assert list(part.events()) == []
    assert part.body == b""


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

    assert block.body.count(b"\n") == 1
    assert b"\r" not in block.body
    assert next(block.events()).value == chunk


def test_a_body_is_a_line_for_each_event_and_says_when_later_ones_were_appended() -> None:
    chunks = Block.of_chunks("r1", 7, [b'"a"', b'"b"'], 10.0)
    end = Block.of_event("r1", 9, EventType.DONE, b"{}", 10.0)

    assert Block.join([chunks, end]).body == b'"a"\n"b"\n!done {}\n'
    assert Block.join([chunks, replace(end, at=10.5)]).body == b'"a"\n"b"\n@10.500\n!done {}\n'


@given(log=logs(), others=logs())
def test_a_block_begins_with_another_whatever_the_times_of_both(
    log: list[Event], others: list[Event]
) -> None:
    block, same = block_of(log), block_of([replace(event, at=3.0) for event in log])
    other = block_of([replace(event, seq=log[0].seq + n) for n, event in enumerate(others)])

    assert block.begins_with(same)
    assert same.begins_with(block_of(log[:1]))
    assert block.begins_with(other) is (list(other.events()) == log[: other.size])


@given(log=logs())
def test_what_a_block_has_is_known_without_reading_it(log: list[Event]) -> None:
    block, kinds = block_of(log), {event.type for event in log}
    times = [event.at for event in log]

    assert all(
        block.has(kind) is (kind in kinds) for kind in in_logs if kind is not EventType.CHUNK
    )
    chunks, before_end = block.chunks(), [event for event in log if not event.is_terminal]
    if {event.type for event in before_end} <= {EventType.CHUNK} and len(set(times)) == 1:
        assert chunks == b"".join(event.data + b"\n" for event in before_end)
    else:
        assert chunks is None
    if block.end is not None:
        assert block.ending() == log[-1].data


@pytest.mark.parametrize("kind", list(EventType))
def test_only_the_three_ends_are_terminal(kind: EventType) -> None:
    assert Event(1, kind, b"{}").is_terminal is (kind in TERMINAL_EVENTS)
    assert (kind in TERMINAL_EVENTS) is (kind.value in {"done", "error", "cancelled"})


@given(log=logs())
def test_a_blocks_newest_event_is_its_last(log: list[Event]) -> None:
    block = block_of(log)

    newest = block.newest()

    assert timed(newest) == times_of(log[-1:])
    assert (newest.first, newest.last, newest.end) == (block.last, block.last, block.end)


@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_block_is_told_without_what_is_for_development_only(before: int) -> None:
    error = b'{"code":"INTERNAL_ERROR","errorId":"e1","debug":{"traceback":"canary"}}'
    block = Block.of_event("r1", before + 1, EventType.ERROR, error)
    if before:
        block = Block.join([Block.of_chunks("r1", 1, [b'{"debug":1}'] * before), block])

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


def test_the_part_of_a_block_that_fits_has_its_time() -> None:
    block = Block.of_chunks(RUN, 1, [b"1", b"2", b"3"], 1_764_378_000.125)

    part = block.fitting(2, 100)

    assert part is not None
    assert [(event.seq, event.at) for event in part.events()] == [(1, block.at), (2, block.at)]
