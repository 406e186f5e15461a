"""The servers that the conversations are with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.conftest import Serve
from tests.conversation.door import Door
from tests.conversation.ways import StoryPlace, Way
from tests.conversation.ways.node import NodeClients
from tests.stores.test_postgres import postgres_store
from tests.stores.test_redis import redis_store
from tests.support.long import IS_LONG, leave_out
from tests.support.server import ThreadServer
from tests.support.story import Story
from yieldwire.log import snapshot
from yieldwire.stores import RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

T = TypeVar("T")
POLL_MS: Final = 20
"""How soon clients are told to poll again: a real half second would be most of the time."""
Opened = Callable[[Path, MovingClock], RunStore]

STORES: Final[dict[str, Opened]] = {
    "memory": lambda _, clock: MemoryStore(clock=clock),
    "sqlite": lambda folder, clock: SQLiteStore(folder / "runs.db", clock=clock),
    "valkey": lambda _, clock: redis_store(clock),
    "postgresql": lambda _, clock: postgres_store(clock),
}
"""Every kind of store."""


SOME_WAYS: Final = (
    "in process",
    "sse",
    "polling",
    "websocket",
    "asynchronous http",
    "typescript auto",
)
"""One for each thing that a way does with a store."""


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def server(serve: Serve, story: Story) -> ThreadServer:
    server = serve(story, actions=story.actions)
    story.loop = server.loop
    return server


@pytest.fixture(scope="session")
def node() -> Iterator[NodeClients]:
    """The process of the TypeScript clients."""
    with NodeClients() as clients:
        yield clients


@pytest.fixture(scope="module", params=STORES)
def shared_story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A story that every test of a module is told, from a store of each kind."""
    return Story(partial(STORES[request.param], tmp_path_factory.mktemp("story")))


@pytest.fixture(scope="module")
def place(shared_story: Story, node: NodeClients) -> Iterator[StoryPlace]:
    """The server that tells it."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadServer(shared_story, actions=shared_story.actions) as server,
    ):
        patch.setattr(snapshot, "FIRST_POLL_MS", POLL_MS)
        shared_story.loop = server.loop

        async def call(work: Coroutine[Any, Any, T]) -> T:
            future = asyncio.run_coroutine_threadsafe(work, server.loop)
            return await asyncio.wrap_future(future)

        yield StoryPlace(
            url=server.url,
            port=server.port,
            call=call,
            node=node,
            story=shared_story,
        )


@pytest.fixture
async def door(place: StoryPlace, way_in: str) -> AsyncIterator[Door]:
    """Where callers come in by the way of this test."""
    async with AsyncExitStack() as stack:
        yield Door(stack, place, way_in)


@pytest.fixture
async def ada(door: Door) -> Way:
    """A caller."""
    return await door.enter("ada")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave most ways to most stores to ``make test-long``: what a store does depends on no way.

    `test_together` reads by every way from every store.
    """
    if IS_LONG:
        return
    leave_out(config, items, _is_variant)


def _is_variant(item: pytest.Function) -> bool:
    if item.path.parent != Path(__file__).parent or not hasattr(item, "callspec"):
        return False
    params = item.callspec.params
    is_another = params.get("shared_story", "memory") != "memory"
    return is_another and params.get("way_in", SOME_WAYS[0]) not in SOME_WAYS
