"""Ended runs as one piece of bytes each, opened again when somebody asks for them.

Python's garbage collector looks again and again at every object that can refer to others. Were all
ended runs kept as objects, it would stop the process for longer the more of them there are.
"""

import marshal
import sys
from collections import deque
from typing import Any, Final

from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.pack import Pack

RECENT: Final = 16
"""How many of the runs that ended last stay as they are: most are read once more, soon."""
ARCHIVED_BYTES: Final = 16 * 1024
"""The maximum size of an archived run: a larger one has few objects for its size."""

_FORMAT: Final = 2
"""The version of marshal's format: later ones search the values for any that are the same."""
_STATUS: Final = RunRecord._fields.index("status")


class Archive:
    """Ended runs by id. What is done to an entry that was opened here is not kept."""

    def __init__(self) -> None:
        self._runs: dict[str, bytes] = {}
        self._owners: dict[str, str | None] = {}
        self._recent = deque[Entry]()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def __getitem__(self, run_id: str) -> Entry:
        facts, key, fingerprint, checkpoints, blocks = marshal.loads(self._runs[run_id])  # noqa: S302 - its own
        run = _record(facts)
        entry = Entry(run, key, fingerprint, seq=run.seq, first_seq=run.first_seq)
        entry.pieces += [_block(run_id, *block) for block in blocks]
        entry.checkpoints = checkpoints
        return entry

    def record(self, run_id: str) -> RunRecord:
        """Return the record of a run."""
        return _record(marshal.loads(self._runs[run_id])[0])  # noqa: S302 - its own

    def can_match(self, run_id: str, query: Query) -> bool:
        """Whether a run can be one of those that ``query`` asks for, as is found out quickly."""
        if query.status is not None and not query.status.is_terminal:
            return False
        return query.everyone or self._owners[run_id] == query.owner

    def pop(self, run_id: str) -> Entry:
        """Remove a run."""
        entry = self[run_id]
        del self._runs[run_id], self._owners[run_id]
        return entry

    def next(self, ended: Entry, size: int) -> Entry | None:
        """Return the run that must be archived when one of this size has ended, if there is one."""
        if ended.inbox is None and size <= ARCHIVED_BYTES:
            self._recent.append(ended)
        return self._recent.popleft() if len(self._recent) > RECENT else None

    def keep(self, entry: Entry) -> bool:
        """Archive a run, and return whether that is possible."""
        run = entry.record
        facts: list[Any] = [*run]
        facts[_STATUS] = str(run.status)
        blocks = [*map(_plain, entry.pieces)]  # the end of a log is never in its tail
        kept = facts, entry.key, entry.fingerprint, entry.checkpoints, blocks
        try:
            self._runs[run.id] = marshal.dumps(kept, _FORMAT)
        except ValueError:
            return False  # a value has an application's own type
        self._owners[run.id] = run.owner
        return True


def _plain(piece: Block | Pack) -> tuple[int, int, bytes, str | None, float]:
    block = piece.block(0, sys.maxsize) if isinstance(piece, Pack) else piece
    end = block.end
    return block.first, block.last, block.body, None if end is None else str(end), block.at


def _record(facts: list[Any]) -> RunRecord:
    facts[_STATUS] = Status(facts[_STATUS])
    return RunRecord._make(facts)


def _block(run_id: str, first: int, last: int, body: bytes, end: str | None, at: float) -> Block:
    return Block(run_id, first, last, body, None if end is None else EventType(end), at)
