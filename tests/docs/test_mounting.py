"""The guide to mounting: one function identifies the callers of routes and of actions."""

from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from tests.docs.conftest import Load
from yieldwire import Actions


@pytest.fixture
def main(load: Load) -> tuple[Actions, FastAPI]:
    module = load("mount-in-another-application.md")["main"]
    return cast("Actions", module.actions), cast("FastAPI", module.app)


async def test_routes_and_actions_of_a_fastapi_application_know_the_same_user(
    main: tuple[Actions, FastAPI],
) -> None:
    actions, app = main
    transport = httpx.ASGITransport(app=app)
    async with (
        actions.lifespan(),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as http,
    ):
        http.headers["X-User"] = "ada"
        route = await http.get("/me")
        action = await http.post("/api/_actions/greet", json={})

    assert (route.json(), action.json()["result"]) == ("ada", "Hello, ada!")
