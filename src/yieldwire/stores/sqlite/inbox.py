"""Messages to runs, in the file that processes share."""

import sqlite3
from collections.abc import Sequence

from yieldwire.clock import Clock
from yieldwire.log.message import Message
from yieldwire.stores import no_such_run
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.sqlite.log import LogTable


class InboxTable:
    """Accepts messages and reads them, in the caller's transaction."""

    def __init__(self, log: LogTable, clock: Clock) -> None:
        self._log, self._clock = log, clock

    def send(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        message: Message,
        *,
        most: int,
        most_bytes: int,
    ) -> Message:
        """Do what a store's `send` does."""
        inbox = self._log.one(connection, "inbox", id=run_id)
        if inbox is None:
            raise no_such_run(run_id)

        def one(name: str) -> Message | None:
            row = self._log.one(connection, name, run=inbox["n"], **message._asdict())
            return None if row is None else _to_message(row)

        state = InboxState(
            known=one("message_by_key"),
            answer=one("message_by_question"),
            last=inbox["last"],
            count=inbox["count"],
            size=inbox["size"],
            has_ended=bool(inbox["has_ended"]),
        )
        known = accept(message, state, most=most, most_bytes=most_bytes)
        if known is not None:
            return known
        message = message._replace(number=state.last + 1, at=self._clock.now())
        self._log.one(connection, "insert_message", run=inbox["n"], **message._asdict())
        return message

    def behind(
        self, connection: sqlite3.Connection, *, run_id: str, after: int
    ) -> Sequence[Message]:
        """Return the messages to a run after number ``after``."""
        n = self._log.number(connection, run_id)
        return [
            _to_message(row)
            for row in self._log.all(connection, "messages_behind", run=n, after=after)
        ]


def _to_message(row: sqlite3.Row) -> Message:
    return Message._make(row)._replace(is_timeout=bool(row["is_timeout"]))
