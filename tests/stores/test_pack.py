"""The small blocks of a slow stream are packed, and nobody who reads sees it."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.pack import Pack

BEGAN = 1_764_000_000.0


def empty_log() -> Entry:
    """Return the log of a run that is being executed."""
    return Entry(RunRecord(id="r1", action="count", quota_key="c"), None, "", writer=1)


def slow_stream(events: int) -> tuple[Entry, list[Block]]:
    """Return the log of a stream that is mostly slow, and what was appended to it."""
    entry, seq = empty_log(), 1
    appended: list[Block] = []
    while seq <= events:
        size = 20 if seq % 97 == 0 else 1 + seq % 3
        data = [b'{"n":%d}' % n for n in range(seq, seq + size)]
        if seq % 41 == 0:
            data = [b'"' + b"x" * 5000 + b'"']
        block = Block.of_chunks("r1", seq, data, BEGAN + seq // 2 / 8)
        assert entry.append_nowait(block, 1)
        appended.append(block)
        seq = block.last + 1
    return entry, appended


def told(events: list[Event]) -> list[tuple[int, bytes, float]]:
    return [(event.seq, event.data, event.at) for event in events]


def events_of(blocks: list[Block]) -> list[tuple[int, bytes, float]]:
    return told([event for block in blocks for event in block.events()])


def test_what_is_packed_reads_as_it_was_appended_from_any_place_and_in_any_size() -> None:
    entry, appended = slow_stream(400)
    log = events_of(appended)

    for max_bytes in (1, 50, 1000, 1_000_000):
        for after in range(0, entry.seq, 7):
            page, read = list(entry.page(after, max_bytes)), list[Block]()
            read += page
            while page := list(entry.page(read[-1].last, max_bytes)):
                read += page
            assert events_of(read) == log[after:]


def test_a_page_of_packed_events_is_about_as_large_as_asked_for() -> None:
    entry, _ = slow_stream(90)

    (block,) = entry.page(50, 1)

    assert (block.first, block.last) == (51, 51)


class Unsearched(list[Block | Pack]):
    """The pieces of a log, which nobody goes through one by one."""

    def __iter__(self) -> Iterator[Block | Pack]:
        raise AssertionError("every piece was looked at")


def test_a_page_looks_only_at_the_pieces_that_it_returns() -> None:
    entry, appended = slow_stream(400)
    entry.pieces = Unsearched(entry.pieces)

    page = list(entry.page(200, 50))

    assert events_of(page) == events_of(appended)[200 : page[-1].last]


@given(
    sizes=st.lists(st.sampled_from([1, 1, 1, 2, 8, 9, 300]), min_size=1, max_size=60),
    is_read=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_a_log_reads_the_same_whenever_it_is_read(sizes: list[int], is_read: list[bool]) -> None:
    entry, appended = empty_log(), list[Block]()
    for n, size in enumerate(sizes):
        block = Block.of_chunks("r1", entry.seq + 1, [b'{"n":"%d"}' % n] * size, BEGAN + n // 3)
        assert entry.append_nowait(block, 1)
        appended.append(block)
        if is_read[n]:
            assert events_of([*entry.page(0, 10**9)]) == events_of(appended)
            assert entry.stands_already(block)
    end = Block.of_event("r1", entry.seq + 1, EventType.DONE, b"{}", BEGAN + len(sizes))
    entry.add(end)

    assert not entry.tail
    assert events_of([*entry.page(0, 10**9)]) == events_of([*appended, end])


def test_what_is_packed_is_recognized_when_it_is_appended_again() -> None:
    entry, appended = slow_stream(200)

    assert all(entry.stands_already(block) for block in appended)
    for block in appended[::9]:
        assert not entry.stands_already(replace(block, body=block.body.replace(b'"', b"'")))
        assert not entry.stands_already(replace(block, first=block.first + 1, last=block.last + 1))


def test_a_slow_stream_keeps_few_objects() -> None:
    entry = empty_log()
    for seq in range(1, 2001):
        entry.append_nowait(Block.of_chunks("r1", seq, [b'{"text":"token"}'], BEGAN + seq), 1)

    assert len(entry.pieces) < 4


def test_a_log_of_tiny_events_counts_about_as_much_as_it_takes() -> None:
    entry = empty_log()
    empty = entry.size()
    tracemalloc.start()
    try:
        for seq in range(1, 20_001):
            entry.append_nowait(Block.of_event("r1", seq, EventType.CHUNK, b"1", BEGAN + seq), 1)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken / 1.5 < entry.size() - empty < taken * 1.5
