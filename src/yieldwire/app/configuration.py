"""The rules for the store and the executor of an application, and the store for a name."""

from pathlib import Path
from typing import Any, Final

from yieldwire.clock import Clock
from yieldwire.setting import Rule, having
from yieldwire.stores import RunStore
from yieldwire.stores.guarded import METHODS, guarded
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

_SQLITE: Final = "sqlite:///"
_SHIPPED: Final = frozenset({MemoryStore, SQLiteStore})
"""Classes that raise only what their contract names."""
_MEMBERS: Final = METHODS | {"blobs", "reach"}
"""The methods of `RunStore`."""


def _is_store(value: Any) -> bool:  # noqa: ANN401 - any given value
    if isinstance(value, str):
        path = value.removeprefix(_SQLITE)
        return value == "memory" or (value != path and path not in {"", ":memory:"})
    return not isinstance(value, type) and all(hasattr(value, name) for name in _MEMBERS)


def _hint(value: object) -> str:
    match value:
        case type():
            return f"write {value.__name__}(...)"
        case str() if ":memory:" in value or value == "sqlite://":
            return "write 'memory'"
        case str() if value.startswith("sqlite:") and value != _SQLITE:
            return f"write {_SQLITE + value.removeprefix('sqlite:').lstrip('/')!r}"
        case str() if "://" in value:
            return ""
        case str() | Path() if Path(value).suffix:
            return f"write {_SQLITE + str(value)!r}"
        case _:
            return ""


STORE: Final = Rule(_is_store, "'memory', 'sqlite:///runs.db' or a store object", _hint)
"""The rule for the setting ``store``."""

EXECUTOR: Final = having(
    "open", "enqueue", "close", wanted="an executor, which has open(), enqueue() and close()"
)
"""The rule for the setting ``executor``."""


def open_store(store: str | RunStore, clock: Clock) -> RunStore:
    """Return the store for a setting, which `STORE` allows."""
    if not isinstance(store, str):
        return store if type(store) in _SHIPPED else guarded(store)
    if store == "memory":
        return MemoryStore(clock=clock)
    return SQLiteStore(store.removeprefix(_SQLITE), clock=clock)
