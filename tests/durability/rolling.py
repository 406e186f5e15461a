"""Two servers of one application, restarted in turn while streams are open.

    python -m tests.durability.rolling [restarts] [streams] [seed]

Every stream starts a run of its own through a balancer, follows it over as many connections as
it takes, and begins another. Each run is read a second time when it has ended, from its start
and in one piece: both readings have to be the same.
"""

import asyncio
import sys
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

from tests.support.balancer import Balancer
from tests.support.command import CommandServer
from tests.support.follower import Follower, Tally
from tests.support.wire import post

GRACE: Final = 1.0
LEASE: Final = 10.0
"""So long that a run which continues within seconds was released, not lost."""
PAUSE: Final = 0.1
LIVES: Final = (1.0, 8.0)
"""The range of seconds that a run takes."""
PATIENCE: Final = 30.0
"""Seconds after the last restart in which every run has to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen. ``violations`` is empty where every promise was kept.

    Attributes:
        restarts: Servers that were stopped and started again.
        streams: Streams that were open at a time.
        runs: Runs that were followed to their end.
        takeovers: Attempts of these runs beyond the first ones.
        connections: Connections that their streams took.
        farewells: Streams that the server ended, to be resumed.
        slowest_exit: Seconds from SIGTERM to the end of the process, at most.
        longest_silence: Seconds between two events of a run, at most.
        seconds: How long it all took.
        violations: Whatever was wrong.
    """

    restarts: int
    streams: int
    runs: int
    takeovers: int
    connections: int
    farewells: int
    slowest_exit: float
    longest_silence: float
    seconds: float
    violations: list[str]


def run(restarts: int = 20, streams: int = 200, seed: int = 0) -> Report:
    """Do it in an event loop and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(roll(Path(folder), restarts, streams, seed))


async def roll(folder: Path, restarts: int, streams: int, seed: int) -> Report:
    """Open the streams, restart the servers, and say what was seen."""
    env = {"RUNS": str(folder), "GRACE": str(GRACE), "LEASE": str(LEASE)}
    started = monotonic()
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                CommandServer("tests.support.stopping:actions", folder / f"server{each}.log", env)
            )
            for each in range(2)
        ]
        for server in servers:
            await server.wait_until_listening()
        async with Balancer([server.port for server in servers]) as balancer:
            audience = Audience(balancer.port, Random(seed))  # noqa: S311 - repeatable, no secret
            exits = await audience.watch(streams, restarted(servers, restarts))
            await audience.compare(servers[0].port)
    followers, tally = audience.followers, audience.tally
    violations = [each for follower in followers for each in follower.violations]
    if tally.broken:
        violations.append(f"{tally.broken} streams broke off")
    return Report(
        restarts=restarts,
        streams=streams,
        runs=sum(follower.has_ended for follower in followers),
        takeovers=sum(follower.count(b"restarted") for follower in followers),
        connections=tally.connections,
        farewells=tally.farewells,
        slowest_exit=max(exits),
        longest_silence=max(follower.longest_silence for follower in followers),
        seconds=monotonic() - started,
        violations=violations,
    )


async def restarted(servers: list[CommandServer], restarts: int) -> list[float]:
    """Restart the servers in turn, and return how long each took to stop."""
    exits: list[float] = []
    for number in range(restarts):
        server = servers[number % len(servers)]
        server.stop()
        exits.append(await server.wait_until_gone())
        server.start()
        await server.wait_until_listening()
    return exits


class Audience:
    """All streams of one deployment, and what they have read."""

    def __init__(self, port: int, random: Random) -> None:
        self._port, self._random = port, random
        self._is_over = False
        self.tally: Final = Tally()
        self.followers: Final[list[Follower]] = []

    async def watch(self, streams: int, restarts: Coroutine[Any, Any, list[float]]) -> list[float]:
        """Hold that many streams open until the restarts are over, and every run has ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(streams):
                group.create_task(self._stream())
            exits = await restarts
            self._is_over = True
            deadline = asyncio.get_running_loop().call_later(PATIENCE, self._give_up)
        deadline.cancel()
        return exits

    async def _stream(self) -> None:
        while not self._is_over:
            until = monotonic() + self._random.uniform(*LIVES)
            # With a key, a start whose answer was lost can be repeated.
            key = {"Idempotency-Key": f"{self._random.getrandbits(128):032x}"}
            start = post("/tick", {"until": until, "pause": PAUSE}, key)
            follower = Follower(self.tally, self._random, start=start)
            self.followers.append(follower)
            await follower.follow(self._port)

    def _give_up(self) -> None:
        for follower in self.followers:
            if not follower.has_ended:
                follower.give_up("the stream was lost")

    async def compare(self, port: int) -> None:
        """Read every run again, from its start, and note where that is not what was read."""
        slots = asyncio.Semaphore(50)

        async def read_again(first: Follower) -> None:
            async with slots:
                second = Follower(Tally(), self._random, run_id=first.run_id)
                await second.connect(port)
                if second.events != first.events:
                    first.violations.append(f"{first.run_id} reads otherwise the second time")

        async with asyncio.TaskGroup() as group:
            for follower in self.followers:
                if follower.has_ended:
                    group.create_task(read_again(follower))


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))  # noqa: T201 - a program
