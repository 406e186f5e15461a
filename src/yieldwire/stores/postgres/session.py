"""Statements by their names, on one connection."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from yieldwire.clock import Clock
from yieldwire.stores.postgres.layout import DatabaseConnection, in_schema

Row: TypeAlias = dict[str, Any]
Statements: TypeAlias = Mapping[str, bytes]

_SERVER_TIME: Final = "extract(epoch FROM clock_timestamp())::double precision"


class Texts:
    """The texts of the statements, in one schema, and the time that they use.

    It is the server's, so that machines whose clocks differ agree; with a ``clock``, as tests have
    it, it is sent with each statement: ``now`` for durations, and ``wall`` for people.
    """

    def __init__(self, texts: Mapping[str, str], schema: str, clock: Clock | None) -> None:
        own = {name: in_schema(text, schema) for name, text in texts.items()}
        if clock is None:
            own = {name: _with_server_time(text) for name, text in own.items()}
        self.by_name: Final = {name: text.encode() for name, text in own.items()}
        self.times: Final[Callable[[], Row]] = (
            dict if clock is None else lambda: {"now": clock.monotonic(), "wall": clock.now()}
        )
        self.schema: Final = schema

    def text(self, sql: str) -> bytes:
        """Return the text of a statement that is composed for one call; it uses no time."""
        return in_schema(sql, self.schema).encode()


def _with_server_time(text: str) -> str:
    return text.replace("%(now)s", _SERVER_TIME).replace("%(wall)s", _SERVER_TIME)


class Session:
    """Executes statements on a connection, alone or in a transaction."""

    def __init__(self, connection: DatabaseConnection, texts: Texts) -> None:
        self._connection, self._texts = connection, texts

    async def do(self, name: str, /, **values: object) -> None:
        """Send a statement; in a transaction, whether it succeeds is known when that is over."""
        text = self._texts.by_name[name]
        await self._connection.execute(text, {**self._texts.times(), **values}, binary=True)

    async def all(self, name: str, /, **values: object) -> Sequence[Row]:
        """Return the rows of a statement's result."""
        return await self.ask(self._texts.by_name[name], {**self._texts.times(), **values})

    async def one(self, name: str, /, **values: object) -> Row | None:
        """Return the first row of a statement's result; ``None`` if there is none."""
        rows = await self.all(name, **values)
        return rows[0] if rows else None

    async def ask(self, text: bytes, values: Row) -> Sequence[Row]:
        """Return the rows of the result of a statement's text."""
        cursor = await self._connection.execute(text, values, binary=True)
        return await cursor.fetchall()
