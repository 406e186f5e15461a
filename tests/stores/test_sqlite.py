"""The SQLite store keeps the contract, and everything in it outlives the process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness


class SQLiteHarness:
    """An SQLite store on a clock of its own, in a file that can be opened again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = MovingClock()
        self.store = SQLiteStore(path, clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def reopen(self) -> None:
        await self.store.close()
        self.store = SQLiteStore(self._path, clock=self.clock)


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[StoreHarness]:
        harness = SQLiteHarness(tmp_path / "runs.db")
        yield harness
        await harness.store.close()
