"""Wraps a store, so that hooks are told how long its calls take."""

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar, cast

from yieldwire.errors import StoreError, YieldwireError
from yieldwire.hooks import Watch
from yieldwire.stores import RunStore
from yieldwire.stores.guarded import METHODS

T = TypeVar("T")

_TIMED: Final = METHODS - {"open", "close"}


def timed(store: RunStore, watch: Watch) -> RunStore:
    """Return ``store``, with hooks around its calls only if there are some."""
    return cast("RunStore", _Timed(store, watch)) if watch.has_store_calls else store


class _Timed:
    """Has every attribute of the store."""

    def __init__(self, store: RunStore, watch: Watch) -> None:
        self._store: Final = store
        self._watch: Final = watch

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of the store
        value: Any = getattr(self._store, name)
        if name not in _TIMED:
            return value
        call = self.__dict__[name] = partial(_call, self._watch, name, value)
        return call


async def _call(
    watch: Watch,
    name: str,
    method: Callable[..., Awaitable[T]],
    /,
    *args: Any,  # noqa: ANN401 - the method's own
    **named: Any,  # noqa: ANN401 - the same
) -> T:
    if named.get("wait"):
        return await method(*args, **named)
    began = perf_counter()
    try:
        result = await method(*args, **named)
    except YieldwireError as exc:
        # An error that is not worth a repetition is the store's answer.
        failure = exc if isinstance(exc, StoreError) and exc.retryable else None
        watch.store_called(name, perf_counter() - began, failure)
        raise
    watch.store_called(name, perf_counter() - began, None)
    return result
