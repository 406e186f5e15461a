"""Errors of the store, and of writers that it refuses."""

from yieldwire.errors.error import YieldwireError


class StoreError(YieldwireError):
    """The store failed; whether the last write happened is unknown, and it can be repeated."""

    code = "STORE_ERROR"
    status = 503
    retryable = True


class Fenced(StoreError):
    """Another writer holds the run, or the run has ended: this one must not write."""

    retryable = False


class AppendConflict(StoreError):
    """The log's last seq is not the one that the writer expects."""

    retryable = False
