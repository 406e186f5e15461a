"""The caller, and what it is allowed to do: one place for every transport."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from inspect import isawaitable
from typing import Annotated, TypeAlias

from yieldwire.errors import Forbidden, Unauthorized
from yieldwire.log.run import RunRecord, Verb
from yieldwire.setting import Seconds, function_of, settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a signed link allows everyone who has it: some verbs on one run, until it expires.

    ``question`` is the only question that the link answers; ``None``: any. ``name`` is the person
    that the link was made for, as far as its maker says. ``expires_at`` is in seconds since the
    epoch.
    """

    run_id: str
    verbs: frozenset[Verb]
    expires_at: float
    question: str | None = None
    name: str | None = None

    def allows(self, run: RunRecord, verb: Verb) -> bool:
        """Return whether the link is for this run and this verb."""
        return run.id == self.run_id and verb in self.verbs


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity of a caller, if ``identify`` knows more than a name.

    ``expires_at`` is in seconds since the epoch: a stream that outlives it is identified again.
    """

    owner: str
    expires_at: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The sender of a request: an owner, or an address if anonymous."""

    owner: str | None = None
    address: str = "local"
    expires_at: Seconds | None = None
    asked_at: float = math.inf
    """When the request arrived, by `time.monotonic`: later revocations apply to it."""
    grant: Grant | None = None
    """The signed link with which the request came. Such a caller has no other rights."""

    @property
    def quota_key(self) -> str:
        """The caller against whose limits a start counts."""
        return _quota_key(self.owner, self.address)

    @property
    def has_expired(self) -> bool:
        """Whether the caller must be identified again."""
        return self.expires_at is not None and self.expires_at <= time.time()  # noqa: TID251


@lru_cache(maxsize=256)  # the run and the stream of a caller keep it
def _quota_key(owner: str | None, address: str) -> str:
    return f"owner:{owner}" if owner is not None else f"address:{address}"


@lru_cache(maxsize=256)  # most callers send many requests
def anonymous(address: str) -> Caller:
    """Return the anonymous caller at an address."""
    return Caller(address=address)


def caller_with(grant: Grant, address: str) -> Caller:
    """Return the caller who sends a request with a signed link."""
    return Caller(address=address, expires_at=grant.expires_at, grant=grant)


Access: TypeAlias = Annotated[
    Callable[[Caller, RunRecord, Verb], bool | Awaitable[bool]],
    function_of("the caller", "the run", "the verb"),
]
"""Widens ownership: an admin, a team, a share token. Called only if the owner rule refuses."""


async def authorize(caller: Caller, run: RunRecord, verb: Verb, access: Access | None) -> None:
    """Return if ``caller`` is allowed to do ``verb`` to ``run``.

    A caller with a signed link has the rights of the link and no others. Otherwise a run belongs
    to the caller who started it. A run without an owner is open to everyone who has its id, but
    none of its readers can end a shared feed.

    Raises:
        Unauthorized: If the caller is anonymous and the run has an owner.
        Forbidden: If the run is another owner's.
    """
    if caller.grant is not None:
        if caller.has_expired:
            raise Forbidden("This link has expired.")
        if not caller.grant.allows(run, verb):
            raise Forbidden("This link does not allow that.")
        return
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


def check_expiry(caller: Caller) -> None:
    """Return if the identity of ``caller`` has not expired.

    Raises:
        Unauthorized: If it has.
    """
    if caller.has_expired:
        raise Unauthorized
