"""Actions in Starlette, mounted by one line."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from yieldwire import Actions
from yieldwire.errors import UsageError
from yieldwire.integrations.starlette import mount


def test_one_line_mounts_actions_and_adds_their_lifespan() -> None:
    events: list[str] = []
    actions = Actions()

    @actions.resource
    async def pool() -> AsyncIterator[None]:
        events.append("actions open")
        yield
        events.append("actions close")

    @actions.action
    async def add(a: int, b: int) -> int:
        return a + b

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, str], None]:
        events.append("host opens")
        yield {"name": "state"}
        events.append("host closes")

    app = Starlette(lifespan=lifespan)
    mount(app, actions)

    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post("/api/_actions/add", json={"a": 1, "b": 2})

    assert answer.json()["result"] == 3
    assert events == ["host opens", "actions open", "actions close", "host closes"]


def test_actions_are_mounted_at_several_paths() -> None:
    app, actions = Starlette(), Actions()

    @actions.action
    async def one() -> int:
        return 1

    mount(app, actions, "/a")
    mount(app, actions, "/b/")

    with TestClient(app, base_url="http://localhost") as client:
        answers = [client.post(f"/{path}/one", json={}).json()["result"] for path in "ab"]

    assert answers == [1, 1]


def test_something_else_than_starlette_is_refused() -> None:
    with pytest.raises(UsageError, match="Actions is not one of Starlette"):
        mount(Actions(), Actions())  # type: ignore[arg-type]
