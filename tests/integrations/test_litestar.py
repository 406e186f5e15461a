"""Actions in Litestar, as its developers write and test them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.testing import TestClient

from yieldwire import Actions, Context, Text
from yieldwire.cli.host import mounts_in
from yieldwire.errors import UsageError
from yieldwire.integrations.litestar import ActionsPlugin

Connection = ASGIConnection[Any, Any, Any, Any]
ADA = {"authorization": "ada"}


class SignIn(AbstractAuthenticationMiddleware):
    """A sign-in as Litestar has it."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        return AuthenticationResult(user=connection.headers.get("authorization"), auth=None)


def owner(connection: Connection) -> str:
    if connection.user is None:
        raise NotAuthorizedException
    return str(connection.user)


def greeting() -> Actions:
    actions = Actions()

    @actions.action
    async def greet(ctx: Context) -> AsyncIterator[Text]:
        yield Text(f"Hello, {ctx.owner}!")

    return actions


def client_of(plugin: ActionsPlugin, **options: Any) -> TestClient[Litestar]:  # noqa: ANN401 - Litestar's own
    # Litestar would configure the root logger, for all tests that follow.
    app = Litestar(plugins=[plugin], middleware=[SignIn], logging_config=None, **options)
    return TestClient(app)


def test_the_user_of_litestars_sign_in_owns_the_run() -> None:
    with client_of(ActionsPlugin(greeting(), identify=owner)) as client:
        answer = client.post("/api/_actions/greet", json={}, headers=ADA)
        run = answer.headers["location"]
        own = client.get(run, headers=ADA)
        of_another = client.get(run, headers={"authorization": "bob"})

    assert "Hello, ada!" in answer.text
    assert run.startswith("/api/_actions/runs/")
    assert (own.status_code, of_another.status_code) == (200, 403)


def test_what_litestar_does_not_authorize_is_401() -> None:
    with client_of(ActionsPlugin(greeting(), identify=owner)) as client:
        answer = client.post("/api/_actions/greet", json={})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")


def test_other_errors_of_identify_are_litestars() -> None:
    def fail(connection: Connection) -> str:
        raise ImproperlyConfiguredException("no sign-in")

    with client_of(ActionsPlugin(greeting(), identify=fail)) as client:
        answer = client.post("/api/_actions/greet", json={})

    assert (answer.status_code, answer.json()["status_code"]) == (500, 500)


def test_guards_of_litestar_refuse_every_request() -> None:
    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        raise NotAuthorizedException("not here")

    with client_of(ActionsPlugin(greeting(), guards=[guard])) as client:
        answer = client.get("/api/_actions/manifest.json")

    assert (answer.status_code, answer.json()["detail"]) == (401, "not here")


def test_the_actions_live_within_litestars_lifespan() -> None:
    events: list[str] = []
    actions = greeting()

    @actions.resource
    async def pool() -> AsyncIterator[None]:
        events.append("actions open")
        yield
        events.append("actions close")

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None, None]:
        events.append("host opens")
        yield
        events.append("host closes")

    with client_of(ActionsPlugin(actions), lifespan=[lifespan]):
        pass

    assert events == ["host opens", "actions open", "actions close", "host closes"]


def test_routes_of_litestar_are_answered_beside_the_actions() -> None:
    @get("/me", sync_to_thread=False)
    def me(request: Request[Any, Any, Any]) -> str:
        return str(request.user)

    with client_of(ActionsPlugin(greeting(), "/a/"), route_handlers=[me]) as client:
        answers = [
            client.get("/me", headers=ADA).text,
            client.post("/a/greet", json={}).headers["location"],
        ]

    assert answers[0] == "ada"
    assert answers[1].startswith("/a/runs/")


def test_a_proxys_prefix_is_a_part_of_every_location() -> None:
    plugin = ActionsPlugin(greeting())
    app = Litestar(plugins=[plugin], logging_config=None)

    with TestClient(app, root_path="/outer") as client:
        answer = client.post("/api/_actions/greet", json={})

    assert answer.headers["location"].startswith("/outer/api/_actions/runs/")


def test_the_command_line_finds_the_actions() -> None:
    actions = greeting()

    app = Litestar(plugins=[ActionsPlugin(actions, identify=owner)], logging_config=None)

    assert mounts_in(app) == {"/api/_actions": actions}


def test_two_identify_are_refused() -> None:
    with pytest.raises(UsageError, match="not to both"):
        ActionsPlugin(Actions(identify=lambda request: None), identify=owner)
