"""Takes the same step of many runs at once: claims, appends and ends.

Theory of operation. With thousands of slow streams, a group commit holds hundreds of small
blocks, each of another run; with many short runs, it holds their claims and ends. Half of their
cost is not the file: between any two statements the writer thread releases the interpreter, and
must wait until it gets it back. So all steps of a kind take one statement, however many they are.
It skips a step that cannot be taken as it is: because the run is not what this process knows,
because its writer has lost it, because the block is already there, or because more than the run
and its log must change. If one was skipped, the lane undoes all, and takes them one at a time.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.stores.sqlite.blocks import BODY, VALUES, BlockItem, Submissions
from yieldwire.stores.sqlite.item import Item
from yieldwire.stores.sqlite.log import LogTable

_VALUES: Final = {"put_blocks": VALUES, "end_runs": 4, "claim_runs": 5}
"""How many values each row of a statement has."""


class ClaimItem(Item):
    """A claim of a run that is known. Its result is the claimed run.

    ``known`` is the run before it, and ``claimed`` after it, unless somebody else was faster.
    """

    __slots__ = ("claimed", "known", "lease_until", "log")

    def __init__(
        self, log: LogTable, known: RunRecord, claimed: RunRecord, lease_until: float | None
    ) -> None:
        super().__init__()
        self.log: LogTable = log
        self.known: RunRecord = known
        self.claimed: RunRecord = claimed
        self.lease_until: float | None = lease_until
        self.is_joint = True

    def do(self, connection: sqlite3.Connection) -> RunRecord:
        """Claim the run by itself, whatever is known."""
        return self.log.claim(connection, self.known.id, lease_until=self.lease_until)


class Together:
    """Takes steps of many runs, in the caller's transaction.

    ``sql`` has the statements by name.
    """

    def __init__(self, sql: Mapping[str, str], clock: Clock) -> None:
        self._sql, self._clock = sql, clock
        self._texts: dict[tuple[str, int], str] = {}

    def do_all(self, connection: sqlite3.Connection, items: Sequence[Item]) -> bool:
        """Take these steps, and return whether that was all; if not, some can have been taken."""
        claims = [item for item in items if isinstance(item, ClaimItem)]
        appends = [item for item in items if isinstance(item, (BlockItem, Submissions))]
        return self._claim(connection, claims) and self._append(connection, appends)

    def _claim(self, connection: sqlite3.Connection, claims: Sequence[ClaimItem]) -> bool:
        values = list[object]()
        for claim in claims:
            claim.result = run = claim.claimed
            values += (run.id, claim.known.fence, run.fence, run.started_at, claim.lease_until)
        return self._change(connection, "claim_runs", values)

    def _append(
        self, connection: sqlite3.Connection, appends: Sequence[BlockItem | Submissions]
    ) -> bool:
        blocks, ends = list[Any](), list[object]()
        for append in appends:
            blocks += append.values
            append.result = 1  # as none of their logs was ever trimmed
            if isinstance(append, BlockItem) and (end := append.block.end) is not None:
                times = self._clock.now(), self._clock.monotonic()
                ends += (append.block.run_id, advance(Status.RUNNING, end).value, *times)
        run_ids = blocks[::VALUES]
        if len(set(run_ids)) < len(run_ids):
            return False  # one of them follows another in the same log
        # Python's module looks for an adapter of each value of type `bytes`, and of each `None`.
        blocks[BODY::VALUES] = map(bytearray, blocks[BODY::VALUES])
        is_whole = self._change(connection, "put_blocks", blocks)
        return is_whole and self._change(connection, "end_runs", ends)

    def _change(self, connection: sqlite3.Connection, name: str, values: list[object]) -> bool:
        """Change a row of the file for each row of ``values``, and return whether all changed."""
        width = _VALUES[name]
        count = len(values) // width
        if not count:
            return True
        # Padded with empty rows to a power of two, so that there are few statements to prepare. No
        # run has an empty id.
        size = 1 << (count - 1).bit_length()
        values += ("",) * (width * (size - count))
        text = self._texts.get((name, size)) or self._text(name, size)
        return connection.execute(text, values).rowcount == count

    def _text(self, name: str, size: int) -> str:
        row = ", ".join("?" * _VALUES[name])
        rows = ", ".join([f"({row})"] * size)
        self._texts[name, size] = text = self._sql[name].replace(":rows", rows)
        return text
