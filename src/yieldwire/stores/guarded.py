"""Wraps a third-party store, so that it raises only what the contract names.

Callers of a store handle `StoreError`: they retry, end the run or answer 503. Whatever else a
database client raises (``ConnectionError``, an error class of its own, an unrequested
cancellation) is converted to that here, in one place.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import getmembers, iscoroutinefunction
from typing import Any, Final, TypeVar, cast

from yieldwire.errors import StoreError, YieldwireError
from yieldwire.stores import RunStore

T = TypeVar("T")

METHODS: Final = frozenset(name for name, _ in getmembers(RunStore, iscoroutinefunction))
"""The methods of a `RunStore`. All of them are asynchronous."""


def guarded(store: RunStore) -> RunStore:
    """Return ``store``, with unexpected errors of its methods converted to `StoreError`."""
    return cast("RunStore", _Guarded(store))


class _Guarded:
    """Has every attribute of the store."""

    def __init__(self, store: RunStore) -> None:
        self._store: Final = store

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the store
        value: Any = getattr(self._store, name)
        return partial(_call, name, value) if name in METHODS else value


async def _call(name: str, method: Callable[..., Awaitable[T]], /, *args: Any, **named: Any) -> T:  # noqa: ANN401 - the method's own
    try:
        return await method(*args, **named)
    except YieldwireError:
        raise
    except asyncio.CancelledError as exc:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _failure(name, exc) from exc  # something that the store waited for was cancelled
    except Exception as exc:
        raise _failure(name, exc) from exc


def _failure(name: str, exc: BaseException) -> StoreError:
    try:
        said = str(exc)
    except Exception:  # noqa: BLE001 - an error in the exception's own methods is not the fault
        said = ""
    return StoreError(f"{name}() of the store failed with {type(exc).__name__}: {said}")
