"""Ends the open responses of callers whose access was revoked.

Theory of operation. `identify` is called when a request arrives, so a response that is already
open continues: a stream, a waiting answer, a poll. A revocation is kept in the store, where every
process that shares it finds it in its next sweep. It ends responses that were requested before it
and are still open; a user who has signed in again was identified later, and is not affected. So
both times come from one clock, `time.monotonic`. A request that is not answered yet has no reader,
and is compared when it gets one.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from yieldwire.errors import NotFound, StoreError, Unauthorized, YieldwireError
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader
from yieldwire.stores import REVOCATIONS_KEPT, RunStore

logger: Final = logging.getLogger("yieldwire.asgi")

AskCaller: TypeAlias = Callable[[], Awaitable[Caller]]
"""Identifies the sender of a request again."""


class SignOuts:
    """The revoked owners that this process knows of; ends their ``readers``."""

    def __init__(self, store: RunStore, readers: Collection[Reader] = ()) -> None:
        self._store: Final = store
        self.readers = readers
        self._at: dict[str, float] = {}
        self._seen: int | None = None
        self._everybody_until = -math.inf
        """Until when everybody counts as revoked, because revocations were missed."""

    def __len__(self) -> int:
        """How many owners are remembered."""
        return len(self._at)

    def has(self, caller: Caller) -> bool:
        """Whether the caller's access was revoked after the request arrived."""
        if caller.owner is None:
            return False
        return caller.asked_at <= self._at.get(caller.owner, self._everybody_until)

    def check(self, caller: Caller) -> None:
        """Return if the caller can still be answered.

        Raises:
            Unauthorized: If the access was revoked, or has expired, since the request came.
        """
        if caller.owner is None and caller.expires_at is None:
            return  # anonymous, without a link
        if caller.has_expired or self.has(caller):
            raise Unauthorized

    async def revoke(self, owner: str) -> None:
        """Revoke the access of ``owner``, here and in every process that shares the store.

        Raises:
            StoreError: If the store failed. In this process it is revoked anyway.
        """
        try:
            at = await self._store.revoke(owner)
        except StoreError:
            self._note(owner, time.monotonic())
            raise
        self._note(owner, at)

    async def catch_up(self) -> None:
        """Load the revocations of other processes.

        Raises:
            StoreError: If the store failed.
        """
        told = await self._store.revoked(self._seen or 0)
        # The first call misses nothing: what the store has dropped is older than this process.
        has_missed_some = not told.is_whole and self._seen is not None
        self._seen = told.last
        if has_missed_some:
            logger.warning(
                "revocations were missed: every response to an owner ends, to be resumed"
            )
            self._forget_until(time.monotonic())
        for owner, at in told.at.items():
            self._note(owner, at)

    def _note(self, owner: str, at: float) -> None:
        self._at[owner] = max(at, self._at.pop(owner, at))
        if len(self._at) > REVOCATIONS_KEPT:
            self._forget_until(self._at.pop(next(iter(self._at))))
        for reader in list(self.readers):
            if reader.caller.owner == owner and self.has(reader.caller):
                reader.revoke()

    def _forget_until(self, moment: float) -> None:
        self._everybody_until = max(moment, self._everybody_until)
        for reader in list(self.readers):
            if self.has(reader.caller):
                reader.revoke()


async def ask_again(reader: Reader, ask: AskCaller, every: float) -> None:
    """Identify the reader's caller again every few seconds; revoke the reader if it has changed.

    The same if identification fails or takes too long: the client reconnects and gets the error.
    The reader continues only if its caller's own name is returned.
    """
    loop = asyncio.get_running_loop()
    while not reader.is_revoked:
        await asyncio.sleep(every)
        # Not by a time limit, which is a cancellation that `identify` could ignore.
        late = loop.call_later(every, _revoke_late, reader, every)
        try:
            is_same = await _is_same(reader, ask)
        finally:
            late.cancel()
        if is_same is None:
            return
        if not is_same:
            reader.revoke()


async def _is_same(reader: Reader, ask: AskCaller) -> bool | None:
    """Return whether it is still the reader's caller; ``None`` if the run is gone."""
    try:
        return (await ask()).owner == reader.caller.owner
    except NotFound:  # the run is gone, as the reader will find
        return None
    except YieldwireError:
        return False
    except Exception:
        logger.exception("identify failed for an open response, which ends to be resumed")
        return False
    except BaseException:
        # Possibly cancelled because the response has ended; then this makes no difference.
        reader.revoke()
        raise


def _revoke_late(reader: Reader, seconds: float) -> None:
    logger.error("identify took over %g s for an open response, which ends to be resumed", seconds)
    reader.revoke()
