"""The times of a run's events are the same for every reader, however it reads."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic_core import from_json

from tests.support.calls import Fields, get, post, send, stream
from tests.support.world import ALICE, NDJSON, PAGE, SSE, TEXT, WHOLE, begun, ended, opened, world
from yieldwire import Actions

COUNT: Final = 40
"""More events than a store keeps as they were appended."""
STEP_MS: Final = 250

Log = list[tuple[int, int]]
"""The seq and the time of each event."""


class Skips:
    """Lets the time of the running event loop pass."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        true_time, self._skipped = loop.time, 0.0
        vars(loop)["time"] = lambda: true_time() + self._skipped

    def skip(self, ms: float) -> None:
        self._skipped += ms / 1000


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"


def counting(store: str) -> tuple[Actions, asyncio.Event]:
    """Return a site with an action and a trimmed feed that continue when the event is set."""
    actions, go, time = world(store=store), asyncio.Event(), Skips()

    async def numbers() -> AsyncIterator[int]:
        yield 0
        await go.wait()
        for number in range(1, COUNT):
            time.skip(STEP_MS)
            yield number
            await asyncio.sleep(0)

    @actions.action
    async def count() -> AsyncIterator[int]:
        async for number in numbers():
            yield number

    @actions.feed(keep=4)
    async def ticker() -> AsyncIterator[int]:
        async for number in numbers():
            yield number

    return actions, go


def times_in(lines: bytes) -> Log:
    """Return the times in a stream of lines, without its resets."""
    events = [from_json(line) for line in lines.splitlines()]
    return [(each["seq"], each["atMs"]) for each in events if each["type"] != "reset"]


async def replayed(site: Actions, run_id: str, query: str = "?times=1") -> bytes:
    return (await send(site, get(f"/runs/{run_id}/events{query}", ALICE))).body


async def polled(site: Actions, run_id: str) -> Log:
    events, cursor = list[Any](), "0"
    while True:
        answer = await send(site, get(f"/runs/{run_id}?after={cursor}&times=1", ALICE))
        snapshot = answer.json()
        events += snapshot["events"]
        cursor = snapshot["cursor"]
        if snapshot["retryAfterMs"] is None:
            return [(event["seq"], event["atMs"]) for event in events]


async def test_a_live_stream_a_replay_and_polls_have_the_same_times(store: str) -> None:
    actions, go = counting(store)
    async with opened(actions) as site:
        run_id = await begun(site, "count")
        async with stream(site, get(f"/runs/{run_id}/events?times=1", ALICE)) as live:
            first = await live.read()
            go.set()
            heard = times_in(first + await live.rest())

        replay = times_in(await replayed(site, run_id))
        rest = times_in(await replayed(site, run_id, "?times=true&after=7"))
        polls = await polled(site, run_id)
        snapshot = (await send(site, get(f"/runs/{run_id}", ALICE))).json()

    assert live.headers["content-type"] == "application/x-ndjson"
    assert [seq for seq, _ in heard] == [*range(1, COUNT + 2)]
    assert replay == polls == heard
    assert rest == heard[7:]
    assert 1000 * datetime.fromisoformat(snapshot["startedAt"]).timestamp() <= heard[0][1]
    assert all(at - before >= STEP_MS - 1 for (_, before), (_, at) in pairwise(heard[:COUNT]))


async def test_what_is_left_of_a_trimmed_feed_has_the_times_that_its_readers_saw(
    store: str,
) -> None:
    actions, go = counting(store)
    async with opened(actions) as site:
        run_id = (await send(site, get("/ticker", [("prefer", "respond-async")]))).json()["id"]
        async with stream(site, get(f"/runs/{run_id}/events?times=1")) as live:
            first = await live.read()
            go.set()
            heard = times_in(first + await live.rest())

        answer = await send(site, get(f"/runs/{run_id}/events?times=1&after=1"))
        polls = await polled(site, run_id)

    replay = times_in(answer.body)
    assert answer.body.startswith(b'{"type":"reset","data":{"firstSeq":')
    assert 4 <= len(replay) < COUNT
    assert replay == polls == heard[-len(replay) :]


async def test_a_run_that_fails_has_the_time_of_its_error() -> None:
    async with opened(world()) as site:
        run_id = await ended(site, "fail_late")

        (_, chunk), (_, error) = times_in(await replayed(site, run_id))

    assert error >= chunk > 0


async def test_without_times_there_is_not_a_byte_of_them(store: str) -> None:
    async with opened(world(store=store)) as site:
        run_id = await ended(site)

        plain = await send(site, get(f"/runs/{run_id}/events?times=0", [*ALICE, NDJSON]))
        poll = await send(site, get(f"/runs/{run_id}?after=0", ALICE))

    lines = [
        b'{"seq":1,"type":"chunk","data":{"type":"text","text":"hello"}}',
        b'{"seq":2,"type":"done","data":{}}',
    ]
    assert re.sub(rb',"mark":"[0-9a-f]{5}"', b"", plain.body) == b"".join(
        line + b"\n" for line in lines
    )
    assert poll.body.endswith(b',"events":[%b]}' % b",".join(lines))


@pytest.mark.parametrize(
    "headers", [(), [("accept", "*/*")], [("accept", "text/*, application/*")], [PAGE, NDJSON]]
)
async def test_times_come_as_lines_to_every_caller_that_accepts_lines(
    site: Actions, headers: Fields
) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}/events?times=1", [*ALICE, *headers]))

    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert len(times_in(answer.body)) == 2


@pytest.mark.parametrize("accept", [SSE, TEXT, WHOLE, ("accept", "text/*")])
async def test_times_in_another_format_are_refused_with_the_one_that_has_them(
    site: Actions, accept: tuple[str, str]
) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}/events?times=1", [*ALICE, accept]))

    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (400, "PARSE_ERROR")
    assert "Only application/x-ndjson has times: accept it" in error["message"]


async def test_an_action_can_have_a_parameter_called_times(site: Actions) -> None:
    answer = await send(site, post("/say", {"times": 2}, [*ALICE, NDJSON]))

    assert answer.body.count(b"\n") == 3
    assert b"atMs" not in answer.body
