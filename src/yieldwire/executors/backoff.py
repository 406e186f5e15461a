"""Asking a store again that failed, for as long as that is worth it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from yieldwire.errors import StoreError

T = TypeVar("T")

logger = logging.getLogger("yieldwire.worker")

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 1.0


async def with_backoff(
    call: Callable[[], Awaitable[T]],
    seconds: float,
    run_id: str,
    failure: StoreError | None = None,
) -> T:
    """Return what ``call`` does; where the store failed, it is made again for so many seconds.

    They are counted from the first failure, which may be the ``failure`` of a call before.

    Raises:
        StoreError: If it still fails then, or for a reason that no repetition changes.
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
                "the store failed, and is asked again: %s", exc, extra={"run_id": run_id}
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
