"""The tables in PostgreSQL are created and changed once, and a store serves any event loop."""

import asyncio
import gc
import sys

import pytest

from tests.support.postgres import dsn, new_schema
from yieldwire.errors import MissingDependency, StoreError
from yieldwire.log.run import RunRecord
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.postgres.connections import DatabaseSettings
from yieldwire.stores.postgres.layout import prepare
from yieldwire.stores.statements import layouts
from yieldwire.testing.contract.harness import chunks, claimed, created, finished, log_of

LAYOUTS = layouts("yieldwire.stores.postgres")
LATEST = max(LAYOUTS)
NEXT = {**LAYOUTS, LATEST + 1: "ALTER TABLE yieldwire.runs ADD COLUMN colour text;"}
"""With a step that fails if it is taken twice."""


async def update(schema: str, known: dict[int, str]) -> int:
    """Open the database as a process does that knows these layouts; return what it has found."""
    settings = DatabaseSettings(dsn=dsn(), connections=1, timeout=30.0, layouts=known)
    async with await settings.connect() as connection:
        return await prepare(connection, schema, known)


async def test_processes_that_open_a_database_at_once_change_it_once() -> None:
    schema = new_schema()

    found = await asyncio.gather(*(update(schema, NEXT) for _ in range(4)))

    assert sorted(found) == [0] + 3 * [LATEST + 1]


async def test_a_process_of_the_version_before_keeps_working_while_the_layout_changes() -> None:
    schema = new_schema()
    store = PostgresStore(dsn(), schema=schema)
    run = await claimed(store)

    assert await update(schema, NEXT) == LATEST
    await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    ended = await finished(store)

    assert await store.get(ended.id) == ended
    assert [event.seq for event in await log_of(store, run.id)] == [1]
    await store.close()


async def test_a_layout_of_a_newer_version_is_refused() -> None:
    schema = new_schema()
    await update(schema, NEXT)
    store = PostgresStore(dsn(), schema=schema)

    with pytest.raises(StoreError, match=rf"has layout {LATEST + 1}, .* knows {LATEST}\. Use"):
        await created(store)

    await store.close()


def test_a_store_serves_another_loop_after_one_that_ended_without_a_close() -> None:
    store = PostgresStore(dsn(), schema=new_schema())

    async def begin() -> RunRecord:
        await store.open()
        run = await claimed(store)
        await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await store.read(run.id, 1, wait=0.01)
        return run

    async def resume(run: RunRecord) -> int:
        await store.open()
        await store.append(run.id, chunks(run.id, 2, 1), after=1, fence=run.fence)
        await store.read(run.id, 2, wait=0.01)
        seq = (await store.get(run.id)).seq
        await store.close()
        return seq

    run = asyncio.run(begin())
    seq = asyncio.run(resume(run))
    gc.collect()  # what was left must not complain

    assert seq == 2


def test_a_store_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("yieldwire.stores.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[postgres\]'"):
        __import__("yieldwire.stores.postgres")
