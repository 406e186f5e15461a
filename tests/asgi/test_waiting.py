"""Where a pending run waits, as its readers are told over every transport."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, TypeVar, cast

import pytest
from pydantic_core import from_json

from tests.stores.toy import Data, ToyStore
from tests.support.calls import Call, Stream, get, post, send, stream
from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire import Actions, Timing
from yieldwire.codecs.sse import SSEDecoder
from yieldwire.errors import StoreError
from yieldwire.log.run import RunRecord
from yieldwire.runs.standing import LOOK_EVERY
from yieldwire.stores.line import Line
from yieldwire.testing.contract.harness import chunks, ending

T = TypeVar("T")

EVENTS = [("accept", "text/event-stream")]
NDJSON = [("accept", "application/x-ndjson")]
KEEPALIVE = 15.0


class CountedStore(ToyStore):
    """Counts the looks at its queues, and can fail."""

    def __init__(self) -> None:
        loop = cast("VirtualLoop", asyncio.get_running_loop())
        super().__init__(Data(), loop.clock)
        self.looks: list[float] = []
        self.is_away = False

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        if self.is_away:
            raise StoreError("no answer")
        self.looks.append(asyncio.get_running_loop().time())
        return await super().line(queue, run_ids)


class Shop:
    """An application whose worker is the test."""

    def __init__(self) -> None:
        self.store = CountedStore()
        timing = Timing(keepalive=KEEPALIVE, sweep_every=3600.0)
        clock = cast("VirtualLoop", asyncio.get_running_loop()).clock
        self.actions = Actions(store=self.store, clock=clock, timing=timing)
        self.actions.action(queue="slow", retries=1, linger=None)(count)

    async def start(self, many: int = 1) -> list[str]:
        call = post("/count", headers=[("prefer", "respond-async")])
        ids = [(await send(self.actions, call)).json()["id"] for _ in range(many)]
        await asyncio.sleep(LOOK_EVERY)  # the answers have looked at the queue
        return ids

    async def start_later(self, action: str, seconds: float) -> str:
        start = self.actions.start.with_options(delay=seconds)
        return (await start(self.actions.app.registry.action_named(action))).id

    async def take(self) -> RunRecord:
        run = await self.store.take(["slow"], lease=1000.0)
        assert run is not None
        return await self.store.claim(run.id, lease=1000.0)

    async def finish(self, run: RunRecord, after: int = 0) -> None:
        block = ending(run.id, after + 1)
        await self.store.append(run.id, block, after=after, fence=run.fence)

    async def waiting(self, run_id: str) -> Any:  # noqa: ANN401 - JSON
        return (await send(self.actions, get(f"/runs/{run_id}"))).json()["waiting"]

    @asynccontextmanager
    async def reading(self, call: Call) -> AsyncGenerator[Stream, None]:
        async with stream(self.actions, call) as response:
            yield response


async def count() -> None:
    return


def place(before: int | None, expected: int | None = None, at: str | None = None) -> dict[str, Any]:
    return {"before": before, "expectedMs": expected, "notBefore": at}


def in_shop(test: Callable[[Shop], Awaitable[T]]) -> T:
    async def run() -> T:
        shop = Shop()
        async with shop.actions.lifespan():
            return await test(shop)

    return run_virtually(run())


def frames_in(body: bytes) -> list[Any]:
    """Return the states of an event stream, and the types of its other frames."""
    frames = [frame.split("\n") for frame in body.decode().split("\n\n") if frame]
    return [
        from_json(lines[-1].removeprefix("data: ")) if "event: run" in lines else lines[-1]
        for lines in frames
    ]


def test_a_stream_tells_where_its_run_waits_until_it_runs() -> None:
    async def follow(shop: Shop) -> tuple[str, bytes]:
        await shop.start(2)
        async with shop.reading(post("/count", headers=EVENTS)) as response:
            await asyncio.sleep(2.5)
            await shop.finish(await shop.take())
            await asyncio.sleep(2.0)
            await shop.take()
            await asyncio.sleep(2.0)
            mine = await shop.take()
            await asyncio.sleep(2.0)
            await shop.store.append(mine.id, chunks(mine.id, 1, 1), after=0, fence=mine.fence)
            await shop.finish(mine, 1)
            return mine.id, await response.rest()

    run_id, body = in_shop(follow)

    states, others = list[Any](), list[Any]()
    for frame in frames_in(body):
        (states if isinstance(frame, dict) else others).append(frame)
    assert [state["id"] for state in states] == [run_id] * len(states)
    assert [
        (state["status"], state["waiting"] and state["waiting"]["before"]) for state in states
    ] == [
        ("pending", 2),
        ("pending", 1),
        ("pending", 0),
        ("running", None),
    ]
    assert states[0]["waiting"]["expectedMs"] is None
    assert states[2]["waiting"]["expectedMs"] > 0
    assert others == ['data: {"type":"text","text":"chunk 1"}', "data: {}"]


def test_what_a_stream_tells_of_waiting_moves_no_cursor_and_is_in_no_log() -> None:
    async def follow(shop: Shop) -> tuple[bytes, RunRecord]:
        await shop.start(3)
        async with shop.reading(post("/count", headers=EVENTS)) as response:
            for _ in range(3):
                await asyncio.sleep(2.0)
                await shop.take()
            await asyncio.sleep(2.0)
            run = await shop.take()
            kept = await shop.store.get(run.id)
            await shop.finish(run)
            return await response.rest(), kept

    body, kept = in_shop(follow)

    decoder = SSEDecoder()
    ids = {line for line in body.decode().split("\n") if line.startswith("id: ")}
    assert ids == {f"id: {kept.id}.0", f"id: {kept.id}.1.00000"}
    assert [(event.seq, event.type) for event in decoder.feed(body)] == [(1, "done")]
    assert kept.seq == 0


def test_lines_of_json_tell_the_same() -> None:
    async def follow(shop: Shop) -> bytes:
        await shop.start()
        async with shop.reading(post("/count", headers=NDJSON)) as response:
            await asyncio.sleep(2.0)
            await shop.take()
            await asyncio.sleep(2.0)
            await shop.finish(await shop.take())
            return await response.rest()

    lines = [from_json(line) for line in in_shop(follow).splitlines()]

    told = [
        (line["type"], line["data"].get("status"), line["data"].get("waiting")) for line in lines
    ]
    assert told[0] == ("run", "pending", place(1))
    assert [(kind, waiting and waiting["before"]) for kind, _, waiting in told[1:]] == [
        ("run", 0),
        ("run", None),
        ("done", None),
    ]
    assert ["seq" in line for line in lines] == [False, False, False, True]


def test_a_text_says_nothing_of_it() -> None:
    async def follow(shop: Shop) -> bytes:
        async with shop.reading(post("/count", headers=[("accept", "text/plain")])) as response:
            await asyncio.sleep(3.0)
            await shop.finish(await shop.take())
            return await response.rest()

    assert in_shop(follow) == b""


def test_a_snapshot_tells_where_its_run_waits() -> None:
    async def poll(shop: Shop) -> list[Any]:
        first, second = await shop.start(2)
        told = [await shop.waiting(second)]
        await shop.take()
        await asyncio.sleep(LOOK_EVERY)
        told += [await shop.waiting(second), await shop.waiting(first)]
        await shop.take()
        return [*told, await shop.waiting(second)]

    first, second, running, also_running = in_shop(poll)

    assert first == place(1)
    assert (second["before"], second["expectedMs"]) == (0, 2000)  # one has left in two seconds
    assert running is also_running is None


def test_a_run_that_starts_later_says_when() -> None:
    async def poll(shop: Shop) -> tuple[Any, Any, bytes]:
        shop.actions.action(double)
        late = await shop.start_later("count", 60)
        alone = await shop.start_later("double", 60)
        told = await shop.waiting(late), await shop.waiting(alone)
        async with shop.reading(get(f"/runs/{late}/events")) as response:
            await asyncio.sleep(62)
            await shop.finish(await shop.take())
            return *told, await response.rest()

    queued, alone, body = in_shop(poll)

    assert queued == alone == place(None, None, alone["notBefore"])
    assert alone["notBefore"] is not None
    told = [frame["waiting"] for frame in frames_in(body) if isinstance(frame, dict)]
    assert told == [queued, place(0), None]


async def double() -> None:
    return


def test_a_poll_that_is_held_ends_when_the_run_has_moved() -> None:
    async def poll(shop: Shop) -> tuple[float, Any]:
        (_, run_id) = await shop.start(2)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            call = get(f"/runs/{run_id}?after=0&wait=50")
            answer = group.create_task(send(shop.actions, call))
            await asyncio.sleep(5.0)
            began = loop.time()
            await shop.take()
        return loop.time() - began, answer.result().json()["waiting"]["before"]

    took, before = in_shop(poll)

    assert took <= 2 * LOOK_EVERY
    assert before == 0


def test_a_snapshot_is_new_when_its_run_has_moved() -> None:
    async def poll(shop: Shop) -> list[int]:
        (_, run_id) = await shop.start(2)
        first = await send(shop.actions, get(f"/runs/{run_id}"))
        known = [("if-none-match", first.headers["etag"])]
        same = await send(shop.actions, get(f"/runs/{run_id}", known))
        await shop.take()
        await asyncio.sleep(LOOK_EVERY)
        return [same.status, (await send(shop.actions, get(f"/runs/{run_id}", known))).status]

    assert in_shop(poll) == [304, 200]


def test_a_queue_is_looked_at_once_a_second_for_all_readers() -> None:
    async def read(shop: Shop) -> tuple[list[float], int]:
        ids = await shop.start(20)
        async with asyncio.TaskGroup() as group:
            for run_id in ids:
                group.create_task(send(shop.actions, get(f"/runs/{run_id}/events")))
            for _ in range(10):
                await asyncio.sleep(1.0)
                for run_id in ids:
                    await shop.waiting(run_id)
            looks = list(shop.store.looks)
            for run_id in ids:
                await shop.actions.app.cancel(run_id)
        await asyncio.sleep(10.0)
        return looks, len(shop.store.looks) - len(looks)

    looks, afterwards = in_shop(read)

    assert 10 <= len(looks) <= 12
    assert min(later - earlier for earlier, later in pairwise(looks)) >= LOOK_EVERY
    assert afterwards <= 1


def test_a_store_that_is_away_hides_only_the_place() -> None:
    async def read(shop: Shop) -> tuple[Any, list[Any]]:
        (run_id,) = await shop.start()
        shop.store.is_away = True
        told = await shop.waiting(run_id)
        async with shop.reading(get(f"/runs/{run_id}/events")) as response:
            await asyncio.sleep(3.0)
            shop.store.is_away = False
            await asyncio.sleep(3.0)
            await shop.finish(await shop.take())
            return told, frames_in(await response.rest())

    told, frames = in_shop(read)

    assert told == place(None)
    assert [frame["waiting"] for frame in frames if isinstance(frame, dict)] == [
        place(None),
        place(0),
        None,
    ]


def test_a_run_that_restarts_waits_again() -> None:
    async def read(shop: Shop) -> list[Any]:
        (run_id,) = await shop.start()
        run = await shop.take()
        async with shop.reading(get(f"/runs/{run_id}/events")) as response:
            await asyncio.sleep(3.0)
            await shop.store.restart(run_id, fence=run.fence, delay=10.0)
            await asyncio.sleep(15.0)
            await shop.finish(await shop.take(), 1)
            return frames_in(await response.rest())

    frames = in_shop(read)

    told: list[Any] = [
        frame if isinstance(frame, str) else frame.get("waiting") for frame in frames
    ]
    assert told[:2] == [None, 'data: {"attempt":2,"keep":0}']
    assert told[2]["before"] is None
    assert told[2]["notBefore"] is not None
    assert told[3]["before"] == 0
    assert told[4:] == [None, "data: {}"]


def test_a_stream_that_waits_stays_quiet_between_changes() -> None:
    async def read(shop: Shop) -> bytes:
        (run_id,) = await shop.start()
        async with shop.reading(get(f"/runs/{run_id}/events")) as response:
            await asyncio.sleep(3 * KEEPALIVE - 1.0)
            await shop.actions.app.cancel(run_id)
            return await response.rest()

    body = in_shop(read)

    assert body.count(b"event: run") == 2  # where it waits, and that it does not any more
    assert body.count(b": keepalive") == 2


@pytest.mark.parametrize("ends", ["cancel", "leave"])
def test_nobody_looks_for_a_reader_that_has_left(ends: str) -> None:
    async def read(shop: Shop) -> int:
        (run_id,) = await shop.start()
        async with shop.reading(get(f"/runs/{run_id}/events")):
            await asyncio.sleep(3.0)
            if ends == "cancel":
                await shop.actions.app.cancel(run_id)
        await asyncio.sleep(2.0)
        before = len(shop.store.looks)
        await asyncio.sleep(10.0)
        return len(shop.store.looks) - before

    assert in_shop(read) == 0
