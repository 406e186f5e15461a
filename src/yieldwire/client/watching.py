"""A list of runs that stays current, over as many connections as it takes.

Theory of operation. The list is a stream, whose first line comes at once. If it does not, something
on the way collects the answer, as some proxies do, and the list is polled instead. After each
failure the stream is tried again.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from pydantic_core import from_json

from yieldwire.client.http import Answer
from yieldwire.client.patience import Backoff, Lost
from yieldwire.client.wire import LIST, Request, Wire, foreign, path_of
from yieldwire.errors import Json, NotFound

LINES: Final = "application/x-ndjson"
POLL_EVERY: Final = 2.0
"""Seconds between two polls."""
_MOST_KNOWN: Final = 1000
"""How many runs are remembered, so that a new connection tells none again that is the same."""
_MOST_LISTED: Final = 400
"""How many runs can be on the list: a page of the server, and those that came since."""
_MEMBERS: Final = (
    *("id", "action", "parent", "status", "labels", "attempt", "seq"),
    *("createdAt", "startedAt", "endedAt"),
)
"""What an entry has of a snapshot."""

ListedRun = dict[str, Json]


async def watched(wire: Wire, query: Mapping[str, object]) -> AsyncGenerator[ListedRun, None]:
    """Yield the runs that match, newest first, then each that is new or has changed.

    One that no longer matches is told once more, also if that happened between two connections.

    Raises:
        YieldwireError: If it was refused, or the tries are used up.
    """
    backoff, told = Backoff(wire.patience), _Told(query)
    while True:
        try:
            async with aclosing(_entries(wire, query, backoff)) as pages:
                async for entries, is_whole in pages:
                    for entry in told.news(entries):
                        yield entry
                    for run_id in told.left(entries) if is_whole else ():
                        for entry in told.news(await _now(wire, run_id)):
                            yield entry
        except Lost as lost:
            await backoff.pause(lost)


class _Told:
    """What was told, and which runs are on the list."""

    def __init__(self, query: Mapping[str, object]) -> None:
        self._query = query
        self._known = dict[str, ListedRun]()
        self._listed = dict[str, None]()

    def news(self, entries: Sequence[ListedRun]) -> Iterator[ListedRun]:
        """Yield the entries that were not told, and note for each whether it is on the list."""
        for entry in entries:
            run_id = entry["id"]
            self._listed.pop(run_id, None)
            if self._matches(entry):
                self._listed[run_id] = None
            known = self._known.pop(run_id, None)
            self._known[run_id] = entry
            for kept, most in ((self._known, _MOST_KNOWN), (self._listed, _MOST_LISTED)):
                if len(kept) > most:
                    del kept[next(iter(kept))]
            if known != entry:
                yield entry

    def left(self, page: Sequence[ListedRun]) -> Sequence[str]:
        """Return the runs on the list that a whole page does not have."""
        ids = {entry["id"] for entry in page}
        return [run_id for run_id in self._listed if run_id not in ids]

    def _matches(self, entry: ListedRun) -> bool:
        label = self._query.get("label")
        return (label is None or label in entry["labels"]) and all(
            self._query.get(name) in {None, entry[name]} for name in ("status", "action", "parent")
        )


async def _now(wire: Wire, run_id: str) -> Sequence[ListedRun]:
    """Return the entry of a run that has left the list, unless it is gone."""
    request = Request(path=path_of("runs", run_id), headers={"Accept": "application/json"})
    try:
        snapshot = await wire.in_time(lambda: wire.ask(request))
    except NotFound:
        return ()
    return [{name: snapshot[name] for name in _MEMBERS}]


async def _entries(
    wire: Wire, query: Mapping[str, object], backoff: Backoff
) -> AsyncGenerator[tuple[Sequence[ListedRun], bool], None]:
    """Yield entries, and whether they are the whole list."""
    request = Request(path=LIST, query={**query, "watch": "1"}, headers={"Accept": LINES})
    is_whole = True
    try:
        async with aclosing(_streamed(wire, request, backoff)) as lines:
            async for entries in lines:
                yield entries, is_whole
                is_whole = False
    except _HeldBack:
        request = Request(path=LIST, query=query, headers={"Accept": "application/json"})
    while True:
        told = await wire.in_time(lambda: wire.ask(request))
        backoff.received(events=True)
        yield told["runs"], True
        await wire.patience.sleep(POLL_EVERY)


class _HeldBack(Exception):
    """The first line of the stream did not come."""


async def _streamed(
    wire: Wire, request: Request, backoff: Backoff
) -> AsyncGenerator[Sequence[ListedRun], None]:
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
                    yield from_json(line)["runs"]
                piece = await anext(pieces, None)
        raise Lost("The list ended.")
    finally:
        if answer is not None:
            await wire.close(answer)
