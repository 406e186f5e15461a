"""Hooks are told how long the calls of a store take, and which have failed."""

from pathlib import Path

import pytest

from tests.support.runs import opened
from yieldwire.app import App
from yieldwire.errors import NotFound, StoreError
from yieldwire.hooks import Hooks, Watch
from yieldwire.stores import Admission
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.quicklog import quick_log_of
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.timed import timed
from yieldwire.testing.contract.harness import record


class Calls(Hooks):
    def __init__(self) -> None:
        self.notes: list[tuple[str, BaseException | None]] = []

    def store_called(self, method: str, seconds: float, error: BaseException | None, /) -> None:
        assert 0 < seconds < 60
        self.notes.append((method, error))


class Full(MemoryStore):
    failure = StoreError("The disk is full.")

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        raise self.failure


async def test_a_hook_is_told_of_answers_and_failures_but_not_of_waits() -> None:
    calls = Calls()
    store = timed(Full(), Watch([calls]))
    run = record()
    await store.create(run, Admission())
    await store.read(run.id, 0, wait=0.01)
    with pytest.raises(NotFound, match="no run"):
        await store.get("gone")
    with pytest.raises(StoreError, match="full"):
        await store.hold(run.id, "reader", seconds=1)

    assert calls.notes == [("create", None), ("get", None), ("hold", Full.failure)]
    assert store.reach == "process"


async def test_a_store_that_nobody_watches_is_the_store_itself() -> None:
    store = MemoryStore()

    assert App(store=store, hooks=[Hooks()]).store is store


async def test_an_application_times_its_store() -> None:
    calls = Calls()
    async with opened(App(hooks=[calls])):
        pass

    assert ("find", None) in calls.notes


async def test_every_append_of_a_watched_store_is_awaited_and_timed(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db")

    assert quick_log_of(store, "r") is not None
    assert quick_log_of(timed(store, Watch([Calls()])), "r") is None
