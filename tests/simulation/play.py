"""One simulation: what happens is drawn from a seed, what must hold is checked at its end."""

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final, cast

from pydantic_core import from_json

from tests.simulation.acting import CANCEL_WITHIN, KEEP, RETRIES, TIME_LIMIT, TIMING, Process
from tests.simulation.link import SLOWEST, Link, SharedClock, Witness
from tests.support.runs import tasks_of_runs
from tests.support.virtual import run_virtually
from yieldwire.errors import Conflict, ForeignCursor, NotFound
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest

RUNS: Final = 8
DURATION: Final = 40.0
"""Seconds, of virtual time, in which things happen."""
AFTERWARDS: Final = 300.0
"""Seconds after which every run must have ended: three attempts at the longest action."""
BREAK: Final = 3 * TIMING.lease
"""The longest break of a link."""
STOPS_WITHIN: Final = BREAK + TIMING.lease + 2 * TIMING.sweep_every + CANCEL_WITHIN + 20 * SLOWEST

Log = list[Event]


@dataclass(eq=False)
class View:
    """What one reader has received, over all of its connections."""

    run_id: str
    log: Log = field(default_factory=list)
    is_over: bool = False
    was_overtaken: bool = False

    @property
    def seq(self) -> int:
        return self.log[-1].seq if self.log else 0


class Play:
    """The players of one simulation."""

    def __init__(self, seed: int, store: type[Witness]) -> None:
        self.random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self.disturbance = Random(f"{seed} disturbance")  # noqa: S311 - as above
        self.loop = asyncio.get_running_loop()
        self.clock = SharedClock(self.loop)
        self.store = store(self.loop, self.clock)
        self.started: Counter[str] = Counter()
        self.links = [Link(self.store, Random(f"{seed} {n}")) for n in range(2)]  # noqa: S311
        self.processes = [Process(link, self.clock, self.started) for link in self.links]
        self.views: list[View] = []
        self.asked_to_stop: dict[str, float] = {}

    def process(self) -> Process:
        return self.random.choice(self.processes)

    async def nap(self, longest: float) -> None:
        await asyncio.sleep(self.random.random() * longest)

    async def run(self) -> None:
        for process in self.processes:
            await process.app.open()
        async with asyncio.TaskGroup() as group:
            for number in range(RUNS):
                group.create_task(self.start(number, group))
            group.create_task(self.break_links())
            group.create_task(self.set_clocks())
            group.create_task(self.cancel_tasks())
            group.create_task(self.give_up_starts())
        await asyncio.sleep(AFTERWARDS)
        await self.check()
        for process in self.processes:
            await process.app.close()

    async def start(self, number: int, group: asyncio.TaskGroup) -> None:
        await self.nap(DURATION / 2)
        names = [action.name for action in self.processes[0].app.registry.actions]
        name = self.random.choice([*names, "count_again", "count_again"])
        n = self.random.choice([0, 1, 5, 20, 40])
        data = {"n": n, "pause": self.random.choice([0.0, 0.01, 0.3, 1.0])}
        detached = self.random.random() < 0.3
        key = self.random.choice([None, f"key-{number:022}"])
        starts = 1 if key is None else self.random.choice([1, 2, 3])
        made = await asyncio.gather(
            *(self.create(name, data, key, detached=detached) for _ in range(starts))
        )
        assert len(set(made)) == 1, "one key has begun several runs"
        run_id = made[0]
        if self.random.random() < 0.3:
            self.deliver_again(run_id)
        for _ in range(self.random.choice([0, 1, 2, 3])):
            view = View(run_id)
            self.views.append(view)
            group.create_task(self.read(view))
        if self.random.random() < 0.4:
            group.create_task(self.cancel(run_id))

    def deliver_again(self, run_id: str) -> None:
        """Tell every process of a pending run, as a queue can that delivers at least once."""
        for process in self.processes:
            cast("Any", process.app).lifetime.current.worker.begin(run_id)

    async def create(
        self, name: str, data: dict[str, Any], key: str | None, *, detached: bool
    ) -> str:
        app = self.process().app
        action = app.registry.action_named(name)
        request = StartRequest(
            action=action, caller=Caller(), data=data, key=key, detached=detached
        )
        return (await app.begin(request)).id

    async def read(self, view: View) -> None:
        """Come and go, each time behind the last event and at any process."""
        while not view.is_over:
            await self.nap(self.random.choice([0.0, 0.5, 4.0]))
            reader = self.process().app.reader(view.run_id)
            events = self.random.choice([1, 5, 1000])
            try:
                async with aclosing(reader.pages(view.seq, tick=TIMING.keepalive)) as pages:
                    async for page in pages:
                        for block in page:
                            self.take(view, block)
                        if view.is_over or len(view.log) > events:
                            break
                    else:
                        assert view.is_over, "the pages ended before the run did"
            except NotFound:
                view.is_over = view.was_overtaken = True

    def take(self, view: View, block: Block) -> None:
        for event in block.events():
            view.log.append(event)
            view.is_over = event.is_terminal

    async def cancel(self, run_id: str) -> None:
        await self.nap(self.random.choice([0.1, 3.0, DURATION / 2]))
        for _ in range(self.random.choice([1, 1, 2])):
            try:
                run = await self.process().app.cancel(run_id)
            except NotFound:
                return
            if not run.status.is_terminal:
                self.asked_to_stop.setdefault(run_id, self.loop.time())
                assert run.cancel_reason is not None
            await self.nap(1.0)
            if self.random.random() < 0.3:
                try:
                    await self.process().app.delete(run_id)
                except (Conflict, NotFound):
                    continue

    async def break_links(self) -> None:
        for _ in range(self.random.choice([0, 1, 3, 6])):
            await self.nap(DURATION / 4)
            await self.random.choice(self.links).break_for(self.random.random() * BREAK)

    async def set_clocks(self) -> None:
        while self.loop.time() < 1_000 + DURATION:
            await self.nap(DURATION / 2)
            self.clock.offset += self.random.choice([-86_400.0, 3_600.0, 10_000_000.0])

    async def cancel_tasks(self) -> None:
        """Cancel the tasks of runs, as a library or a host application can."""
        random = self.disturbance
        for _ in range(random.choice([0, 0, 2, 10])):
            await asyncio.sleep(random.random() * DURATION / 5)
            if tasks := tasks_of_runs():
                task = random.choice(tasks)
                for _ in range(random.choice([1, 1, 3])):
                    task.cancel()
                    await asyncio.sleep(random.choice([0.0, SLOWEST]))

    async def give_up_starts(self) -> None:
        """Cancel starts on their way; what they left is what the check finds."""
        random = self.disturbance
        for number in range(random.choice([0, 2, 5])):
            await asyncio.sleep(random.random() * DURATION / 5)
            key = random.choice([None, f"given-up-{number:022}"])
            create = partial(self.create, "hurry", {"n": 5, "pause": 0.3}, key, detached=False)
            async with asyncio.TaskGroup() as group:
                starting = group.create_task(create())
                await asyncio.sleep(random.random() * 4 * SLOWEST)
                starting.cancel()
            if key is not None:
                again = {await create() for _ in range(2)}
                assert len(again) == 1, "one key has begun two runs"
                assert starting.cancelled() or starting.result() in again, "a key was forgotten"

    # What must hold.

    async def check(self) -> None:
        everything = await self.store.everything()
        for run, blocks in everything.values():
            log = [event for block in blocks for event in block.events()]
            self.check_log(run, blocks, log)
            self.check_starts(run, log)
            self.check_values(run, log)
            await self.check_resuming(run, log)
        for view in self.views:
            self.check_view(view, *everything[view.run_id])
        for run_id, asked in self.asked_to_stop.items():
            assert self.store.ended[run_id] - asked <= STOPS_WITHIN, "C3: stopped too late"

    def check_log(self, run: RunRecord, blocks: list[Block], log: Log) -> None:
        assert run.status.is_terminal, f"X4, T1: {run.action} is {run.status}"
        assert [event.seq for event in log] == [*range(run.first_seq, run.seq + 1)], "E1"
        assert [event.seq for event in log if event.is_terminal] == [run.seq], "E3"
        assert advance(Status.RUNNING, log[-1].type) is run.status, "E4"
        assert run.keep is None or len(log) >= min(KEEP, run.seq)
        assert blocks[-1].end is log[-1].type

    def check_starts(self, run: RunRecord, log: Log) -> None:
        allowed = 1 + (RETRIES if run.action == "count_again" else 0)
        restarts = sum(event.type is EventType.RESTARTED for event in log)
        assert self.started[run.id] <= min(allowed, run.attempt), "X1, X2, C5"
        assert restarts <= RETRIES, "X2: too many attempts"
        if restarts:
            assert run.attempt in {restarts, restarts + 1}, "X2: an attempt that the log has not"

    def check_values(self, run: RunRecord, log: Log) -> None:
        """What an action yields is in its log in order, nothing twice, for each attempt."""
        expected = None if run.first_seq > 1 else 0
        for event in log:
            if event.type is EventType.RESTARTED:
                expected = 0
            elif event.type is EventType.CHUNK and run.action != "change":
                value = number_in(event)
                assert expected in {None, value}, "E1: a chunk is missing, or there twice"
                expected = value + 1
        if run.status is Status.COMPLETED and run.action in {"count", "push"}:
            assert from_json(log[-1].data) == {"result": expected}
        code = None if run.status is Status.COMPLETED else from_json(log[-1].data)["code"]
        assert code in {None, "CANCELLED", "TIMEOUT", "INTERRUPTED", "BROKEN"}, code
        assert code != "TIMEOUT" or run.timeout == TIME_LIMIT

    async def check_resuming(self, run: RunRecord, log: Log) -> None:
        if run.id in self.store.purged:
            return
        for after in range(run.first_seq - 1, run.seq + 1):
            page = await self.store.read(run.id, after, max_bytes=10**9)
            assert [event for block in page for event in block.events()] == [
                event for event in log if event.seq > after
            ], "R1"
        try:
            await self.store.read(run.id, run.seq + 1)
        except ForeignCursor:
            return
        raise AssertionError("R3: a foreign cursor was answered")

    def check_view(self, view: View, run: RunRecord, blocks: list[Block]) -> None:
        log = [event for block in blocks for event in block.events()]
        if run.keep is not None:
            # Trimming can overtake a reader; what it was given is in order and true.
            seqs = [event.seq for event in view.log]
            assert seqs == sorted(set(seqs)), "E5"
            assert set(view.log) >= {e for e in log if e.seq in seqs}, "E2"
            return
        assert view.log == log[: len(view.log)], "E5: a reader has not read the log's beginning"
        assert view.was_overtaken or len(view.log) == len(log), "E5: a reader misses the end"


def number_in(event: Event) -> int:
    value = event.value
    number: int = value["value"] if isinstance(value, dict) else value
    return number


def simulate(seed: int, store: type[Witness] = Witness) -> None:
    """Play one seed, over a store that can have a fault.

    Raises:
        AssertionError: If a promise was broken; the message says which.
    """

    async def program() -> None:
        await Play(seed, store).run()

    run_virtually(program(), seed=seed)
