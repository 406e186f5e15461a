"""What a PostgreSQL store does when its server is away, refuses, or is behind PgBouncer."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer, new_schema
from yieldwire.errors import NotFound, StoreError
from yieldwire.log.run import RunRecord
from yieldwire.stores import Admission
from yieldwire.stores.postgres import PostgresStore
from yieldwire.testing.contract.harness import (
    chunks,
    claimed,
    created,
    finish,
    log_of,
    record,
)
from yieldwire.testing.contract.reading import wakes

TIMEOUT = 2.0
"""Seconds that a call waits for the server in these tests."""
SOON = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of its own, as these tests stop it."""
    server = PostgresServer(max_connections="12")
    server.start()
    yield server
    server.delete()


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(server.dsn(), schema=new_schema(), timeout=TIMEOUT)
    yield store
    await store.close()


async def append(store: PostgresStore, run: RunRecord, seq: int) -> int:
    return await store.append(run.id, chunks(run.id, seq, 1), after=seq - 1, fence=run.fence)


async def append_for_sure(store: PostgresStore, run: RunRecord, seq: int) -> None:
    """Append one event, and repeat that until the store says that it is there."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                await append(store, run, seq)
            except StoreError:
                await asyncio.sleep(0.01)
            else:
                return


async def append_until_it_fails(store: PostgresStore, run: RunRecord, seq: int) -> None:
    while True:
        seq = 1 + await append(store, run, seq)


def execute(server: PostgresServer, sql: str) -> None:
    writable = "-c default_transaction_read_only=off"
    with psycopg.connect(server.dsn(), autocommit=True, options=writable) as connection:
        connection.execute(sql.encode())


async def test_a_crash_of_the_server_leaves_no_gap_and_no_repeat(
    server: PostgresServer, store: PostgresStore
) -> None:
    run = await claimed(store)

    for seq in range(1, 31):
        if seq % 10 == 5:
            await asyncio.to_thread(server.stop, how=signal.SIGQUIT)
            await asyncio.to_thread(server.start)
        await append_for_sure(store, run, seq)

    assert [event.seq for event in await log_of(store, run.id)] == [*range(1, 31)]


async def test_while_the_server_is_away_calls_fail_and_later_ones_succeed(
    server: PostgresServer, store: PostgresStore
) -> None:
    run = await claimed(store)
    await asyncio.to_thread(server.stop)

    with pytest.raises(StoreError, match=r"there is no connection|restarting"):
        await append(store, run, 1)
    await asyncio.to_thread(server.start)
    await append_for_sure(store, run, 1)

    assert (await store.get(run.id)).seq == 1


async def test_a_server_that_does_not_answer_fails_the_call_in_time(
    server: PostgresServer, store: PostgresStore
) -> None:
    run = await claimed(store)
    server.signal_all(signal.SIGSTOP)

    try:
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreError, match="Runs cannot be kept in"):
                await append(store, run, 1)
    finally:
        server.signal_all(signal.SIGCONT)
    await append_for_sure(store, run, 1)

    assert [event.seq for event in await log_of(store, run.id)] == [1]


async def test_readers_are_woken_by_another_process_after_a_restart_of_the_server(
    server: PostgresServer, store: PostgresStore
) -> None:
    other = PostgresStore(server.dsn(), schema=store.schema, timeout=TIMEOUT)
    run = await claimed(store)
    await wakes(other, run.id, 0, partial(append, store, run, 1))

    await asyncio.to_thread(server.stop, how=signal.SIGQUIT)
    await asyncio.to_thread(server.start)

    await wakes(other, run.id, 1, partial(append_for_sure, store, run, 2))
    await wakes(other, run.id, 2, partial(finish, store, run, after=2))
    await other.close()


async def test_a_read_only_server_can_be_read_and_says_that_it_is_read_only(
    server: PostgresServer, store: PostgresStore
) -> None:
    run = await claimed(store)
    await append(store, run, 1)
    execute(server, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(server, "SELECT pg_reload_conf()")

    try:
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreError, match=r"read-only\. Name the primary"):
                await append_until_it_fails(store, run, 2)
        kept = await log_of(store, run.id)
    finally:
        execute(server, "ALTER SYSTEM RESET default_transaction_read_only")
        execute(server, "SELECT pg_reload_conf()")

    assert kept[0].seq == 1


async def test_a_server_without_free_connections_says_what_to_change(
    server: PostgresServer, store: PostgresStore
) -> None:
    with ExitStack() as others:
        with pytest.raises(psycopg.OperationalError, match=r"too many|remaining connection"):
            take_all_connections(server, others)

        with pytest.raises(StoreError, match=r"no connection left\. Raise its max"):
            await created(store)

    assert await created(store)


def take_all_connections(server: PostgresServer, others: ExitStack) -> None:
    while True:
        others.enter_context(psycopg.connect(server.dsn()))


async def test_a_database_that_does_not_exist_is_named(server: PostgresServer) -> None:
    store = PostgresStore(server.dsn("nothing"))

    with pytest.raises(StoreError, match=r"nothing .* does not exist\. Create it"):
        await store.sweep()

    await store.close()


async def test_a_text_that_cannot_be_kept_fails_alone_and_for_good(store: PostgresStore) -> None:
    runs = [record(), record(owner="\ud800"), record()]

    outcomes = await asyncio.gather(
        *(store.create(run, Admission()) for run in runs), return_exceptions=True
    )

    assert [isinstance(each, StoreError) for each in outcomes] == [False, True, False]
    assert isinstance(outcomes[1], StoreError)
    assert not outcomes[1].retryable


async def test_a_log_that_was_lost_is_said_to_be_lost(
    server: PostgresServer, store: PostgresStore
) -> None:
    run = await claimed(store)
    await append(store, run, 1)

    execute(server, f"TRUNCATE {store.schema}.heads")
    other = PostgresStore(server.dsn(), schema=store.schema)

    with pytest.raises(NotFound, match="There is no run"):
        await other.read(run.id, 1, wait=SOON)
    await other.close()


async def test_behind_pgbouncer_readers_are_woken_and_polling_is_said_once(
    server: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "yieldwire.worker")
    with PgBouncer(server, tmp_path) as bouncer:
        schema = new_schema()
        one, other = (PostgresStore(bouncer.dsn, schema=schema) for _ in range(2))
        run = await claimed(one)
        for seq in range(1, 30):  # often enough for statements to be prepared
            await append(one, run, seq)

        await wakes(other, run.id, 29, partial(append, one, run, 30))
        async with asyncio.timeout(SOON):
            while not caplog.records:
                await other.read(run.id, 30, wait=0.1)
        await wakes(other, run.id, 30, partial(finish, one, run, after=30))
        for store in (one, other):
            await store.close()

    (said,) = caplog.records
    assert "behind PgBouncer" in said.getMessage()


async def test_behind_pgbouncer_a_store_can_listen_at_the_server(
    server: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "yieldwire.worker")
    with PgBouncer(server, tmp_path) as bouncer:
        schema = new_schema()
        one = PostgresStore(bouncer.dsn, schema=schema)
        other = PostgresStore(bouncer.dsn, schema=schema, listen=server.dsn())
        run = await claimed(one)

        for seq in range(1, 4):
            await wakes(other, run.id, seq - 1, partial(append, one, run, seq))
        for store in (one, other):
            await store.close()

    assert caplog.records == []
