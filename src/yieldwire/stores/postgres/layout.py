"""The layout of the database: its steps, each taken once, by one process at a time."""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from psycopg import AsyncConnection

from yieldwire.errors import StoreError
from yieldwire.setting import Rule

DatabaseConnection: TypeAlias = AsyncConnection[dict[str, Any]]
SCHEMA: Final = Rule(
    lambda value: (
        isinstance(value, str) and re.fullmatch("[a-z_][a-z0-9_]{0,62}", value) is not None
    ),
    "a name of at most 63 letters a-z, digits and _",
)
"""The rule for the name of a schema."""
NAME: Final = "yieldwire."
"""How the scripts and statements name the schema."""


def in_schema(sql: str, schema: str) -> str:
    """Return a script or statement for another schema than the one that it names."""
    return sql.replace(NAME, f'"{schema}".')


def lock_number(*names: str) -> int:
    """Return the number of an advisory lock: 64 bits, which a database has for all applications."""
    digest = blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


async def prepare(connection: DatabaseConnection, schema: str, known: Mapping[int, str]) -> int:
    """Change the layout to the newest of those ``known``, and return which version it was.

    0: there was none. It is one transaction: of several processes, one changes the layout.

    Raises:
        StoreError: If the layout is newer than those.
        psycopg.Error: If the database fails, or the user is not allowed to.
    """
    latest, version = max(known), await _version(connection, schema)
    if version < latest:
        async with connection.transaction():
            number = lock_number(schema, "layout")
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [number])
            version = await _version(connection, schema)
            if version < latest:
                await _change(connection, schema, version, known)
    if version > latest:
        raise StoreError(
            f"Runs cannot be kept in the schema {schema!r}: it has layout {version}, and this "
            f"version of Yieldwire knows {latest}. Use the newer version, or another schema."
        )
    return version


async def _version(connection: DatabaseConnection, schema: str) -> int:
    # From the tables: what `to_regclass` knows is not renewed while a lock is waited for.
    if not await _is_there(connection, _HAS_TABLE, schema):
        return 0
    read = in_schema("SELECT version FROM yieldwire.about", schema)
    cursor = await connection.execute(read.encode())
    row = await cursor.fetchone()
    return 0 if row is None else int(row["version"])


_HAS_TABLE: Final = b"SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'about'"
_HAS_SCHEMA: Final = b"SELECT FROM pg_namespace WHERE nspname = %s"
_UPDATE: Final = "UPDATE yieldwire.about SET version = %s"
_INSERT: Final = "INSERT INTO yieldwire.about (version) VALUES (%s)"


async def _is_there(connection: DatabaseConnection, query: bytes, schema: str) -> bool:
    return (await connection.execute(query, [schema])).rowcount > 0


async def _change(
    connection: DatabaseConnection, schema: str, version: int, known: Mapping[int, str]
) -> None:
    """Take the steps that are missing."""
    if not await _is_there(connection, _HAS_SCHEMA, schema):
        await connection.execute(f'CREATE SCHEMA "{schema}"'.encode())
    for number, script in known.items():
        if number > version:
            await connection.execute(in_schema(script, schema).encode())
    write = in_schema(_UPDATE if version else _INSERT, schema)
    await connection.execute(write.encode(), [max(known)])
