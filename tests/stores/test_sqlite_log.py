"""A log in a file is read from any place in it, and leaves nothing there when it is purged."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores.quicklog import QuickLog
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import claimed

BLOCKS = 150
LARGE = 5000
"""Bytes of a block that is in the index whatever is before it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    yield store
    await store.close()


@pytest.fixture
async def other(store: SQLiteStore, path: Path) -> AsyncIterator[SQLiteStore]:
    """Another process's store of the same file, which has nothing of it in memory."""
    await store.sweep()
    other = SQLiteStore(path)
    yield other
    await other.close()


def rows_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        return int(count)


async def fill(
    store: SQLiteStore, run: RunRecord, size_of: Callable[[int], int], *, blocks: int = BLOCKS
) -> list[bytes]:
    """Append blocks of one to three events, and return the data of each event."""
    data, dice = list[bytes](), random.Random(blocks)  # noqa: S311 - the same in each run
    for number in range(blocks):
        text = b"x" * size_of(number)
        more = [b'"%d %b"' % (each, text) for each in range(dice.randint(1, 3))]
        block = Block.of_chunks(run.id, len(data) + 1, more)
        await store.append(run.id, block, after=len(data), fence=run.fence)
        data += more
    return data


async def read(store: SQLiteStore, run: RunRecord, after: int, max_bytes: int) -> list[bytes]:
    """Return the data of each event after a seq, page by page."""
    data = list[bytes]()
    while page := await store.read(run.id, after, max_bytes=max_bytes):
        for block in page:
            assert block.first == after + 1
            data += [event.data for event in block.events()]
            after = block.last
    return data


SIZES: dict[str, Callable[[int], int]] = {
    "small": lambda _: 1,
    "large": lambda _: LARGE,
    "both": lambda number: LARGE if number % 7 == 3 else 1,
}


@pytest.mark.parametrize("max_bytes", [1, 700, 262_144])
@pytest.mark.parametrize("sizes", SIZES)
async def test_a_log_is_read_from_every_place_in_it(
    store: SQLiteStore, other: SQLiteStore, sizes: str, max_bytes: int
) -> None:
    run, neighbour = await claimed(store), await claimed(store)
    data = await fill(store, run, SIZES[sizes])
    await fill(store, neighbour, SIZES[sizes], blocks=20)

    for after in range(0, len(data) + 1, 7):
        assert await read(other, run, after, max_bytes) == data[after:]
    assert await read(other, run, len(data) - 1, max_bytes) == data[-1:]


@pytest.mark.parametrize("keep", range(20, 40))
async def test_a_trimmed_log_is_read_from_its_beginning(
    store: SQLiteStore, other: SQLiteStore, path: Path, keep: int
) -> None:
    run = await claimed(store, keep=keep)
    data = await fill(store, run, SIZES["both"], blocks=60)
    first = (await other.get(run.id)).first_seq

    assert len(data) - keep - 2 < first <= len(data) - keep + 1
    assert await read(other, run, first - 1, 700) == data[first - 1 :]
    blocks = await other.read(run.id, 0, max_bytes=262_144)
    assert (blocks[0].first, blocks[-1].last) == (first, len(data))
    assert rows_of(path, "blocks") <= keep
    assert rows_of(path, "block_index") <= keep / 7 + 3


async def test_blocks_of_many_logs_that_are_written_together_are_read_from_each(
    store: SQLiteStore, other: SQLiteStore
) -> None:
    class Writer:
        def submitted(self, error: Exception | None, /) -> None:
            assert error is None

    runs = [await claimed(store) for _ in range(9)]
    for number in range(1, 41):
        for run in runs:
            log: QuickLog = store.quick_log(run.id)
            block = Block.of_chunks(run.id, number, [b'"%d"' % number])
            assert log.append_nowait(block, run.fence, Writer()) is None
        await store.sweep()  # returns after them
        await store.get(runs[0].id)
    for run in runs:
        end = Block.of_event(run.id, 41, EventType.DONE, b"{}")
        await store.append(run.id, end, after=40, fence=run.fence)

    for run in runs:
        assert await read(other, run, 0, 100) == [b'"%d"' % n for n in range(1, 41)] + [b"{}"]


async def test_a_purged_run_leaves_nothing_of_its_log_and_its_neighbour_all(
    store: SQLiteStore, other: SQLiteStore, path: Path
) -> None:
    run, neighbour = await claimed(store), await claimed(store)
    data = await fill(store, run, SIZES["both"])
    kept = await fill(store, neighbour, SIZES["both"], blocks=20)
    end = Block.of_event(run.id, len(data) + 1, EventType.DONE, b"{}")
    await store.append(run.id, end, after=len(data), fence=run.fence)

    await store.purge(run.id)

    assert await read(other, neighbour, 0, 262_144) == kept
    assert rows_of(path, "logs") == 1
    assert rows_of(path, "blocks") == 20
    assert 0 < rows_of(path, "block_index") <= 6
