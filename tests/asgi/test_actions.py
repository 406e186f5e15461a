import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from tests.support.calls import Message, post, send
from tests.support.world import BRISK, add, opened, world
from yieldwire import Actions, Context, Unauthorized
from yieldwire.actions.guard import Guard
from yieldwire.actions.middleware import Middleware
from yieldwire.errors import UsageError


class Server:
    """What a server says to an application of its life, and what it is told."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.told: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        return await self.inbox.get()

    async def send(self, message: Message) -> None:
        self.told.put_nowait(message)


async def test_a_server_opens_and_closes_the_application() -> None:
    server, seen = Server(), list[str]()
    actions = Actions(timing=BRISK)

    @actions.resource
    async def pool() -> AsyncIterator[str]:
        seen.append("opened")
        yield "pool"
        seen.append("closed")

    async with asyncio.TaskGroup() as group:
        group.create_task(actions({"type": "lifespan"}, server.receive, server.send))
        server.inbox.put_nowait({"type": "lifespan.startup"})
        started = await server.told.get()
        opened_by_then = list(seen)
        server.inbox.put_nowait({"type": "lifespan.shutdown"})
        stopped = await server.told.get()

    assert started == {"type": "lifespan.startup.complete"}
    assert stopped == {"type": "lifespan.shutdown.complete"}
    assert (opened_by_then, seen) == (["opened"], ["opened", "closed"])


async def test_a_resource_that_cannot_be_opened_stops_the_server_from_starting() -> None:
    server, actions, pools = Server(), Actions(timing=BRISK), list[str]()

    @actions.resource
    async def pool() -> AsyncIterator[str]:
        if pools == []:
            raise LookupError("no pool here")
        yield "pool"

    server.inbox.put_nowait({"type": "lifespan.startup"})
    with pytest.raises(LookupError, match="no pool here"):
        await actions({"type": "lifespan"}, server.receive, server.send)

    assert server.told.get_nowait() == {
        "type": "lifespan.startup.failed",
        "message": "no pool here",
    }
    await actions.app.close()


async def test_an_application_that_nobody_opened_opens_at_the_first_call() -> None:
    actions = world()

    answer = await send(actions, post("/say", {}))
    await actions.app.close()

    assert answer.status == 200


async def test_a_mounted_application_is_opened_by_its_lifespan() -> None:
    actions = world()
    app = Starlette(routes=[Mount("/api/_actions", actions)], lifespan=actions.lifespan)

    async with app.router.lifespan_context(app):
        answer = await send(app, post("/api/_actions/add", {"a": 1, "b": 2}))

    run_id = answer.headers["run-id"]
    assert answer.json()["result"] == 3
    assert answer.headers["location"] == f"/api/_actions/runs/{run_id}"


async def test_of_two_lifespans_that_overlap_the_last_to_end_closes() -> None:
    actions = world()

    async with actions.lifespan():
        async with actions.lifespan():
            await actions.app.ready()
        answered = await send(actions, post("/add", {"a": 1, "b": 2}))
    refused = await send(actions, post("/add", {"a": 1, "b": 2}))

    assert (answered.status, refused.status) == (200, 503)


def test_an_application_has_few_public_names() -> None:
    actions = Actions()

    names = {name for name in dir(actions) if not name.startswith("_")}

    assert names == {
        "action",  # declaring
        "feed",
        "include",
        "resource",
        "start",  # from Python
        "runs",
        "lifespan",  # stopping
        "drain",
        "force_shutdown",
        "disconnect",
        "app",  # without HTTP
        "site",  # HTTP
        "mount",  # dialects
        "sockets",
        "queues",  # workers
    }


async def test_an_included_action_is_guarded_and_wrapped_as_in_its_own_application() -> None:
    steps: list[str] = []

    def guard(name: str) -> Guard:
        async def let_pass(ctx: Context) -> None:
            steps.append(f"{name} lets pass")

        return let_pass

    def wrap(name: str) -> Middleware:
        async def wrapping(ctx: Context) -> AsyncIterator[None]:
            steps.append(f"{name} begins")
            yield
            steps.append(f"{name} ends")

        return wrapping

    part = Actions(guards=[guard("part")], middleware=[wrap("part")])
    part.action(guards=[guard("own")], middleware=[wrap("own")])(add)
    whole = Actions(timing=BRISK, guards=[guard("whole")], middleware=[wrap("whole")])
    whole.include(part)

    async with opened(whole):
        answer = await send(whole, post("/add", {"a": 1, "b": 2}))

    assert answer.json()["result"] == 3
    assert steps == [
        *(f"{name} lets pass" for name in ("whole", "part", "own")),
        *(f"{name} begins" for name in ("whole", "part", "own")),
        *(f"{name} ends" for name in ("own", "part", "whole")),
    ]


async def test_what_guards_an_application_refuses_also_where_it_is_included() -> None:
    async def refuse(ctx: Context) -> None:
        raise Unauthorized

    part, whole = Actions(guards=[refuse]), Actions(timing=BRISK)
    part.action(add)
    whole.include(part)

    async with opened(whole):
        answer = await send(whole, post("/add", {"a": 1, "b": 2}))

    assert answer.status == 401


def test_only_an_application_can_be_included() -> None:
    with pytest.raises(UsageError, match=r"^add: only an application's actions can be included"):
        Actions().include(add)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_ordinary_routes_use_what_a_resource_opened() -> None:
    actions, steps = Actions(timing=BRISK), list[str]()

    @actions.resource
    async def pool() -> AsyncIterator[str]:
        steps.append("opened")
        yield "the pool"
        steps.append("closed")

    async def route(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await actions.app.resource(pool))

    api = FastAPI()

    @api.get("/fastapi")
    async def typed(rows: Annotated[str, Depends(partial(actions.app.resource, pool))]) -> str:
        return rows

    outer = Starlette(
        routes=[Route("/starlette", route), Mount("/api", actions), Mount("/", api)],
        lifespan=actions.lifespan,
    )
    with TestClient(outer) as client:
        answers = [client.get(path).text for path in ("/starlette", "/fastapi")]

    assert answers == ["the pool", '"the pool"']
    assert steps == ["opened", "closed"]
