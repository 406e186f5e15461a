"""Many runs over a few sockets that are cut at random, played on virtual time in one process.

Each socket has a client that follows its share of the runs: whenever the socket is cut, it opens
another one and goes to the place of each. It keeps whatever came, over all of its sockets.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.support.sockets import HandSocket, socket_to
from tests.support.virtual import run_virtually
from yieldwire import Actions, Result, Timing

EVENTS: Final = 20
"""Events of each run, without its end."""
Log = list[tuple[int, str, Any]]


@dataclass(slots=True)
class Played:
    """What came of one play.

    ``wrong`` are runs whose log is not what it must be, ``cuts`` is how often a socket was cut,
    and ``gap`` is the longest time between two events of a run, in virtual seconds.
    """

    wrong: list[int] = field(default_factory=list)
    cuts: int = 0
    gap: float = 0.0


class Client:
    """Follows some runs over one socket at a time, which is cut as often as it says."""

    def __init__(self, actions: Actions, runs: range, cuts: int, random: Random) -> None:
        self._actions, self._cuts, self._random = actions, cuts, random
        self.ids: dict[int, str] = {}
        self.logs: dict[int, Log] = {run: [] for run in runs}
        self.gap = 0.0
        self._heard: dict[int, float] = {}
        self.cuts = 0

    async def follow(self) -> None:
        """Return when each run has been read to its end."""
        while self._open():
            async with socket_to(self._actions) as hand:
                for run in self._open():
                    self._ask(hand, run)
                await self._read(hand)

    def _open(self) -> list[int]:
        return [run for run, log in self.logs.items() if not log or log[-1][1] != "done"]

    def _ask(self, hand: HandSocket, run: int) -> None:
        if run in self.ids:
            seq = len(self.logs[run])
            hand.ask(run + 1, "GET", f"/runs/{self.ids[run]}/events?after={seq}", credit=400)
        else:
            key = {"Idempotency-Key": f"the key of the run with the number {run}"}
            hand.ask(run + 1, "POST", "/tell", {"run": run}, headers=key, credit=400)

    async def _read(self, hand: HandSocket) -> None:
        # As few that there are events for each cut.
        most = max(1, EVENTS * len(self.logs) // (6 * self._cuts))
        left = self._random.randint(1, most) if self.cuts < self._cuts else None
        while self._open():
            told = await hand.told(1000.0)
            run = told.head["id"] - 1
            self.ids.setdefault(run, told.head.get("headers", {}).get("run-id", ""))
            self._take(run, told.lines)
            if told.body:
                hand.say({"id": run + 1, "credit": len(told.body.encode())})
            if left is not None and told.lines:
                left -= 1
                if left == 0:
                    self.cuts += 1
                    return

    def _take(self, run: int, lines: list[dict[str, Any]]) -> None:
        now = asyncio.get_running_loop().time()
        if lines:
            self.gap = max(self.gap, now - self._heard.get(run, now))
            self._heard[run] = now
        self.logs[run] += [(line["seq"], line["type"], line["data"]) for line in lines]


def chunk_of(run: int, number: int) -> str:
    """Return what a run yields at one of its places."""
    return f"{run}/{number} " * (1 + run % 5)


def log_of(run: int) -> Log:
    """Return the log that a run must have."""
    chunks = [(seq, "chunk", chunk_of(run, seq)) for seq in range(1, EVENTS + 1)]
    return [*chunks, (EVENTS + 1, "done", {"result": run})]


async def _play(runs: int, sockets: int, cuts: int, seed: int) -> Played:
    actions = Actions(timing=Timing(grace=0, socket_idle=1000, sweep_every=5), max_runs=None)
    random = Random(seed)  # noqa: S311 - repeatable, and no secret

    @actions.action(linger=None)
    async def tell(run: int) -> AsyncIterator[str | Result[int]]:
        for number in range(1, EVENTS + 1):
            yield chunk_of(run, number)
            await asyncio.sleep(random.uniform(0.5, 1.5))
        yield Result(run)

    share = runs // sockets
    async with actions.lifespan():
        clients = [
            Client(actions, range(at, at + share), cuts // sockets, Random(f"{seed} {at}"))  # noqa: S311
            for at in range(0, runs, share)
        ]
        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(client.follow())
    logs = {run: log for client in clients for run, log in client.logs.items()}
    return Played(
        wrong=[run for run, log in logs.items() if log != log_of(run)],
        cuts=sum(client.cuts for client in clients),
        gap=max(client.gap for client in clients),
    )


def play(*, runs: int, sockets: int, cuts: int, seed: int) -> Played:
    """Play one schedule; the same seed gives the same."""
    return run_virtually(_play(runs, sockets, cuts, seed), seed=seed)
