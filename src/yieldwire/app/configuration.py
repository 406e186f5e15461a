"""The rules for the store and the executor of an application, and the store for a name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from yieldwire.clock import Clock
from yieldwire.executors import Executor
from yieldwire.executors.engine import Engine
from yieldwire.executors.external import ExternalExecutor
from yieldwire.executors.local import LocalExecutor
from yieldwire.setting import Rule, function_of, having
from yieldwire.stores import RunStore
from yieldwire.stores.guarded import METHODS, guarded
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

_SQLITE: Final = "sqlite:///"
_SHIPPED: Final = "yieldwire.stores."
"""The package of the classes that raise only what their contract names."""
_MEMBERS: Final = METHODS | {"blobs", "generation", "reach"}
"""The methods of `RunStore`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """What the names of one kind of store have in common: what is before their first colon.

    Attributes:
        example: A name, for messages.
        fits: Whether a name is complete.
        open: Returns the store for a name. If the store needs an extra, only this imports its
            module.
    """

    example: str
    fits: Callable[[str], bool]
    open: Callable[[str, Clock | None], RunStore]


def _open_sqlite(name: str, clock: Clock | None) -> RunStore:
    return SQLiteStore(name.removeprefix(_SQLITE), clock=clock)


def _is_file(name: str) -> bool:
    return name.startswith(_SQLITE) and name.removeprefix(_SQLITE) not in {"", ":memory:"}


def _open_redis(name: str, clock: Clock | None) -> RunStore:
    from yieldwire.stores.redis import RedisStore  # noqa: PLC0415 - it needs an extra

    return RedisStore(name, clock=clock)


def _open_postgres(name: str, clock: Clock | None) -> RunStore:
    from yieldwire.stores.postgres import PostgresStore  # noqa: PLC0415 - it needs an extra

    return PostgresStore(name, clock=clock)


def _has_host(name: str) -> bool:
    return urlsplit(name).netloc != ""


_REDIS: Final = Scheme(example="redis://localhost", fits=_has_host, open=_open_redis)
_POSTGRES: Final = Scheme(
    example="postgresql://localhost/runs",
    fits=lambda name: "://" in name,  # a host or a database that is missing has a default
    open=_open_postgres,
)

SCHEMES: Final[Mapping[str, Scheme]] = {
    "memory": Scheme(
        example="memory",
        fits=lambda name: name == "memory",
        open=lambda _name, clock: MemoryStore(clock=clock),
    ),
    "sqlite": Scheme(example="sqlite:///runs.db", fits=_is_file, open=_open_sqlite),
    "redis": _REDIS,
    "rediss": _REDIS,
    "valkey": _REDIS,
    "valkeys": _REDIS,
    "redis+sentinel": _REDIS,
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
}
"""The stores that have names, by the scheme of these."""


def _scheme_in(name: str) -> str:
    return name.partition(":")[0]


def _is_store(value: Any) -> bool:  # noqa: ANN401 - any given value
    if isinstance(value, str):
        scheme = SCHEMES.get(_scheme_in(value))
        return scheme is not None and scheme.fits(value)
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
            is_sqlalchemys = value.startswith("postgresql+")
            return "write 'postgresql://…'" if is_sqlalchemys else ""
        case str() | Path() if Path(value).suffix:
            return f"write {_SQLITE + str(value)!r}"
        case _:
            return ""


_EXAMPLES: Final = ", ".join(dict.fromkeys(repr(each.example) for each in SCHEMES.values()))
STORE: Final = Rule(_is_store, f"{_EXAMPLES} or a store object", _hint)
"""The rule for the setting ``store``."""

_SEND: Final = function_of("the id of a run")
_EXECUTOR: Final = having("open", "enqueue", "close", wanted="")
_ENGINE: Final = having("bind", "schedule", "connected", "send", "work", wanted="")


def _is_executor(value: Any) -> bool:  # noqa: ANN401 - any given value
    is_function = not isinstance(value, type) and _SEND.fits(value)
    return _EXECUTOR.fits(value) or _ENGINE.fits(value) or is_function


EXECUTOR: Final = Rule(
    _is_executor,
    "an engine such as Docket(...) or Procrastinate(...), an executor, which has open(), "
    "enqueue() and close(), or a function of a run's id",
    _EXECUTOR.hint,
)
"""The rule for the setting ``executor``."""


def open_executor(executor: Executor | Engine | Callable[[str], object] | None) -> Executor:
    """Return the executor of runs without a queue for a setting, which `EXECUTOR` allows."""
    if executor is None or _ENGINE.fits(executor):
        return LocalExecutor()
    if _EXECUTOR.fits(executor):
        return cast("Executor", executor)
    return ExternalExecutor(cast("Callable[[str], object]", executor))


def engine_of(executor: object) -> Engine | None:
    """Return the engine of runs in queues for a setting, which `EXECUTOR` allows, if it is one."""
    return cast("Engine", executor) if _ENGINE.fits(executor) else None


def claim_within(executor: Executor, lease: float | None) -> float | None:
    """Return how many seconds a new run waits for its process; ``None``: the store's default."""
    return executor.claim_within if isinstance(executor, ExternalExecutor) else lease


def open_store(store: str | RunStore, clock: Clock | None) -> RunStore:
    """Return the store for a setting, which `STORE` allows.

    Without ``clock`` it is a clock that all processes which can share the store agree about.

    Raises:
        MissingDependency: If the store needs a package that is not installed.
    """
    if not isinstance(store, str):
        return store if type(store).__module__.startswith(_SHIPPED) else guarded(store)
    return SCHEMES[_scheme_in(store)].open(store, clock)
