"""The tables of a database are made on the command line, also for a user who cannot make them."""

import sys

import psycopg
import pytest

from tests.support.postgres import dsn, new_schema
from yieldwire.cli import main
from yieldwire.errors import StoreError
from yieldwire.stores.postgres import PostgresStore
from yieldwire.testing.contract.harness import finished

GRANTS = """
DROP ROLE IF EXISTS {user};
CREATE ROLE {user} LOGIN;
GRANT USAGE ON SCHEMA {schema} TO {user};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user};
"""
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


async def test_a_user_who_cannot_create_tables_can_use_those_that_are_there() -> None:
    schema, user = new_schema(), new_schema()
    await PostgresStore(dsn(), schema=schema).migrate()
    execute(GRANTS.format(schema=schema, user=user))
    store = PostgresStore(dsn().replace("ada@", f"{user}@"), schema=schema)

    run = await finished(store)
    kept = await store.get(run.id)
    await store.close()
    execute(REVOKES.format(user=user))

    assert kept == run


async def test_a_user_who_cannot_create_tables_is_told_what_to_do() -> None:
    user = new_schema()
    execute(f"CREATE ROLE {user} LOGIN")
    store = PostgresStore(dsn().replace("ada@", f"{user}@"), schema=new_schema())

    with pytest.raises(StoreError, match=r"not allowed.* `yieldwire migrate` as"):
        await store.sweep()

    await store.close()
    execute(f"DROP ROLE {user}")
