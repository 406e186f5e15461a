"""The state of runs, read from their logs: what they add up to so far."""

import asyncio

from yieldwire.errors import ForeignCursor, Json
from yieldwire.log.snapshot import Fold, Folds, retry_after_ms
from yieldwire.runs.standing import Standings, json_of
from yieldwire.stores import RunStore


class States:
    """The states of runs of one store, cached so that polling a long log reads only what is new."""

    def __init__(self, store: RunStore, standings: Standings, text_bytes: int) -> None:
        self._store, self._standings, self._text_bytes = store, standings, text_bytes
        self._folds, self._generation = Folds(), store.generation

    async def fold(self, run_id: str, *, shows_debug: bool) -> Fold:
        """Return what the run's log adds up to at this moment."""
        while True:
            try:
                fold = await self._fold(run_id, shows_debug=shows_debug)
            except ForeignCursor:
                self._folds.forget(run_id)  # the store has lost the end of the log
                continue
            if self._store.generation == self._generation:
                return fold
            # The store can have lost what was read before.
            self._folds, self._generation = Folds(), self._store.generation

    async def _fold(self, run_id: str, *, shows_debug: bool) -> Fold:
        fold = self._folds.get(run_id)
        if fold is None:
            is_whole = (await self._store.get(run_id)).keep is None
            most = self._text_bytes
            new = Fold(keeps_text=is_whole, text_bytes=most, shows_debug=shows_debug)
            fold = self._folds.get(run_id) or new  # another call can have started meanwhile
        self._folds.keep(run_id, fold)
        while page := await self._store.read(run_id, fold.seq):
            if not all(map(fold.add, page)):
                fold = fold.rewound()
            self._folds.keep(run_id, fold)
            await asyncio.sleep(0)  # a long log takes a while
        return fold

    async def snapshot(self, run_id: str, *, with_text: bool, shows_debug: bool) -> dict[str, Json]:
        """Return the run's state in one object."""
        fold = await self.fold(run_id, shows_debug=shows_debug)
        run = await self._store.get(run_id)
        while run.status.is_terminal and fold.seq < run.seq:
            # It ended in between: read the rest of its log.
            fold = await self.fold(run_id, shows_debug=shows_debug)
        snapshot = fold.snapshot(run.changed(seq=fold.seq), with_text=with_text)
        snapshot["waiting"] = json_of(await self._standings.of(run))
        snapshot["retryAfterMs"] = retry_after_ms(run, self._standings.clock.now())
        return snapshot

    def forget(self, run_id: str) -> None:
        """Drop what is cached of a run."""
        self._folds.forget(run_id)
