"""Retries calls to a failing store, as long as that is useful."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from yieldwire.errors import StoreError

T = TypeVar("T")

logger: Final = logging.getLogger("yieldwire.worker")

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0


async def with_backoff(
    call: Callable[[], Awaitable[T]],
    seconds: float,
    run_id: str,
    failure: StoreError | None = None,
) -> T:
    """Return the result of ``call``; if the store fails, retry for the given seconds.

    They are counted from the first failure, which can be the ``failure`` of an earlier call.

    Raises:
        StoreError: If it still fails then, or for a reason that a retry cannot change.
    """
    until, pause = None, FIRST_PAUSE
    while True:
        try:
            if failure is not None:
                exc, failure = failure, None
                raise exc
            return await call()
        except StoreError as exc:
            now = asyncio.get_running_loop().time()
            until = now + seconds if until is None else until
            if not exc.retryable or now + pause > until:
                raise
            logger.warning(
                "the store failed, and is being retried: %s", exc, extra={"run_id": run_id}
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
