"""Error classes, restored from a server's answer or a run's log."""

from collections.abc import Iterator
from typing import Final

from yieldwire.errors import (
    ActionError,
    CallError,
    ErrorObject,
    RateLimited,
    RunError,
    StoreError,
    Unavailable,
    Unreachable,
    YieldwireError,
)


def _kinds(kind: type[YieldwireError]) -> Iterator[tuple[str, type[YieldwireError]]]:
    if "code" in vars(kind):
        yield kind.code, kind
    for child in kind.__subclasses__():
        if child.__module__ == kind.__module__ and child not in {ActionError, Unreachable}:
            yield from _kinds(child)


_KINDS: Final[dict[str, type[YieldwireError]]] = {
    code: kind for root in (CallError, RunError, StoreError) for code, kind in _kinds(root)
}
"""The class for each code of the framework. Every other code is an action's own."""


def error_from(told: ErrorObject, *, retry_after: float | None = None) -> YieldwireError:
    """Return the error that ``told`` describes, with all of its facts, ready to raise.

    A code of the framework gives its class (``UNAUTHORIZED``: `Unauthorized`); every other
    code gives an `ActionError`.

    Args:
        told: The error object from the server.
        retry_after: Seconds to wait, if the server said so.
    """
    kind = _KINDS.get(told.code, ActionError)
    # Their constructors build the message; here it is given.
    error = kind.__new__(kind, told.message)
    error.code, error.status, error.retryable = told.code, told.status, told.retryable
    error.field_errors, error.data = told.field_errors, told.data
    error.run_id, error.error_id = told.run_id, told.error_id
    if told.debug is not None:
        error.debug = told.debug
        error.add_note(f"On the server (shown in development only):\n{told.debug['traceback']}")
    if retry_after and isinstance(error, (RateLimited, Unavailable)):
        error.retry_after = retry_after
    return error
