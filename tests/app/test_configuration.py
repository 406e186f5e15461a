"""A store is named by a setting, or handed in."""

import sys
from pathlib import Path
from typing import Any

import pytest

from yieldwire.app import App
from yieldwire.app.configuration import SCHEMES, STORE, open_store
from yieldwire.clock import SystemClock
from yieldwire.errors import MissingDependency, UsageError
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.sqlite import SQLiteStore


def test_a_store_is_named_or_handed_in(tmp_path: Path) -> None:
    clock, own = SystemClock(), MemoryStore()

    assert isinstance(open_store("memory", clock), MemoryStore)
    assert isinstance(open_store(f"sqlite:///{tmp_path}/runs.db", clock), SQLiteStore)
    assert open_store(own, clock) is own


def test_a_store_that_needs_an_extra_is_found_by_its_scheme() -> None:
    dsn = "postgres://ada@db/runs"

    assert isinstance(open_store(dsn, None), PostgresStore)


@pytest.mark.parametrize(
    "value",
    [
        "memory",
        "sqlite:///runs.db",
        "sqlite:////var/runs.db",
        "redis://localhost",
        "rediss://ada:secret@db:6380/2",
        "valkey://db",
        "valkeys://db",
        "redis+sentinel://one:1,two:2/main",
    ],
)
def test_a_store_that_has_a_name_fits(value: str) -> None:
    assert STORE.fits(value)


def test_a_server_is_connected_to_by_the_first_call_and_by_its_own_clock() -> None:
    store = open_store("redis://127.0.0.1:1", None)

    assert store.reach == "network"


def test_a_client_library_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("yieldwire.stores.redis")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hiredis", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[redis\]'"):
        open_store("redis://127.0.0.1:1", None)


def test_the_example_of_each_scheme_is_a_name_of_it() -> None:
    examples = {each.example.partition(":")[0]: each.example for each in SCHEMES.values()}

    assert set(examples) <= set(SCHEMES)
    assert all(STORE.fits(example) for example in examples.values())


def test_a_store_that_is_not_included_raises_only_what_its_contract_names() -> None:
    included, foreign = MemoryStore(), HalfAStore()

    assert open_store(included, SystemClock()) is included
    assert open_store(foreign, SystemClock()) is not foreign


class HalfAStore(MemoryStore):
    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - an attribute
        if name == "sweep":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("store", "hint"),
    [
        ("mongo", ""),
        ("postgresql:runs", ""),
        ("postgresql+psycopg://ada:secret@db/runs", "; write 'postgresql://…'"),
        ("sqlite:///", ""),
        ("sqlite://", "; write 'memory'"),
        ("sqlite:///:memory:", "; write 'memory'"),
        ("sqlite://runs.db", "; write 'sqlite:///runs.db'"),
        ("sqlite:runs.db", "; write 'sqlite:///runs.db'"),
        ("runs.db", "; write 'sqlite:///runs.db'"),
        (Path("runs.db"), "; write 'sqlite:///runs.db'"),
        (Path("/var/runs.db"), "; write 'sqlite:////var/runs.db'"),
        (MemoryStore, r"; write MemoryStore\(...\)"),
        (HalfAStore(), ""),
        (None, ""),
        ({}, ""),
    ],
)
def test_what_is_not_a_store_is_told_with_what_was_meant(store: Any, hint: str) -> None:  # noqa: ANN401
    names = r"'memory', 'sqlite:///runs\.db', 'redis://localhost', 'postgresql://localhost/runs'"
    told = rf"^App: store=.* is not {names} or a store object{hint}\.$"

    with pytest.raises(UsageError, match=told):
        App(store=store)
