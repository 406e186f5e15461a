"""Tick for everybody: a read-only feed, opened by a GET, that all its readers share.

A browser needs nothing but its own EventSource::

    new EventSource("/api/_actions/clock").onmessage = (event) => console.log(event.data)

However many readers it has, the clock runs once. It keeps its last hundred ticks for readers
that come back; it stops when the last one has been gone for ten seconds.

    yieldwire dev examples/clock.py
    curl -N http://127.0.0.1:8000/api/_actions/clock
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Annotated

from pydantic import Field

from yieldwire import Actions

actions = Actions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick of the clock, and its time."""

    n: int
    at: datetime


@actions.feed(shared=True, keep=100, linger=10)
async def clock(
    every: Annotated[float, Field(ge=0.01, le=60, description="Seconds.")] = 1,
    ticks: Annotated[int | None, Field(ge=1, description="How many; empty: no limit.")] = None,
) -> AsyncIterator[Tick]:
    """Stream the current time."""
    for n in count(1):
        yield Tick(n=n, at=datetime.now(UTC))
        if n == ticks:
            return
        await asyncio.sleep(every)
