"""Revocations of access, for processes on many machines."""

import time

from pydantic_core import from_json, to_json

from yieldwire.stores import REVOCATIONS_KEPT, Revoked
from yieldwire.stores.machine import boot_id
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.scripts import Scripts, seconds


class RedisRevocations:
    """The part of a Redis store that keeps revocations.

    Each has its time by the server, and by the machine where it was made. Other machines convert
    the server's time to their own; the round trip makes it a little later, never earlier.
    """

    _links: RedisLinks
    _scripts: Scripts

    async def revoke(self, owner: str, /) -> float:
        """Record that the access of ``owner`` was revoked, and return when."""
        at = time.monotonic()
        machine = to_json([boot_id(), at])
        await self._links.writer.finish(
            self._scripts.call("revoke", owner, machine, REVOCATIONS_KEPT)
        )
        return at

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations after number ``since``."""
        about = (b"HGET", self._scripts.key("about"), b"revocations")
        newer = (b"XRANGE", self._scripts.key("revocations"), f"{since + 1}-0", b"+")
        counted, entries, server_time = await self._links.reader.ask(about, newer, (b"TIME",))
        last, at = int(counted or 0), dict[str, float]()
        server_now, here = seconds(server_time), time.monotonic()
        for number, fields in entries:
            owner, _, machine, made_at = fields[1::2]
            last = max(last, int(number.partition(b"-")[0]))
            boot, made_here = from_json(machine)
            age = server_now - float(made_at)
            at[owner.decode()] = made_here if boot == boot_id() else here - age
        return Revoked(last=last, at=at, is_whole=len(entries) == last - since)
