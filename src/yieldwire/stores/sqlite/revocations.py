"""Revocations of access, in the file that processes share."""

import sqlite3
import time
from collections.abc import Mapping

from yieldwire.stores import REVOCATIONS_KEPT, Revoked


class RevocationTable:
    """Keeps revocations and reads them, in the caller's transaction.

    ``sql`` has the statements by name.
    """

    def __init__(self, sql: Mapping[str, str]) -> None:
        self._sql = sql

    def keep(self, connection: sqlite3.Connection, *, owner: str) -> float:
        """Record that the access of ``owner`` was revoked, and return when, by `time.monotonic`."""
        at = time.monotonic()
        n = connection.execute(self._sql["revoke"], {"owner": owner, "at": at}).lastrowid or 0
        oldest = {"oldest": n - REVOCATIONS_KEPT}
        connection.execute(self._sql["forget_revocations"], oldest)
        return at

    def behind(self, connection: sqlite3.Connection, *, since: int) -> Revoked:
        """Return the revocations after number ``since``."""
        last = int(connection.execute(self._sql["last_revocation"]).fetchone()["last"])
        if last == since:
            return Revoked(last=last)
        rows = connection.execute(self._sql["revoked"], {"since": since}).fetchall()
        return Revoked(
            last=last,
            at={row["owner"]: row["at"] for row in rows},
            is_whole=sum(row["times"] for row in rows) == last - since,
        )
