"""Thousands of streams whose server is killed, and started again.

    python -m tests.durability.storm [runs] [readers of each] [seed]

All readers lose their connections at once and come back by their cursors. The runs that were
being executed are lost with the process, and begun again when their lease is over.
"""

import asyncio
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

from tests.support.command import CommandServer
from tests.support.follower import Follower, Tally
from tests.support.wire import post

LEASE: Final = 3.0
"""Seconds after its process's death in which a run is not touched."""
PAUSE: Final = 2.0
HOUR: Final = 3600.0
AT_A_TIME: Final = 100
"""Connections that are being opened at a time, at first; later they come as they like."""
PATIENCE: Final = 60.0
SPARE: Final = 500
"""Descriptors that are needed for other things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen. ``violations`` is empty where every promise was kept.

    Attributes:
        streams: Streams that were open.
        opened_in: Seconds in which they were opened.
        listening_after: Seconds from the kill until the new process listened.
        last_back_after: Seconds from then until the last stream was answered again.
        last_event_after: Seconds from then until the last stream had a new event.
        resident_before: Bytes of memory that the server had before the kill.
        resident_after: Bytes that the new one had when all were back.
        connections: Connections that were made, together.
        violations: Whatever was wrong.
    """

    streams: int
    opened_in: float
    listening_after: float
    last_back_after: float
    last_event_after: float
    resident_before: int
    resident_after: int
    connections: int
    violations: list[str]


def run(runs: int = 50, readers: int = 100, seed: int = 0) -> Report:
    """Do it in an event loop and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(storm(Path(folder), runs, readers, seed))


async def storm(folder: Path, runs: int, readers: int, seed: int) -> Report:
    """Open the streams, kill the server, start it, and say what was seen."""
    allow_descriptors(runs * readers + SPARE)
    env = {"RUNS": str(folder), "LEASE": str(LEASE)}
    target, log = "tests.support.stopping:actions", folder / "server.log"
    with CommandServer(target, log, env) as server:
        await server.wait_until_listening()
        crowd = Crowd(server.port, seed)
        async with asyncio.TaskGroup() as group:
            started = monotonic()
            await crowd.gather(group, runs, readers)
            opened_in, resident_before = monotonic() - started, server.resident_bytes()
            server.kill()
            killed = monotonic()
            crowd.expect()
            server.start()
            await server.wait_until_listening()
            listening = monotonic()
            back = await crowd.wait([each.has_begun for each in crowd.followers])
            continued = await crowd.wait([each.has_news for each in crowd.followers])
            resident_after = server.resident_bytes()
            crowd.leave()
    return Report(
        streams=runs * readers,
        opened_in=opened_in,
        listening_after=listening - killed,
        last_back_after=back - listening,
        last_event_after=continued - listening,
        resident_before=resident_before,
        resident_after=resident_after,
        connections=crowd.tally.connections,
        violations=crowd.violations(),
    )


class Crowd:
    """All readers, and what they have read."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._tasks: list[asyncio.Task[None]] = []
        self.tally: Final = Tally()
        self.followers: Final[list[Follower]] = []

    async def gather(self, group: asyncio.TaskGroup, runs: int, readers: int) -> None:
        """Open every stream, and return when each has had an event."""
        slots = asyncio.Semaphore(AT_A_TIME)

        async def enter(**what: Any) -> Follower:  # noqa: ANN401 - as the follower takes it
            async with slots:
                follower = Follower(self.tally, self._random, **what)
                self.followers.append(follower)
                self._tasks.append(group.create_task(follower.follow(self._port)))
                await follower.has_begun.wait()
                return follower

        async def share() -> None:
            start = post("/tick", {"until": monotonic() + HOUR, "pause": PAUSE})
            first = await enter(start=start)
            for _ in range(readers - 1):
                await enter(run_id=first.run_id)

        async with asyncio.TaskGroup() as shares:
            for _ in range(runs):
                shares.create_task(share())
        await self.wait([each.has_news for each in self.followers])

    def expect(self) -> None:
        """Let nobody be back, and have nothing new, until it happens again."""
        for follower in self.followers:
            follower.has_begun.clear()
            follower.has_news.clear()

    async def wait(self, happenings: Sequence[asyncio.Event]) -> float:
        """Return when all of it has happened, with the time."""
        async with asyncio.timeout(PATIENCE):
            for happening in happenings:
                await happening.wait()
        return monotonic()

    def leave(self) -> None:
        """Close every stream."""
        for task in self._tasks:
            task.cancel()

    def violations(self) -> list[str]:
        """Return what was wrong: each reader's own, and where two read different things."""
        found = [each for follower in self.followers for each in follower.violations]
        longest: dict[str, Follower] = {}
        for follower in sorted(self.followers, key=lambda each: each.seq):
            longest[follower.run_id] = follower
        return found + [
            f"{follower.run_id} reads otherwise to another reader"
            for follower in self.followers
            if follower.events != longest[follower.run_id].events[: len(follower.events)]
        ]


def allow_descriptors(count: int) -> None:
    """Let this process, and those that it starts, have that many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count)), hard))


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))  # noqa: T201 - a program
