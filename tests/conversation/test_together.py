"""One run with a reader by every way, from every kind of store, also when its server is killed."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, get_args
from uuid import uuid4

import pytest

from tests.conversation.ways import Place, Reading, Shown, StoryPlace, Way, typescript
from tests.conversation.ways.node import NodeClients
from tests.conversation.ways.table import WAYS, ways
from tests.support.climbing import AFTER, BEFORE
from tests.support.command import CommandServer
from tests.support.postgres import dsn, new_schema
from tests.support.server import ROOT
from tests.support.story import BEGINNING, END, Log
from tests.support.valkey import shared_url

LASTING: Final[Mapping[str, Callable[[Path], tuple[str, str]]]] = {
    "sqlite": lambda folder: (str(folder / "runs.db"), ""),
    "valkey": lambda _: (shared_url(), f"test-{uuid4().hex}"),
    "postgresql": lambda _: (dsn(), new_schema()),
}
"""Where each kind of store is that outlives its server, and which part of it is ours."""


def test_every_transport_of_every_client_is_a_way_in() -> None:
    contract = (ROOT / "typescript/src/contract.ts").read_text("utf-8")
    declared = re.search(r"export type TransportName = (.*);", contract)
    assert declared is not None
    in_node = {*re.findall(r'"(\w+)"', declared[1])} - {"xhr"}  # only browsers have it

    assert in_node == {*get_args(typescript.Transport)}


@asynccontextmanager
async def entered(place: Place, names: list[str]) -> AsyncGenerator[dict[str, Way], None]:
    """Let the same caller in by each of these ways."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(WAYS[name].enter(place, "ada")) for name in names
        }


async def read_all(readings: Mapping[str, Reading], log: Log) -> dict[str, Shown]:
    """Read by every way at once."""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(each.read(log)) for name, each in readings.items()}
    return {name: task.result() for name, task in tasks.items()}


async def test_readers_by_every_way_share_one_run(place: StoryPlace) -> None:
    started, key = place.story.started, uuid4().hex
    async with entered(place, ways()) as callers:
        readings = {name: await way.start("tell", key=key) for name, way in callers.items()}
        beginning = await read_all(readings, BEGINNING)
        place.story.go_on(readings["sse"].id)
        end = await read_all(readings, END)

    assert beginning == {name: way.shows(BEGINNING) for name, way in callers.items()}
    assert end == {name: way.shows(END) for name, way in callers.items()}
    assert {reading.id for reading in readings.values()} == {readings["sse"].id}
    assert place.story.started == started + 1


@pytest.fixture(params=LASTING)
async def climbing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CommandServer]:
    """A server in a process of its own, over each store that outlives it."""
    name, space = LASTING[request.param](tmp_path)
    env = {"STORE": request.param, "NAME": name, "SPACE": space}
    with CommandServer("tests.support.climbing:actions", tmp_path / "log", env) as server:
        await server.wait_until_listening()
        yield server


async def test_readers_by_every_way_go_on_when_their_server_was_killed(
    climbing: CommandServer, node: NodeClients
) -> None:
    place = Place(url=f"http://127.0.0.1:{climbing.port}", port=climbing.port, node=node)
    outside = ways(lambda row: row.has_callers)  # code in the process is lost with it
    async with entered(place, outside) as callers:
        first = await callers["polling"].start("climb")
        readings = {name: await way.attach("climb", first.id) for name, way in callers.items()}
        before = await read_all(readings, BEFORE)
        climbing.kill()
        climbing.start()
        after = await read_all(readings, AFTER)

    assert before == {name: way.shows(BEFORE) for name, way in callers.items()}
    assert after == {name: way.shows(AFTER) for name, way in callers.items()}
