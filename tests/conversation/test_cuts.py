"""Readers whose connections break in every way, and what they have read in the end.

Each schedule starts one run through proxies that cut, freeze, lose, delay and repeat, and
reads it three times: as server-sent events, as NDJSON and by polling. What a reader keeps is
whatever came, over all of its connections, without looking for repeats.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic_core import from_json

from tests.conftest import Serve
from tests.support.chaos import ChaosProxy, random_script
from tests.support.long import amount
from tests.support.wire import Answer, Broken, exchange, fetch, post, request
from yieldwire import Actions, Result, Timing

AT_A_TIME = 20
EVENTS = 40
PATIENCE = 0.4
"""Seconds without a byte after which a reader takes its connection for dead."""

Log = list[tuple[int, str, Any]]
TERMINAL = {"done", "error", "cancelled"}


def chunks_of(seed: int) -> list[str]:
    """Return what a run of this seed yields: texts of many sizes, with what frames are made of."""
    random = Random(seed)  # noqa: S311 - repeatable, and no secret
    return [
        random.choice(["a", "line\nbreak\n\n", "\r\n", "ü€😀", "id: 1\ndata: x"])
        * random.randint(1, 40)
        for _ in range(EVENTS)
    ]


def log_of(seed: int) -> Log:
    chunks = [(seq, "chunk", text) for seq, text in enumerate(chunks_of(seed), 1)]
    return [*chunks, (EVENTS + 1, "done", {"result": seed})]


class Reader:
    """One reader of one run, through a proxy of its own."""

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.seed = port, seed
        self.run_id: str | None = None
        self.log: Log = []

    @property
    def seq(self) -> int:
        return self.log[-1][0] if self.log else 0

    @property
    def has_ended(self) -> bool:
        return bool(self.log) and self.log[-1][1] in TERMINAL

    def start(self, **headers: str) -> bytes:
        # The key lets each of them start the run, and any of them do it again.
        key = {"Idempotency-Key": f"schedule-{self.seed:020}"}
        return post("/speak", {"seed": self.seed}, key | headers)

    async def read(self, connect: Callable[["Reader"], Awaitable[None]]) -> Log:
        while not self.has_ended:
            try:
                await connect(self)
            except (Broken, TimeoutError):
                continue
        return self.log


async def patiently(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(PATIENCE):
            piece = await anext(pieces, b"")
        if not piece:
            return
        yield piece


async def read_events(reader: Reader) -> None:
    """Server-sent events: the same POST again, with the cursor of the last whole frame."""
    headers = {"Accept": "text/event-stream"}
    if reader.run_id is not None:
        headers["Last-Event-ID"] = f"{reader.run_id}.{reader.seq}"
    async with asyncio.timeout(5), exchange(reader.port, reader.start(**headers)) as response:
        assert response.status == 200
        rest = b""
        async for piece in patiently(response.pieces()):
            *frames, rest = (rest + piece).split(b"\n\n")
            for frame in frames:
                take_frame(reader, frame.decode())


def take_frame(reader: Reader, frame: str) -> None:
    fields = dict(line.split(": ", 1) for line in frame.split("\n") if not line.startswith(":"))
    if "id" not in fields:
        return
    run_id, seq, *_ = fields["id"].split(".")
    if fields.get("event") == "run":
        assert reader.run_id in {None, run_id}
        assert int(seq) == reader.seq
        reader.run_id = run_id
    else:
        reader.log.append((int(seq), fields.get("event", "chunk"), from_json(fields["data"])))


async def read_lines(reader: Reader) -> None:
    """NDJSON: started with a POST, gone on with by the run's id and the last seq."""
    accept = {"Accept": "application/x-ndjson"}
    path = f"/runs/{reader.run_id}/events?after={reader.seq}"
    data = request("GET", path, accept) if reader.run_id else reader.start(**accept)
    async with asyncio.timeout(5), exchange(reader.port, data) as response:
        assert response.status == 200
        reader.run_id = response.headers["run-id"]
        rest = b""
        async for piece in patiently(response.pieces()):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                event = from_json(line)
                reader.log.append((event["seq"], event["type"], event["data"]))


async def poll(reader: Reader) -> None:
    """Polling: one answer at a time, each with what came after the last."""
    if reader.run_id is None:
        started = await within(fetch(reader.port, reader.start(Prefer="respond-async")))
        assert started.status == 202
        reader.run_id = started.json()["id"]
    path = f"/runs/{reader.run_id}?after={reader.seq}&wait=0.1"
    answer = await within(fetch(reader.port, request("GET", path)))
    assert answer.status == 200
    reader.log += [(each["seq"], each["type"], each["data"]) for each in answer.json()["events"]]


async def within(work: Awaitable[Answer]) -> Answer:
    return await asyncio.wait_for(work, 1)


@pytest.mark.parametrize(
    ("store", "seeds"),
    [
        ("memory", range(amount(40, long=100))),
        ("sqlite:///{}/runs.db", range(200, amount(215, long=230))),
    ],
    ids=["memory", "sqlite"],
)
@pytest.mark.timeout(300)  # six hundred readers, who are patient for less than a second each
async def test_no_reader_sees_a_gap_or_a_repeat_however_its_connections_break(
    serve: Serve, tmp_path: Path, store: str, seeds: Iterable[int]
) -> None:
    started: Counter[int] = Counter()
    actions = Actions(store=store.format(tmp_path), timing=Timing(keepalive=0.1), max_runs=None)

    @actions.action
    async def speak(seed: int) -> AsyncIterator[str | Result[int]]:
        started[seed] += 1
        for number, text in enumerate(chunks_of(seed)):
            yield text
            await asyncio.sleep(0.005 if number % 4 == 0 else 0)
        yield Result(seed)

    server = serve(actions)
    slots = asyncio.Semaphore(AT_A_TIME)

    async def play(seed: int) -> list[Log]:
        async with slots, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(read_through(server.port, seed, connect))
                for connect in (read_events, read_lines, poll)
            ]
        return [task.result() for task in tasks]

    async with asyncio.TaskGroup() as group:
        plays = {seed: group.create_task(play(seed)) for seed in seeds}
    broken = {seed: logs for seed in plays if (logs := plays[seed].result()) != [log_of(seed)] * 3}

    assert broken == {}, f"schedules {sorted(broken)}"
    assert started == Counter(seeds)


async def read_through(port: int, seed: int, connect: Callable[[Reader], Awaitable[None]]) -> Log:
    name = f"{connect.__name__} {seed}"
    script = random_script(name, connections=seed % 5 + 1, size=6000)
    async with ChaosProxy(port, script) as proxy:
        try:
            return await Reader(proxy.port, seed).read(connect)
        except AssertionError as exc:
            exc.add_note(f"in the schedule {name!r}")
            raise
