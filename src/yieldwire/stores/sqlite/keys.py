"""The run of an idempotency key or a feed, and the keys that are refused."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from yieldwire.clock import Clock
from yieldwire.errors import KeyReused
from yieldwire.log import transitions
from yieldwire.log.run import RunRecord
from yieldwire.stores import REFUSALS_KEPT, Admission, start_cancelled
from yieldwire.stores.sqlite.file import to_record


class KeyTable:
    """Looks keys up and refuses them, in the caller's transaction.

    ``sql`` has the statements by name.
    """

    def __init__(self, sql: Mapping[str, str], clock: Clock) -> None:
        self._sql, self._clock = sql, clock

    def known(self, connection: sqlite3.Connection, admission: Admission) -> RunRecord | None:
        """Return the existing run for a start, if there is one.

        Raises:
            KeyReused: If the key's run has another fingerprint.
            RunCancelled: If the key was refused.
        """
        if admission.key is not None:
            known = self._one(connection, "run_by_key", key=admission.key)
            if known is not None:
                if known["fingerprint"] != admission.fingerprint:
                    raise KeyReused
                return to_record(known)
            if self._one(connection, "refused", key=admission.key) is not None:
                raise start_cancelled()
        if admission.feed is None:
            return None
        known = self._one(connection, "run_by_feed", feed=admission.feed)
        if known is None:
            return None
        run = to_record(known)
        until = self._clock.monotonic() + transitions.arrival_seconds(run)
        connection.execute(self._sql["touch"], {"id": run.id, "until": until})
        return run

    def refuse(
        self, connection: sqlite3.Connection, *, key: str, seconds: float
    ) -> RunRecord | None:
        """Return the run of ``key``; if there is none, refuse the key."""
        known = self._one(connection, "run_by_key", key=key)
        if known is not None:
            return to_record(known)
        values = {"key": key, "seconds": seconds, "until": self._clock.monotonic() + seconds}
        connection.execute(self._sql["refuse"], values)
        connection.execute(self._sql["forget_refusals"], {"most": REFUSALS_KEPT})
        return None

    def _one(self, connection: sqlite3.Connection, name: str, **values: object) -> Any:  # noqa: ANN401 - a row, or nothing
        return connection.execute(self._sql[name], values).fetchone()
