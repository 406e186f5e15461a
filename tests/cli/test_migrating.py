"""The tables of a database are made on the command line, also for a user who cannot make them."""

import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import dsn, new_schema
from yieldwire.cli import main
from yieldwire.errors import StoreError
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.postgres.connections import DatabaseSettings
from yieldwire.stores.postgres.layout import prepare
from yieldwire.stores.statements import layouts
from yieldwire.testing.contract.harness import claimed, created, finish
from yieldwire.testing.contract.reading import wakes

GUIDE = Path(__file__).parents[2] / "docs/guides/keep-runs-in-postgresql.md"
REVOKES = "DROP OWNED BY {user}; DROP ROLE {user};"


def migrate(
    schema: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Run the command, and return what it says."""
    monkeypatch.setattr(sys, "argv", ["yieldwire", "migrate", dsn(), "--schema", schema])
    with pytest.raises(SystemExit, match="0"):
        main()
    return capsys.readouterr().err.strip()


def test_the_tables_are_created_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = new_schema()

    said = [migrate(schema, monkeypatch, capsys) for _ in range(2)]

    assert said == ["The layout is 1; there was none.", "The layout is 1."]


def execute(sql: str) -> None:
    with psycopg.connect(dsn(), autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.fixture
async def limited() -> AsyncIterator[tuple[str, str]]:
    """A schema with tables, and its URL for a user with the rights that the guide names."""
    schema, user = new_schema(), new_schema()
    await PostgresStore(dsn(), schema=schema).migrate()
    execute(f"CREATE ROLE {user} LOGIN")
    guide = GUIDE.read_text("utf-8").partition("```sql\n")[2].partition("```")[0]
    execute(guide.replace("yieldwire", schema).replace("shop", user))
    yield schema, dsn().replace("ada@", f"{user}@")
    execute(REVOKES.format(user=user))


async def test_a_user_who_cannot_create_tables_can_use_those_that_are_there(
    limited: tuple[str, str],
) -> None:
    schema, url = limited
    store, other = (PostgresStore(url, schema=schema) for _ in range(2))
    run = await claimed(store)

    await wakes(other, run.id, 0, partial(finish, store, run))
    waiting = await created(store, action="wait")
    await other.request_cancel(waiting.id, "requested")
    await store.revoke("ada")
    await store.sweep()

    assert await other.purge(run.id) == [run.id]
    assert (await other.revoked(0)).last == 1
    await store.close()
    await other.close()


async def test_a_user_who_cannot_create_tables_can_use_those_of_a_newer_layout(
    limited: tuple[str, str],
) -> None:
    schema, url = limited
    known = layouts("yieldwire.stores.postgres")
    newer = {**known, max(known) + 1: "CREATE TABLE yieldwire.colours (name text)"}
    settings = DatabaseSettings(dsn=dsn(), connections=1, timeout=30.0, layouts=newer)

    async with await settings.connect() as owner:
        await prepare(owner, schema, newer)

    with psycopg.connect(url, options=f"-c search_path={schema}") as user:
        inserted = user.execute("INSERT INTO colours VALUES ('red')")
        assert inserted.rowcount == 1


async def test_a_user_who_cannot_create_tables_is_told_what_to_do() -> None:
    user = new_schema()
    execute(f"CREATE ROLE {user} LOGIN")
    store = PostgresStore(dsn().replace("ada@", f"{user}@"), schema=new_schema())

    with pytest.raises(StoreError, match=r"not allowed.* `yieldwire migrate` as"):
        await store.sweep()

    await store.close()
    execute(f"DROP ROLE {user}")
