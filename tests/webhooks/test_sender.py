"""Deliveries are sent at least once, on schedule, whatever fails and whatever crashes."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from itertools import chain, cycle, pairwise, repeat
from typing import Any, Final, Self, TypeVar, cast

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.receiver import SECRET, Receiver, resolve
from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire.errors import StoreError
from yieldwire.log.delivery import Delivery
from yieldwire.log.run import RunRecord
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing.contract.harness import finished
from yieldwire.webhooks import SCHEDULE, Webhook
from yieldwire.webhooks.known import KnownWebhooks
from yieldwire.webhooks.sender import JITTER, PER_URL, Sender

T = TypeVar("T")

URL: Final = "https://receiver.example/hook"
SWEEP: Final = 0.5
DAY: Final = 86_400.0
QUICK: Final = Webhook(URL, SECRET, schedule=[1.0] * 20)


class Mortal(MemoryStore):
    """A store as one process sees it: after its death, nothing of what it does is done."""

    def __init__(self, store: MemoryStore) -> None:
        self.store, self.is_dead = store, False

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        self._check()
        return await self.store.due(limit=limit, lease=lease, without=without)

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        self._check()
        await self.store.settle(delivery, failure=failure, again_in=again_in)

    def _check(self) -> None:
        if self.is_dead:
            raise StoreError("the process was killed")


class Machine:
    """Processes that send what one store keeps, each with its own sweeps."""

    def __init__(
        self,
        answers: Iterator[int | Exception],
        hook: Webhook | None = QUICK,
        sweep_every: float = SWEEP,
    ) -> None:
        self._sweep_every = sweep_every
        self.loop = cast("VirtualLoop", asyncio.get_running_loop())
        self.store = MemoryStore(clock=self.loop.clock)
        self.receiver = Receiver(answers, self.loop.time)
        self.known = KnownWebhooks([] if hook is None else [hook], None)
        self._group = asyncio.TaskGroup()
        self.processes: list[tuple[Mortal, asyncio.Task[None]]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for _store, task in self.processes:
            task.cancel()
        await self._group.__aexit__(None, None, None)

    def begin(self) -> None:
        """Start a process."""
        mortal = Mortal(self.store)
        task = self._group.create_task(self._live(mortal))
        self.processes.append((mortal, task))

    async def _live(self, store: Mortal) -> None:
        clock = self.loop.clock
        sender = Sender(store, self.known, clock, self.receiver.http, resolve)
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.work())
            while True:
                await asyncio.sleep(self._sweep_every)
                sender.wake()

    def stop(self) -> None:
        """Stop a process."""
        _store, task = self.processes.pop()
        task.cancel()

    def kill(self) -> None:
        """End a process, so that it records nothing more."""
        self.processes[-1][0].is_dead = True
        self.stop()

    async def end_run(self) -> RunRecord:
        """Create a run that has ended, and has a webhook."""
        return await finished(self.store, webhooks=(URL,))


def virtually(program: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(program())


async def times_of(machine: Machine, seconds: float) -> list[float]:
    began = machine.loop.time()
    await machine.end_run()
    await asyncio.sleep(seconds)
    return [sent.at - began for sent in machine.receiver.sent]


def test_failed_deliveries_are_sent_again_as_standard_webhooks_advises() -> None:
    async def program() -> tuple[list[float], Machine, Sequence[Delivery]]:
        async with Machine(repeat(503), Webhook(URL, SECRET), sweep_every=60.0) as machine:
            machine.begin()
            times = await times_of(machine, 4 * DAY)
            return times, machine, await machine.store.dead_letters(limit=10)

    times, machine, dead = virtually(program)

    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(pauses) == len(SCHEDULE)
    for pause, wanted in zip(pauses, SCHEDULE, strict=True):
        assert wanted <= pause <= wanted * (1 + JITTER) + 60.0
    assert len({sent.id for sent in machine.receiver.sent}) == 1
    assert [(each.failure, each.tries) for each in dead] == [("HTTP 503", len(SCHEDULE) + 1)]


def test_each_try_is_signed_with_its_own_time() -> None:
    async def program() -> list[int]:
        async with Machine(iter([500, 500]), Webhook(URL, SECRET)) as machine:
            machine.begin()
            await times_of(machine, 600.0)
            return [int(sent.headers["webhook-timestamp"]) for sent in machine.receiver.sent]

    first, second, third = virtually(program)

    assert 5 <= second - first <= 7
    assert 300 <= third - second <= 332


def test_what_was_delivered_is_not_sent_again() -> None:
    async def program() -> tuple[list[float], Sequence[Delivery]]:
        async with Machine(iter([500, 204])) as machine:
            machine.begin()
            return await times_of(machine, 600.0), await machine.store.dead_letters(limit=1)

    times, dead = virtually(program)

    assert (len(times), [*dead]) == (2, [])


def test_a_receiver_that_is_gone_is_sent_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> tuple[list[float], Sequence[Delivery]]:
        async with Machine(repeat(410)) as machine:
            machine.begin()
            return await times_of(machine, 3600.0), await machine.store.dead_letters(limit=1)

    times, (dead,) = virtually(program)

    assert (len(times), dead.failure) == (1, "HTTP 410")
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert told == ["a webhook was given up after 1 tries: https://receiver.example/…: HTTP 410"]


def test_a_webhook_that_is_no_longer_declared_is_given_up() -> None:
    async def program() -> tuple[list[float], Sequence[Delivery]]:
        async with Machine(repeat(204), None) as machine:
            machine.begin()
            return await times_of(machine, 60.0), await machine.store.dead_letters(limit=1)

    times, (dead,) = virtually(program)

    assert times == []
    assert dead.failure == "the application has no webhook for this URL"


def test_a_receiver_that_names_a_pause_is_given_it() -> None:
    async def program() -> list[float]:
        busy = httpx2.Response(429, headers={"retry-after": "120"})
        async with Machine(cast("Iterator[int | Exception]", iter([busy]))) as machine:
            machine.begin()
            return await times_of(machine, 600.0)

    first, second = virtually(program)

    assert second - first >= 120


def test_a_dead_letter_can_be_sent_once_more() -> None:
    async def program() -> tuple[int, Sequence[Delivery]]:
        async with Machine(iter([410])) as machine:
            machine.begin()
            await times_of(machine, 10.0)
            (dead,) = await machine.store.dead_letters(limit=1)
            await machine.store.settle(dead, failure=dead.failure, again_in=0.0)
            await asyncio.sleep(10.0)
            return len(machine.receiver.sent), await machine.store.dead_letters(limit=1)

    sent, dead = virtually(program)

    assert (sent, [*dead]) == (2, [])


class Silent(Receiver):
    """Accepts requests to one host, and answers none of them."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if request.headers["host"] == "slow.example":
            await asyncio.Event().wait()
        return response


def test_a_slow_receiver_does_not_hold_back_others() -> None:
    slow = Webhook("https://slow.example", SECRET)

    async def program() -> float:
        async with Machine(repeat(204)) as machine:
            machine.receiver = Silent(repeat(204), machine.loop.time)
            machine.known = KnownWebhooks([slow, QUICK], None)
            for _ in range(10 * PER_URL):
                await finished(machine.store, webhooks=(slow.url,))
            machine.begin()
            await asyncio.sleep(1.0)
            run = await machine.end_run()
            began = machine.loop.time()
            await asyncio.sleep(10.0)
            sent = machine.receiver.sent
            (at,) = [each.at for each in sent if each.id.startswith(run.id)]
            return at - began

    assert virtually(program) <= SWEEP


def test_a_store_that_fails_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async def program() -> tuple[int, int]:
        async with Machine(repeat(204)) as machine:
            machine.begin()
            await machine.end_run()
            ((store, _),) = machine.processes
            store.is_dead = True
            await asyncio.sleep(60.0)
            before = len(machine.receiver.sent)
            store.is_dead = False
            await asyncio.sleep(SWEEP)
            return before, len(machine.receiver.sent)

    assert virtually(program) == (0, 1)
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in told] == [
        "webhooks wait, because the store failed: the process was killed"
    ]


def test_two_processes_send_each_delivery_once() -> None:
    async def program() -> tuple[int, int]:
        async with Machine(cycle([500, 204])) as machine:
            machine.begin()
            machine.begin()
            runs = [await machine.end_run() for _ in range(50)]
            await asyncio.sleep(600.0)
            delivered = [each.id for each in machine.receiver.sent]
            return len({*delivered}), len(runs)

    ids, runs = run_virtually(program())

    assert ids == runs


STEPS: Final = st.lists(
    st.sampled_from(["end", "wait", "wait long", "kill", "stop", "begin"]), min_size=1, max_size=25
)
ANSWERS: Final = st.lists(st.sampled_from([204, 500, 503, "break", "hang"]), max_size=8)


class Unreliable(Receiver):
    """Answers, breaks the connection or keeps silent, and knows which messages it has accepted."""

    def __init__(self, answers: Iterator[int | str], now: Callable[[], float]) -> None:
        super().__init__(now=now)
        self._answers, self.accepted = answers, set[str]()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await super().handle_async_request(request)
        answer = next(self._answers)
        await asyncio.sleep(0.7)  # many a kill comes meanwhile
        if answer == "break":
            raise httpx2.ReadError("reset", request=request)
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == 204:
            self.accepted.add(request.headers["webhook-id"])
        return httpx2.Response(int(answer))


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, answers=ANSWERS, seed=st.integers(0, 2**32))
def test_each_end_is_delivered_at_least_once_whatever_crashes(
    steps: list[str], answers: list[int | str], seed: int
) -> None:
    async def program() -> tuple[set[str], set[str], set[str]]:
        async with Machine(repeat(204)) as machine:
            receiver = Unreliable(chain(answers, repeat(204)), machine.loop.time)
            machine.receiver, ended = receiver, set[str]()
            machine.begin()
            for step in steps:
                match step:
                    case "end":
                        ended.add(f"{(await machine.end_run()).id}_1")
                    case "begin":
                        machine.begin()
                    case "kill" if machine.processes:
                        machine.kill()
                    case "stop" if machine.processes:
                        machine.stop()
                    case _:
                        await asyncio.sleep(40.0 if step == "wait long" else 0.4)
            while machine.processes:
                machine.kill()
            machine.begin()
            await asyncio.sleep(260.0)
            return ended, receiver.accepted, {each.id for each in receiver.sent}

    ended, accepted, sent = run_virtually(program(), seed=seed)

    assert accepted == ended
    assert sent == ended
