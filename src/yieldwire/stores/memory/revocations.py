"""Revocations of access in memory."""

import time
from collections import deque

from yieldwire.stores import REVOCATIONS_KEPT, Revoked


class MemoryRevocations:
    """The part of a memory store that records who lost access."""

    def __init__(self) -> None:
        self._revocations: deque[tuple[int, str, float]] = deque(maxlen=REVOCATIONS_KEPT)

    async def revoke(self, owner: str, /) -> float:
        """Record that the access of ``owner`` was revoked, and return when."""
        at = time.monotonic()
        self._revocations.append((self._last_revocation() + 1, owner, at))
        return at

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations after number ``since``."""
        last = self._last_revocation()
        if since == last:
            return Revoked(last=last)
        newer = [each for each in self._revocations if each[0] > since]
        return Revoked(
            last=last,
            at={owner: at for _, owner, at in newer},
            is_whole=len(newer) == last - since,
        )

    def _last_revocation(self) -> int:
        return self._revocations[-1][0] if self._revocations else 0
