"""One conversation over every transport: the same run, the same events, for every reader."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from websockets.asyncio.client import connect

from tests.stores.test_postgres import postgres_store
from tests.stores.test_redis import redis_store
from tests.support.server import ThreadServer
from tests.support.story import EVENTS, TEXT, Log, Story, events_in, listed
from tests.support.wire import fetch, post, request
from yieldwire.client import AsyncClient, Client
from yieldwire.client.transport import TransportName
from yieldwire.stores import RunStore
from yieldwire.testing.clock import MovingClock

KEY = {"Idempotency-Key": "one-run-for-every-transport"}
STORES: dict[str, Callable[[MovingClock], RunStore]] = {
    "redis": redis_store,
    "postgres": postgres_store,
}


@pytest.fixture(params=["memory", *STORES])
def story(request: pytest.FixtureRequest) -> Story:
    """The story, from each kind of store that takes no process of its own."""
    return Story(STORES.get(request.param))


async def events_as_sse(port: int) -> Log:
    answer = await fetch(port, post("/tell", headers=KEY | {"Accept": "text/event-stream"}))
    return events_in(answer.body.decode())


async def events_as_sse_of_the_run(port: int) -> Log:
    started = await fetch(port, post("/tell", headers=KEY | {"Prefer": "respond-async"}))
    answer = await fetch(port, request("GET", f"{started.headers['location']}/events"))
    return events_in(answer.body.decode())


async def events_as_ndjson(port: int) -> Log:
    answer = await fetch(port, post("/tell", headers=KEY | {"Accept": "application/x-ndjson"}))
    return listed([from_json(line) for line in answer.body.splitlines()])


async def events_as_json(port: int) -> Log:
    accept = {"Accept": "application/json"}
    answer = (await fetch(port, post("/tell?events=true", headers=KEY | accept))).json()
    assert (answer["status"], answer["result"], answer["error"]) == ("completed", [1, 2, 3], None)
    return listed(answer["events"])


async def events_by_polling(port: int) -> Log:
    started = await fetch(port, post("/tell", headers=KEY | {"Prefer": "respond-async"}))
    assert started.status == 202
    log: Log = []
    while not log or log[-1][1] != "done":
        after = log[-1][0] if log else 0
        path = f"{started.headers['location']}?after={after}&wait=1"
        snapshot = (await fetch(port, request("GET", path))).json()
        log += listed(snapshot["events"])
        is_whole = snapshot["status"] == "completed" and log[-1][1] == "done"
        assert (snapshot["retryAfterMs"] is None) == is_whole
    return log


async def events_over_a_socket(port: int) -> Log:
    head = {"id": 1, "method": "POST", "path": "/tell", "headers": KEY}
    log: Log = []
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as socket:
        await socket.send(to_json(head).decode())
        told: dict[str, Any] = {}
        while "end" not in told:
            first, *lines = str(await socket.recv()).splitlines()
            told = from_json(first)
            log += listed([from_json(line) for line in lines])
    return log


async def events_in_python(port: int) -> Log:
    async with AsyncClient(f"http://127.0.0.1:{port}", transport="websocket") as client:
        run = await client.start("tell", key=KEY["Idempotency-Key"], detached=False)
        return [(each.seq, each.type.value, each.value) async for each in run.events()]


async def events_in_blocking_python(port: int, transport: TransportName = "http") -> Log:
    def read() -> Log:
        with Client(f"http://127.0.0.1:{port}", transport=transport) as client:
            run = client.start("tell", key=KEY["Idempotency-Key"], detached=False)
            return [(each.seq, each.type.value, each.value) for each in run.events()]

    return await asyncio.to_thread(read)


async def events_in_blocking_python_over_a_socket(port: int) -> Log:
    return await events_in_blocking_python(port, "websocket")


@pytest.mark.parametrize(
    "read",
    [
        events_over_a_socket,
        events_in_python,
        events_in_blocking_python,
        events_in_blocking_python_over_a_socket,
        events_as_sse,
        events_as_sse_of_the_run,
        events_as_ndjson,
        events_as_json,
        events_by_polling,
    ],
)
async def test_every_transport_gives_the_same_events(
    server: ThreadServer, story: Story, read: Callable[[int], Awaitable[Log]]
) -> None:
    story.go_on()

    assert await read(server.port) == EVENTS


READERS = [
    events_as_sse,
    events_as_ndjson,
    events_as_json,
    events_by_polling,
    events_over_a_socket,
    events_in_python,
]


async def test_readers_on_every_transport_can_share_one_run(
    server: ThreadServer, story: Story
) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(server.port)) for read in READERS]
        story.go_on()

    assert [task.result() for task in tasks] == [EVENTS] * len(READERS)
    assert story.started == 1


async def test_plain_text_is_the_texts_alone(server: ThreadServer, story: Story) -> None:
    story.go_on()

    answer = await fetch(server.port, post("/tell", headers={"Accept": "text/plain"}))

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.decode() == TEXT


async def test_a_snapshot_adds_the_events_up(server: ThreadServer, story: Story) -> None:
    story.go_on()
    answer = await fetch(server.port, post("/tell", headers={"Accept": "application/json"}))

    snapshot = (await fetch(server.port, request("GET", answer.headers["location"]))).json()

    assert snapshot["text"] == TEXT
    assert snapshot["progress"] == EVENTS[3][2]
    assert (snapshot["status"], snapshot["seq"], snapshot["result"]) == ("completed", 5, [1, 2, 3])


async def test_a_browsers_own_form_post_is_sent_on_to_a_page_that_follows_the_run(
    server: ThreadServer, story: Story
) -> None:
    story.go_on()
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    form = browser | {"Content-Type": "application/x-www-form-urlencoded"}

    answer = await fetch(server.port, request("POST", "/tell", form, b""))
    location = answer.headers["location"]
    await fetch(server.port, request("GET", f"{location}/events"))
    page = await fetch(server.port, request("GET", location, browser))

    assert answer.status == 303
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert TEXT.strip() in page.body.decode()
    assert 'data-status="completed"' in page.body.decode()
