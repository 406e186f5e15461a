"""A reader as others know it: the store keeps its run attached, and hooks are told of it."""

import math
import secrets
from contextlib import suppress
from typing import Final

from yieldwire.clock import Clock
from yieldwire.errors import StoreError
from yieldwire.hooks import Watch
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore


class Presence:
    """The part of a reader that holds its run while it is there.

    A run that does not need readers is not told about them.
    """

    __slots__ = (
        "_clock",
        "_has_come",
        "_has_held",
        "_held_until",
        "_id",
        "_is_present",
        "_store",
        "_watch",
        "run",
        "run_id",
    )

    def __init__(
        self, store: RunStore, clock: Clock, run_id: str, *, is_needed: bool, watch: Watch
    ) -> None:
        self.run_id: Final = run_id
        self.run: RunRecord | None = None
        """The run when the caller's request arrived; ``None`` if Python code reads."""
        self._store, self._clock, self._watch = store, clock, watch
        self._id: str | None = None
        self._held_until = 0.0 if is_needed else math.inf
        self._has_come = self._has_held = False
        self._is_present = is_needed
        """Whether the store must be told when it leaves."""

    @property
    def id(self) -> str:
        """The store's id for this reader."""
        if self._id is None:
            self._id = secrets.token_hex(8)
        return self._id

    def _come(self, after: int) -> None:
        """Tell the hooks that it reads after ``after``."""
        if self._watch.has_readers and not self._has_come:
            self._has_come = True
            self._watch.reader_came(self.run_id, self.id, after, self.run)

    async def hold(self, tick: float) -> None:
        """Keep the run attached for a while longer than until the next tick."""
        now = self._clock.monotonic()
        if now + tick > self._held_until:
            self._held_until, self._has_held, self._is_present = now + 3 * tick, True, True
            try:
                await self._store.hold(self.run_id, self.id, seconds=3 * tick)
            except StoreError:
                # What cannot be written, for example on a full disk, can often still be read.
                self._held_until = now + 2 * tick

    def _hold_after(self, seconds: float) -> None:
        """Let `hold` do nothing for ``seconds``: the run lingers for longer."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    def _need_no_more(self) -> None:
        """Note that the run has ended, and needs no readers."""
        self._is_present = self._has_held

    async def _go(self) -> None:
        """Report that this reader has gone. Calling it again has no effect."""
        if self._has_come:
            self._has_come = False
            self._watch.reader_left(self.run_id, self.id)
        if self._is_present:
            self._is_present, self._held_until = False, 0.0
            with suppress(StoreError):  # then it counts as present until its time is over
                await self._store.hold(self.run_id, self.id, seconds=0)
