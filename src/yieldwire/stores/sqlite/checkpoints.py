"""What attempts leave for the next one, in the file that processes share."""

import sqlite3
from collections.abc import Mapping

from yieldwire.log import transitions
from yieldwire.stores.sqlite.file import to_record
from yieldwire.stores.sqlite.log import LogTable


class CheckpointTable:
    """Keeps checkpoints and reads them, in the caller's transaction."""

    def __init__(self, log: LogTable) -> None:
        self._log = log

    def save(
        self,
        connection: sqlite3.Connection,
        run_id: str,
        checkpoint: tuple[str, bytes],
        *,
        seq: int | None,
        fence: int,
    ) -> None:
        """Keep a checkpoint, its name and data, as a store's `save` does."""
        row = self._log.one(connection, "save_place", id=run_id, seq=seq, fence=fence)
        if row is None:
            transitions.save(to_record(self._log.row(connection, run_id)), seq, fence)
        else:
            name, data = checkpoint
            self._log.one(connection, "save", run=row["n"], name=name, data=data)

    def saved(self, connection: sqlite3.Connection, *, run_id: str) -> Mapping[str, bytes]:
        """Return a run's checkpoints by name."""
        n = self._log.number(connection, run_id)
        return {row["name"]: row["data"] for row in self._log.all(connection, "saved", run=n)}
