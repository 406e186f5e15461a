"""Checks whether the server can delete what a store still needs."""

import logging
import re
from contextlib import suppress
from typing import Final

from yieldwire.errors import StoreError
from yieldwire.stores.redis.links import RedisLinks

logger: Final = logging.getLogger("yieldwire.worker")

_FACTS: Final = re.compile(rb"^(maxmemory|maxmemory_policy):(\S+)", re.MULTILINE)


async def warn_of_eviction(links: RedisLinks) -> None:
    """Log a warning if the server deletes keys when it is full."""
    with suppress(StoreError):  # the store is used anyway, and then says what is wrong
        (info,) = await links.reader.ask((b"INFO", b"memory"))
        facts = {name: value.decode() for name, value in _FACTS.findall(info)}
        policy = facts.get(b"maxmemory_policy", "noeviction")
        if facts.get(b"maxmemory", "0") != "0" and policy != "noeviction":
            logger.warning(
                "the Redis server deletes runs when it is full: its maxmemory-policy is %s; "
                "set it to noeviction",
                policy,
            )
