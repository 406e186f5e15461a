"""A list of runs that stays current, over as many connections as it takes.

Theory of operation. The list is a stream, whose first line comes at once. If it does not, something
on the way collects the answer, as some proxies do, and the list is polled instead. After each
failure the stream is tried again.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from pydantic_core import from_json

from yieldwire.client.http import Answer
from yieldwire.client.patience import Backoff, Lost
from yieldwire.client.wire import Request, Wire, foreign
from yieldwire.errors import Json

LINES: Final = "application/x-ndjson"
POLL_EVERY: Final = 2.0
"""Seconds between two polls."""
_MOST_KNOWN: Final = 1000
"""How many runs are remembered, so that a new connection tells none again that is the same."""

ListedRun = dict[str, Json]


async def watched(wire: Wire, query: Mapping[str, object]) -> AsyncGenerator[ListedRun, None]:
    """Yield the runs that match, newest first, then each that is new or has changed.

    Raises:
        YieldwireError: If it was refused, or the tries are used up.
    """
    backoff, known = Backoff(wire.patience), dict[str, ListedRun]()
    while True:
        try:
            async with aclosing(_entries(wire, query, backoff)) as entries:
                async for entry in entries:
                    if known.pop(entry["id"], None) != entry:
                        yield entry
                    known[entry["id"]] = entry
                    if len(known) > _MOST_KNOWN:
                        del known[next(iter(known))]
        except Lost as lost:
            await backoff.pause(lost)


async def _entries(
    wire: Wire, query: Mapping[str, object], backoff: Backoff
) -> AsyncGenerator[ListedRun, None]:
    request = Request(path="runs", query={**query, "watch": "1"}, headers={"Accept": LINES})
    try:
        async with aclosing(_streamed(wire, request, backoff)) as entries:
            async for entry in entries:
                yield entry
    except _HeldBack:
        request = Request(path="runs", query=query, headers={"Accept": "application/json"})
    while True:
        told = await wire.in_time(lambda: wire.ask(request))
        backoff.received(events=True)
        for entry in told["runs"]:
            yield entry
        await wire.patience.sleep(POLL_EVERY)


class _HeldBack(Exception):
    """The first line of the stream did not come."""


async def _streamed(
    wire: Wire, request: Request, backoff: Backoff
) -> AsyncGenerator[ListedRun, None]:
    answer: Answer | None = None
    try:
        try:
            async with asyncio.timeout(wire.patience.quiet):
                answer = await wire.send(request)
                if not answer.headers.get("content-type", "").startswith(LINES):
                    raise Lost(foreign(answer))
                pieces = wire.pieces(answer)
                piece = await anext(pieces, None)
        except TimeoutError as exc:
            raise _HeldBack from exc
        backoff.connected()
        async with aclosing(pieces):
            rest = b""
            while piece is not None:
                *lines, rest = (rest + piece).split(b"\n")
                backoff.received(events=bool(lines))
                for line in lines:
                    for entry in from_json(line)["runs"]:
                        yield entry
                piece = await anext(pieces, None)
        raise Lost("The list ended.")
    finally:
        if answer is not None:
            await wire.close(answer)
