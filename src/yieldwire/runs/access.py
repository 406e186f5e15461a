"""Who asks, and whether they may: one place for every transport."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Final, Literal, TypeAlias

from yieldwire.errors import Forbidden, Unauthorized
from yieldwire.log.run import RunRecord
from yieldwire.setting import SECONDS, TEXT, Rules, optional, settings

Verb = Literal["read", "cancel", "delete"]

IDENTITY: Final[Rules] = {"owner": TEXT, "expires_at": optional(SECONDS)}


@settings(IDENTITY)
@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks, where ``identify`` knows more than a name.

    ``expires_at`` is in seconds since the epoch: a stream that outlives it asks again.
    """

    owner: str
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request: an owner, or an address when anonymous."""

    owner: str | None = None
    address: str = "local"
    expires_at: float | None = None
    asked_at: float = math.inf
    """When the request came, by `time.monotonic`: what was revoked after that counts for it."""

    @property
    def quota(self) -> str:
        """Whose limits a start counts against."""
        return f"owner:{self.owner}" if self.owner is not None else f"address:{self.address}"

    @property
    def has_expired(self) -> bool:
        """Whether the identity has to be asked for again."""
        return self.expires_at is not None and self.expires_at <= time.time()  # noqa: TID251


Access: TypeAlias = Callable[[Caller, RunRecord, Verb], bool | Awaitable[bool]]
"""Widens ownership: an admin, a team, a share token. Asked only where the owner rule says no."""


async def authorize(caller: Caller, run: RunRecord, verb: Verb, access: Access | None) -> None:
    """Return if ``caller`` may do ``verb`` to ``run``.

    A run belongs to whoever started it. One that nobody owns is open to whoever has its id, but
    a feed that all readers share is ended by none of them.

    Raises:
        Unauthorized: If nobody is signed in and the run has an owner.
        Forbidden: If the run is another owner's.
    """
    is_open = run.owner is None and (verb == "read" or not run.is_shared)
    if is_open or (run.owner is not None and run.owner == caller.owner and not caller.has_expired):
        return
    if access is not None:
        verdict = access(caller, run, verb)
        if (await verdict) if isawaitable(verdict) else verdict:
            return
    if run.is_shared:
        raise Forbidden("All readers share this feed; it ends when the last of them has left.")
    if caller.owner is None or caller.has_expired:
        raise Unauthorized
    raise Forbidden("This run belongs to somebody else.")
