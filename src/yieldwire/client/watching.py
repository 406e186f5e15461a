"""A list of runs that stays current, over as many connections as it takes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final

from pydantic_core import from_json

from yieldwire.client.patience import Backoff, Lost
from yieldwire.client.wire import Request, Wire, foreign
from yieldwire.errors import Json

LINES: Final = "application/x-ndjson"
_MOST_KNOWN: Final = 1000
"""How many runs are remembered, so that a new connection tells none again that is the same."""

ListedRun = dict[str, Json]


async def watched(wire: Wire, query: Mapping[str, object]) -> AsyncGenerator[ListedRun, None]:
    """Yield the runs that match, newest first, then each that is new or has changed.

    Raises:
        YieldwireError: If it was refused, or the tries are used up.
    """
    backoff, known = Backoff(wire.patience), dict[str, ListedRun]()
    request = Request(path="runs", query={**query, "watch": "1"}, headers={"Accept": LINES})
    while True:
        try:
            async with aclosing(_entries(wire, request, backoff)) as entries:
                async for entry in entries:
                    if known.pop(entry["id"], None) != entry:
                        yield entry
                    known[entry["id"]] = entry
                    if len(known) > _MOST_KNOWN:
                        del known[next(iter(known))]
        except Lost as lost:
            await backoff.pause(lost)


async def _entries(
    wire: Wire, request: Request, backoff: Backoff
) -> AsyncGenerator[ListedRun, None]:
    answer = await wire.send(request)
    try:
        if not answer.headers.get("content-type", "").startswith(LINES):
            raise Lost(foreign(answer))
        backoff.connected()
        async with aclosing(wire.pieces(answer)) as pieces:
            rest = b""
            async for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                backoff.received(events=bool(lines))
                for line in lines:
                    for entry in from_json(line)["runs"]:
                        yield entry
        raise Lost("The list ended.")
    finally:
        await wire.close(answer)
