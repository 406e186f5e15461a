"""Questions whose answers race, and whose process is killed meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from pydantic_core import from_json

from tests.durability.node import Followed, follow_in_node
from tests.support.command import CommandServer
from tests.support.kept import kept
from tests.support.racing import LATE
from yieldwire import Event
from yieldwire.client import AsyncClient
from yieldwire.client.patience import Patience
from yieldwire.client.run import RemoteRun
from yieldwire.errors import AlreadyAnswered, RunEnded
from yieldwire.log.events import EventType
from yieldwire.stores.sqlite import SQLiteStore

SOON: Final = 120.0
"""Seconds within which what must happen has happened, on the slowest machine."""
PATIENCE: Final = Patience(tries=1000, backoff=0.05, backoff_max=0.2, request=SOON)
PAUSES: Final = (0.0, 0.0, 0.1, 0.3, 0.6)
"""Seconds after which somebody answers, from when he has seen the question."""
TIMEOUTS: Final = (0.1, 0.3, 1.0, None, None)
"""Seconds until it is too late for an answer."""


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    races: int = 0
    kills: int = 0
    restarted: int = 0
    """Runs that had more than one attempt."""
    answered: int = 0
    timed_out: int = 0
    cancelled: int = 0
    refused: int = 0
    """Answers that came too late."""

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            races=self.races + other.races,
            kills=self.kills + other.kills,
            restarted=self.restarted + other.restarted,
            answered=self.answered + other.answered,
            timed_out=self.timed_out + other.timed_out,
            cancelled=self.cancelled + other.cancelled,
            refused=self.refused + other.refused,
        )


@dataclass(kw_only=True, eq=False)
class Race:
    """One run, who answers it, and what everybody saw."""

    timeouts: list[float | None]
    answers: list[list[tuple[float, int]]]
    """For each question: after which pause somebody answers, and what."""
    cancelled_after: float | None
    run: RemoteRun
    asked: list[asyncio.Event] = field(default_factory=list)
    log: list[Event] = field(default_factory=list)
    accepted: dict[str, list[int]] = field(default_factory=dict)
    """The answers that were acknowledged, by question."""


class Racing:
    """Kills the server of some races again and again, and looks at what became of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.figures = Figures()
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._file = folder / "runs.db"
        env = {"RUNS_FILE": str(self._file)}
        self.server = CommandServer("tests.support.racing:actions", folder / "log", env)
        self._races: list[Race] = []

    async def run(
        self, races: int, kills: int, tell: Callable[[Figures], None] = lambda _: None
    ) -> None:
        """Have that many races at the same time, kill that often, and check everything."""
        url = f"http://127.0.0.1:{self.server.port}"
        with self.server:
            await self.server.wait_until_listening()
            async with asyncio.timeout(SOON), AsyncClient(url, patience=PATIENCE) as client:
                self._races = [await self._begin(client) for _ in range(races)]
                async with asyncio.TaskGroup() as group:
                    ids = [race.run.id for race in self._races]
                    followed = group.create_task(follow_in_node(url, *ids))
                    for race in self._races:
                        self._hold(race, group)
                    for _ in range(kills):
                        await asyncio.sleep(self._random.random() * 0.6)
                        await self._kill()
                        tell(self.figures)
                again = [[each async for each in client.attach(name).events()] for name in ids]
        await self._check(again, followed.result())

    async def _begin(self, client: AsyncClient) -> Race:
        random, count = self._random, self._random.randrange(1, 4)
        timeouts = [random.choice(TIMEOUTS) for _ in range(count)]
        # A question that waits forever has at least one answer.
        counts = [random.randrange(timeout is None, 4) for timeout in timeouts]
        return Race(
            timeouts=timeouts,
            answers=[[(random.choice(PAUSES), value) for value in range(n)] for n in counts],
            cancelled_after=random.random() * 3 if random.random() < 0.2 else None,
            run=await client.start("race", {"timeouts": timeouts}),
            asked=[asyncio.Event() for _ in timeouts],
        )

    def _hold(self, race: Race, group: asyncio.TaskGroup) -> None:
        group.create_task(self._read(race))
        for place, answers in enumerate(race.answers):
            for pause, value in answers:
                group.create_task(self._answer(race, place, pause, value))
        if race.cancelled_after is not None:
            group.create_task(self._cancel(race, race.cancelled_after))

    async def _read(self, race: Race) -> None:
        async for event in race.run.events():
            race.log.append(event)
            if event.type is EventType.QUESTION:
                race.asked[int(event.value["id"]) - 1].set()
        for asked in race.asked:
            asked.set()

    async def _answer(self, race: Race, place: int, pause: float, value: int) -> None:
        name = str(place + 1)
        await race.asked[place].wait()
        if name not in asked_in(race.log):
            return  # the run ended before
        await asyncio.sleep(pause)
        try:
            await race.run.answer(name, value)
        except (AlreadyAnswered, RunEnded):
            self.figures.refused += 1
        else:
            race.accepted.setdefault(name, []).append(value)

    async def _cancel(self, race: Race, pause: float) -> None:
        await asyncio.sleep(pause)
        with suppress(RunEnded):
            await race.run.cancel()

    async def _kill(self) -> None:
        self.server.kill()
        self.server.start()
        await self.server.wait_until_listening()
        self.figures.kills += 1

    # What must hold.

    async def _check(self, again: list[list[Event]], followed: dict[str, Followed]) -> None:
        store = SQLiteStore(self._file)
        try:
            for race, log in zip(self._races, again, strict=True):
                assert race.log == log, "a reader who came later has read something else"
                check_followed(race, followed[race.run.id])
                messages = {
                    message.question: from_json(message.data)
                    for message in await store.inbox(race.run.id, 0)
                    if not message.is_timeout
                }
                self._count(race, check_outcomes(race, messages))
        finally:
            await store.close()

    def _count(self, race: Race, answers: dict[str, Any]) -> None:
        late = sum(answer.get("timedOut", False) for answer in answers.values())
        self.figures += Figures(
            races=1,
            restarted=any(event.type is EventType.RESTARTED for event in race.log),
            answered=len(answers) - late,
            timed_out=late,
            cancelled=race.log[-1].type is not EventType.DONE,
        )


def asked_in(log: list[Event]) -> set[str]:
    """Return the ids of the questions in a log."""
    return {event.value["id"] for event in log if event.type is EventType.QUESTION}


def check_followed(race: Race, followed: Followed) -> None:
    """The TypeScript client has the same events, and counts the same chunks."""
    log = [(event.seq, event.type.value, event.value) for event in race.log]
    assert followed.events == log, "the TypeScript client has read something else"
    assert followed.chunks == [event.value for event in kept(race.log)]


def check_outcomes(race: Race, messages: dict[str | None, Any]) -> dict[str, Any]:
    """Each question has one outcome, in the log, in the inbox, in the result, for who answered."""
    told = [each for each in race.log if each.type in {EventType.QUESTION, EventType.ANSWER}]
    counts = Counter((event.type, event.value["id"]) for event in told)
    asked = asked_in(race.log)
    answers = {each.value["id"]: each.value for each in told if each.type is EventType.ANSWER}
    assert all(count == 1 for count in counts.values()), counts
    assert answers.keys() <= asked
    for name, values in race.accepted.items():
        assert len(values) == 1, "two answers were acknowledged"
        assert messages[name] == values[0], "an acknowledged answer is lost"
    for name, answer in answers.items():
        assert answer.get("timedOut", False) is (name not in messages)
        assert answer.get("value") == messages.get(name)
    last = race.log[-1]
    # A run that is to stop when its process is killed is not tried again.
    is_stopped = last.type is EventType.CANCELLED or last.value.get("code") == "INTERRUPTED"
    assert is_stopped or last.type is EventType.DONE, last
    assert not is_stopped or race.cancelled_after is not None
    if last.type is EventType.DONE:
        assert answers.keys() == asked == {str(n + 1) for n in range(len(race.timeouts))}
        found = [answers[str(n + 1)].get("value", LATE) for n in range(len(race.timeouts))]
        assert last.value == {"result": found}
    return answers
