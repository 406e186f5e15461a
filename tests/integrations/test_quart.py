"""Actions in Quart, as its developers write and test them."""

from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from quart import Quart, abort, session
from quart.typing import TestClientProtocol as Client

from yieldwire import Actions, Context, Text
from yieldwire.cli.host import mounts_in
from yieldwire.errors import UsageError
from yieldwire.integrations.quart import mount


def owner() -> str:
    if "user" not in session:
        abort(401)
    return str(session["user"])


def application(actions: Actions) -> Quart:
    app = Quart("shop")
    app.secret_key = "a secret of the tests"

    @app.post("/sign-in/<name>")
    async def sign_in(name: str) -> str:
        session["user"] = name
        return name

    mount(app, actions, identify=owner)
    return app


@pytest.fixture
def actions() -> Actions:
    actions = Actions()

    @actions.action
    async def greet(ctx: Context) -> AsyncIterator[Text]:
        yield Text(f"Hello, {ctx.owner}!")

    return actions


async def client_of(app: Quart, name: str) -> Client:
    client = app.test_client()
    await client.post(f"/sign-in/{name}")
    return client


async def test_the_user_of_quarts_session_owns_the_run(actions: Actions) -> None:
    app = application(actions)
    async with app.test_app():
        ada, bob = await client_of(app, "ada"), await client_of(app, "bob")
        answer = await ada.post("/api/_actions/greet", json={})
        run = answer.headers["location"]
        own, of_another = await ada.get(run), await bob.get(run)

    assert "Hello, ada!" in await answer.get_data(as_text=True)
    assert run.startswith("/api/_actions/runs/")
    assert (own.status_code, of_another.status_code) == (200, 403)


async def test_what_quart_aborts_with_401_is_unauthorized(actions: Actions) -> None:
    app = application(actions)
    async with app.test_app():
        answer = await app.test_client().post("/api/_actions/greet", json={})

    assert (answer.status_code, (await answer.get_json())["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_the_actions_live_within_quarts_lifespan(actions: Actions) -> None:
    events: list[str] = []
    app = Quart("shop")

    @actions.resource
    async def pool() -> AsyncIterator[None]:
        events.append("actions open")
        yield
        events.append("actions close")

    @app.while_serving
    async def serving() -> AsyncGenerator[None, None]:
        events.append("host opens")
        yield
        events.append("host closes")

    mount(app, actions)

    async with app.test_app():
        pass

    assert events == ["host opens", "actions open", "actions close", "host closes"]


def test_the_command_line_finds_the_actions(actions: Actions) -> None:
    app = application(actions)

    assert mounts_in(app) == {"/api/_actions": actions}


def test_something_else_than_quart_is_refused(actions: Actions) -> None:
    with pytest.raises(UsageError, match=r"takes a Quart\(\) first, not Actions"):
        mount(actions, actions)  # type: ignore[arg-type]
