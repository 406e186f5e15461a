"""Schedules of faults, and the runs of a deployment that live through them.

A schedule starts runs through one web process, reads, answers and cancels them through the other,
and lets one to three faults happen meanwhile: a worker is killed or sleeps longer than its lease,
the store is restarted, a line to the store falls silent, is cut or becomes slow. Then nothing that
a run promises is broken, or the schedule returns what was.
"""

import asyncio
import secrets
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.durability.deployment import LEASE, Deployment, Store
from tests.durability.kills import check_values
from tests.durability.readers import (
    PAUSE,
    WAYS,
    Log,
    Reader,
    patiently,
    poll,
    read_events,
    read_through,
    start,
)
from tests.support.line import Line
from tests.support.wire import Broken, fetch, post

SOON: Final = 60.0
"""Seconds within which what must happen has happened, on the slowest machine."""
ENDLESS: Final = 1_000_000
SLEEP: Final = LEASE + 0.8
"""Seconds after which a worker that said nothing has lost its runs."""
BURST: Final = 20
"""Schedules after which all of their logs are compared with what they were."""
AT_A_TIME: Final = 4
"""Runs whose cancel is measured at the same time."""


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    schedules: int = 0
    runs: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    completed: int = 0
    cancelled: int = 0
    interrupted: int = 0
    restarted: int = 0
    violations: list[str] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Talk:
    """One run: what it is, who reads it, and what became of it."""

    name: str
    n: int
    run_id: str
    readers: list[Reader]
    tasks: list[asyncio.Task[Log]]
    answered: int | None = None

    @property
    def log(self) -> Log:
        return self.readers[0].log

    @property
    def outcome(self) -> str:
        _, kind, data = self.log[-1]
        return kind if kind in {"done", "cancelled"} else str(data["code"])


class Schedules:
    """Plays schedules on one deployment, one after another."""

    def __init__(self, deployment: Deployment) -> None:
        self.figures = Figures()
        self._deployment = deployment
        self._over: list[Talk] = []

    async def play(self, seed: int) -> None:
        """Play one schedule, and note what it breaks."""
        random = Random(seed)  # noqa: S311 - repeatable, and no secret
        try:
            async with asyncio.timeout(2 * SOON), asyncio.TaskGroup() as group:
                faults = group.create_task(self._break(random))
                talks = [group.create_task(self._talk(each, group)) for each in _drawn(random)]
            await faults
        except Exception as exc:  # noqa: BLE001 - every violation is noted, with its seed
            self._note(seed, exc)
            return
        self._over += (ended := [talk.result() for talk in talks])
        try:
            await self._check(ended)
        except Exception as exc:  # noqa: BLE001 - as above
            self._note(seed, exc)
        self.figures.schedules += 1

    def _note(self, seed: int, exc: Exception) -> None:
        while isinstance(exc, ExceptionGroup):
            exc = exc.exceptions[0]
        self.figures.violations.append(f"seed {seed}: {exc!r}")

    # What is started.

    async def _talk(self, drawn: "_Drawn", group: asyncio.TaskGroup) -> Talk:
        webs = self._deployment.webs
        here, there = (webs[drawn.web].port, webs[1 - drawn.web].port)
        run_id = await start(here, drawn.name, {"n": drawn.n}, secrets.token_hex(16))
        readers = [Reader(there, run_id), Reader(there, run_id), Reader(here, run_id)]
        tasks = [
            group.create_task(read_through(reader, way))
            for reader, way in zip(readers, WAYS, strict=True)
        ]
        talk = Talk(name=drawn.name, n=drawn.n, run_id=run_id, readers=readers, tasks=tasks)
        if drawn.name == "ask":
            talk.answered = await _answer(there, talk, drawn.n)
        if drawn.n == ENDLESS:
            await readers[0].has_news.wait()
            await asyncio.sleep(drawn.pause)
            await _until_told(there, f"/runs/{run_id}/cancel", None, {200})
        await asyncio.gather(*tasks)
        return talk

    # What breaks.

    async def _break(self, random: Random) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(random.randint(1, 3)):
                name = random.choice([*FAULTS])
                self.figures.faults[name] = self.figures.faults.get(name, 0) + 1
                pause, fault = random.random() * 0.8, FAULTS[name](self._deployment, random)
                group.create_task(_later(pause, fault))

    # What must hold.

    async def _check(self, talks: list[Talk]) -> None:
        noted = self._deployment.noted()
        for talk in talks:
            begun = [number for *what, number in noted if what == ["started", talk.run_id]]
            await self._check_same(talk)
            self._check_one(talk, begun)
            self.figures.runs += 1
            self.figures.completed += talk.outcome == "done"
            self.figures.cancelled += talk.outcome == "cancelled"
            self.figures.interrupted += talk.outcome == "INTERRUPTED"
            self.figures.restarted += sum(kind == "restarted" for _, kind, _ in talk.log)

    def _check_one(self, talk: Talk, begun: list[int]) -> None:
        log, restarts = talk.log, [d["attempt"] for _, kind, d in talk.log if kind == "restarted"]
        what = f"{talk.name} {talk.run_id}"
        assert restarts == [*range(2, len(restarts) + 2)], f"{what} restarts {restarts}"
        # Not in order: a worker can sleep between its claim and the start of the action.
        assert len(begun) == len({*begun}), f"{what}: an attempt was begun twice: {begun}"
        assert set(begun) <= {1, *restarts}, f"{what}: an attempt that the log has not"
        assert not (restarts and talk.name == "once"), f"{what} was restarted"
        ends = {"cancelled" if talk.n == ENDLESS else "done"}
        if talk.name == "once" or talk.n == ENDLESS:
            ends.add("INTERRUPTED")  # also of a run that was asked to stop: it is not tried again
        assert talk.outcome in ends, f"{what} ended as {log[-1]}"
        if talk.outcome == "done":
            check_values([event for event in log if event[1] not in {"question", "answer"}])
        if talk.name == "ask":
            answers = {each["value"] for _, kind, each in log if kind == "answer"}
            assert answers == {talk.answered}, f"{what}: {answers}, not {talk.answered}"
            assert log[-1][2]["result"] == talk.answered, f"{what} ended as {log[-1]}"

    async def check_all(self) -> None:
        """Check that no log has changed since its end: no zombie has written to one."""
        for talk in self._over:
            try:
                await self._check_same(talk)
            except Exception as exc:  # noqa: BLE001 - every violation is noted
                self.figures.violations.append(f"later: {exc!r}")
        self._over.clear()

    async def _check_same(self, talk: Talk) -> None:
        again = [Reader(web.port, talk.run_id) for web in self._deployment.webs]
        logs = [reader.log for reader in talk.readers]
        logs += await asyncio.gather(*(read_through(reader, poll) for reader in again))
        assert all(log == talk.log for log in logs), f"readers of {talk.run_id} differ"


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A run to start: which action, how far, through which web process."""

    name: str
    n: int
    web: int
    pause: float


def _drawn(random: Random) -> list[_Drawn]:
    def one(name: str, n: int) -> _Drawn:
        return _Drawn(name=name, n=n, web=random.randrange(2), pause=random.random() * 0.8)

    return [
        one("once", random.randint(30, 90)),
        one("again", random.randint(30, 90)),
        one("ask", random.randint(20, 60)),
        one(random.choice(["once", "again"]), ENDLESS),
    ]


async def _later(pause: float, work: Awaitable[None]) -> None:
    await asyncio.sleep(pause)
    await work


async def _answer(port: int, talk: Talk, value: int) -> int:
    """Answer the run's question, when its reader has seen it, and return the answer that counts."""
    reader = talk.readers[0]
    async with asyncio.timeout(SOON):
        while not any(kind == "question" for _, kind, _ in reader.log):  # noqa: ASYNC110 - it grows
            await asyncio.sleep(PAUSE)
    (question, *_) = [data["id"] for _, kind, data in reader.log if kind == "question"]
    await _until_told(port, f"/runs/{talk.run_id}/questions/{question}", value, {200})
    return value


async def _until_told(port: int, path: str, value: object, wanted: set[int]) -> None:
    """Send a request with the same key until it is answered."""
    data = post(path, value, {"Idempotency-Key": secrets.token_hex(16)})
    while True:
        try:
            answer = await patiently(fetch(port, data))
        except (Broken, TimeoutError):
            await asyncio.sleep(PAUSE)
            continue
        if answer.status in {502, 503}:
            await asyncio.sleep(PAUSE)
            continue
        assert answer.status in wanted, f"{path} was answered {answer}"
        return


# The faults.


async def _kill_worker(deployment: Deployment, random: Random) -> None:
    worker = random.choice(deployment.workers)
    worker.kill()
    await asyncio.sleep(random.random() * 0.3)
    worker.start()  # unless it was, by the same fault again


async def _sleep(deployment: Deployment, random: Random) -> None:
    worker = random.choice(deployment.workers)
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(SLEEP)
    worker.signal(signal.SIGCONT)


async def _restart_store(deployment: Deployment, _: Random) -> None:
    deployment.store.restart()  # here: a server ends with the thread that starts it


async def _kill_web(deployment: Deployment, random: Random) -> None:
    web = random.choice(deployment.webs)
    web.kill()
    web.start()
    await web.wait_until_listening()


async def _silence(line: Line, seconds: float) -> None:
    line.freeze()
    await asyncio.sleep(seconds)
    line.thaw()


async def _silence_worker(deployment: Deployment, random: Random) -> None:
    await _silence(random.choice(deployment.workers).line, SLEEP)


async def _silence_web(deployment: Deployment, random: Random) -> None:
    await _silence(random.choice(deployment.web_lines), 0.2 + random.random())


def _any_line(deployment: Deployment, random: Random) -> Line:
    lines = [*deployment.web_lines, *(worker.line for worker in deployment.workers)]
    return random.choice(lines)


async def _cut(deployment: Deployment, random: Random) -> None:
    _any_line(deployment, random).cut()


async def _slow(deployment: Deployment, random: Random) -> None:
    line = _any_line(deployment, random)
    line.delay = 0.03
    await asyncio.sleep(0.6)
    line.delay = 0.0


FAULTS: Final[dict[str, Callable[[Deployment, Random], Awaitable[None]]]] = {
    "a worker is killed": _kill_worker,
    "a worker sleeps longer than its lease": _sleep,
    "the store is restarted": _restart_store,
    "a web process is killed": _kill_web,
    "the line of a worker is silent": _silence_worker,
    "the line of a web process is silent": _silence_web,
    "a line is cut": _cut,
    "a line is slow": _slow,
}


# All of it.


async def play_on(
    store: Store,
    folder: Path,
    seeds: Sequence[int],
    tell: Callable[[Figures], None] = lambda _: None,
) -> Figures:
    """Play a schedule of each seed over a server, and return what happened."""
    async with Deployment(store, folder) as deployment:
        schedules = Schedules(deployment)
        for number, seed in enumerate(seeds, 1):
            await schedules.play(seed)
            tell(schedules.figures)
            if number % BURST == 0 or number == len(seeds):
                await schedules.check_all()
    return schedules.figures


async def time_cancels(store: Store, folder: Path, count: int) -> list[float]:
    """Cancel that many runs through the other web process; return the seconds that each took.

    They are counted from the request to the terminal event, as a reader gets it.
    """
    async with Deployment(store, folder) as deployment:
        gate = asyncio.Semaphore(AT_A_TIME)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_timed(deployment, gate)) for _ in range(count)]
    return sorted(task.result() for task in tasks)


async def _timed(deployment: Deployment, gate: asyncio.Semaphore) -> float:
    here, there = deployment.webs
    loop = asyncio.get_running_loop()
    async with gate, asyncio.TaskGroup() as group:
        run_id = await start(here.port, "once", {"n": ENDLESS}, secrets.token_hex(16))
        reader = Reader(there.port, run_id)
        reading = group.create_task(read_through(reader, read_events))
        await reader.has_news.wait()
        asked = loop.time()
        await _until_told(there.port, f"/runs/{run_id}/cancel", None, {200})
        log = await reading
        assert log[-1][1] == "cancelled", log[-1]
        return loop.time() - asked
