"""What all mounts have in common: who sends a request, and which path is the actions'."""

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire import Actions, Context, Unauthorized
from yieldwire.integrations.mounting import Find, PathPrefix, hosted


class Refused(Exception):
    """An error as some framework has it."""

    def __init__(self, **facts: int) -> None:
        super().__init__()
        for name, value in facts.items():
            setattr(self, name, value)


def greeting() -> Actions:
    actions = Actions()

    @actions.action
    async def greet(ctx: Context) -> str | None:
        return ctx.owner

    return actions


def client_of(find: Find | None) -> TestClient:
    return TestClient(hosted(greeting(), find), raise_server_exceptions=False)


def raising(exc: Exception) -> Find:
    def find(request: HTTPConnection) -> str:
        raise exc

    return find


async def found(request: HTTPConnection) -> str:
    return request.headers["x-user"]


def test_a_host_says_who_sends_a_request() -> None:
    answer = client_of(found).post("/greet", json={}, headers={"x-user": "ada"})

    assert answer.json()["result"] == "ada"


@pytest.mark.parametrize(
    ("exc", "status"),
    [
        (Refused(status_code=401), 401),
        (Refused(status=403), 403),
        (Refused(code=401), 401),
        (Unauthorized(), 401),
        (Refused(status_code=402), 500),
        (Refused(), 500),
    ],
)
def test_what_a_host_raises_refuses_the_request(exc: Exception, status: int) -> None:
    answer = client_of(raising(exc)).post("/greet", json={})

    assert answer.status_code == status


def test_without_a_function_the_application_is_itself() -> None:
    actions = greeting()

    assert hosted(actions, None) is actions


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/_actions/greet", "inner /api/_actions"),
        ("/api/_actions", "outer "),
        ("/api/_actionsx", "outer "),
        ("/other", "outer "),
    ],
)
def test_what_is_below_the_path_is_the_actions_and_all_else_is_the_hosts(
    path: str, text: str
) -> None:
    def saying(name: str) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            answer = PlainTextResponse(f"{name} {scope['root_path']}")
            await answer(scope, receive, send)

        return app

    client = TestClient(PathPrefix(saying("outer"), "/api/_actions", saying("inner")))

    assert client.get(path).text == text
