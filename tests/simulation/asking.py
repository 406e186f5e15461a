"""Plays random schedules of questions, answers, timeouts, failures and cancellations."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from tests.support.runs import opened
from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire import Context, Result, Retry
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import (
    AlreadyAnswered,
    AnswerTimedOut,
    NotFound,
    RunCancelled,
    RunEnded,
)
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.question import Questions
from yieldwire.log.snapshot import Fold

LATE: Final = -1
"""What the action makes of a question that nobody has answered in time."""


class Failure(Exception):
    """After this the action is tried again."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question of a schedule, and what happens around it. Times are in seconds."""

    timeout: float | None
    default: int | None
    pause: float
    fails_before: bool
    fails_after: bool
    answers: list[tuple[float, int]]
    """When somebody answers, and what."""


def schedule(random: Random, unit: float) -> list[Asked]:
    """Return a schedule whose times are a few units."""
    times = [unit * number for number in (0, 0, 1, 1, 2, 3, 5)]
    return [
        Asked(
            timeout=random.choice([1, 2, 3]) * unit,
            default=random.choice([None, 100]),
            pause=random.choice(times),
            fails_before=random.random() < 0.2,
            fails_after=random.random() < 0.2,
            answers=[(random.choice(times), value) for value in range(random.randrange(4))],
        )
        for _ in range(random.randrange(1, 4))
    ]


class Play:
    """One run by a schedule, and what everybody saw of it."""

    def __init__(self, app: App, random: Random, unit: float) -> None:
        self._app, self._random, self._unit = app, random, unit
        self._plan = schedule(random, unit)
        self.accepted: dict[str, list[int]] = {}
        """The answers that were accepted, by question."""

    async def run(self) -> None:
        """Play it, and check what must hold."""
        app, plan = self._app, self._plan
        failed = set[tuple[int, bool]]()

        async def fail_once(place: int, *, before: bool) -> None:
            asked = plan[place]
            fails = asked.fails_before if before else asked.fails_after
            if fails and (place, before) not in failed:
                failed.add((place, before))
                raise Failure

        @app.action(asks=int, retries=Retry(50, backoff=0.0, on=(Failure,)))
        async def work(ctx: Context) -> AsyncIterator[int | Result[list[int]]]:
            found = list[int]()
            for place, asked in enumerate(plan):
                yield place
                await fail_once(place, before=True)
                await asyncio.sleep(asked.pause)
                default: dict[str, Any] = (
                    {} if asked.default is None else {"default": asked.default}
                )
                try:
                    value = await ctx.ask(int, f"{place}?", timeout=asked.timeout, **default)
                except AnswerTimedOut:
                    value = LATE
                found.append(value)
                await fail_once(place, before=False)
            yield Result(found)

        run = await app.start(work)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(run)) for _ in range(2)]
            for place, asked in enumerate(plan):
                for pause, value in asked.answers:
                    group.create_task(self._answer(run, str(place + 1), pause, value))
            if self._random.random() < 0.2:
                group.create_task(self._cancel(run))
        logs = [await reader for reader in readers]
        await self._check(run, logs)

    async def _read(self, run: Run[Any]) -> list[Event]:
        return [event async for event in run.events()]

    async def _answer(self, run: Run[Any], question: str, pause: float, value: int) -> None:
        async for event in run.events():
            if event.type is EventType.QUESTION and event.value["id"] == question:
                break
        else:
            with pytest.raises(NotFound, match="has not asked"):
                await run.answer(question, value)
            return
        await asyncio.sleep(pause)
        with suppress(AlreadyAnswered, RunEnded):
            await run.answer(question, value)
            self.accepted.setdefault(question, []).append(value)

    async def _cancel(self, run: Run[Any]) -> None:
        await asyncio.sleep(self._random.random() * 10 * self._unit)
        await run.cancel()

    async def _check(self, run: Run[Any], logs: list[list[Event]]) -> None:
        log, questions = logs[0], Questions()
        for event in log:
            questions.take(event)
        assert logs[1] == log
        told = [event for event in log if event.type in {EventType.QUESTION, EventType.ANSWER}]
        counts = Counter((event.type, event.value["id"]) for event in told)
        asked = {name for kind, name in counts if kind is EventType.QUESTION}
        answers = {each.value["id"]: each.value for each in told if each.type is EventType.ANSWER}
        messages = {each.question: each for each in await self._app.store.inbox(run.id, 0)}
        assert all(count == 1 for count in counts.values())
        assert answers.keys() <= asked
        assert messages.keys() >= answers.keys()
        assert await run.questions() == questions.listed() == []
        for name, values in self.accepted.items():
            assert len(values) == 1
            assert messages[name].data == b"%d" % values[0]
            assert name not in answers or answers[name]["value"] == values[0]
        for name, answer in answers.items():
            assert answer.get("timedOut", False) is (name not in self.accepted)
        with suppress(RunCancelled):
            assert await run.result() == [
                answers[str(place + 1)].get("value", LATE) for place in range(len(self._plan))
            ]
            assert answers.keys() == asked
        await self._check_fold(run, log)

    async def _check_fold(self, run: Run[Any], log: list[Event]) -> None:
        fold = Fold()
        blocks = [Block.of_event(run.id, each.seq, each.type, each.data) for each in log]
        while not all(map(fold.add, blocks)):
            fold = fold.rewound()
        assert (await self._app.fold(run.id)).outcome() == fold.outcome()


def play_in_memory(seed: int) -> None:
    """Play a schedule in virtual time."""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with opened(App(clock=loop.clock, timing=Timing(grace=0.1))) as app:
            await Play(app, Random(seed), 1.0).run()  # noqa: S311 - repeatable

    run_virtually(play(), seed=seed)


async def play_in_file(seed: int, folder: Path) -> None:
    """Play a schedule in real time, with runs in a file."""
    store = f"sqlite:///{folder / 'runs.db'}"
    async with opened(App(store=store, timing=Timing(grace=0.1))) as app:
        await Play(app, Random(seed), 0.01).run()  # noqa: S311 - repeatable
