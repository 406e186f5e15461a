from collections.abc import Callable

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from fastapi import FastAPI
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Host, Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire import Actions
from yieldwire.cli.host import is_factory, mounts_in, refusal


def fastapi(actions: Actions) -> ASGIApp:
    app = FastAPI()
    app.mount("/actions", actions)
    return app


def wrapped(actions: Actions) -> ASGIApp:
    return GZipMiddleware(fastapi(actions))


def deeper(actions: Actions) -> ASGIApp:
    app = FastAPI()
    app.mount("/api", Starlette(routes=[Mount("/actions", GZipMiddleware(actions))]))
    return app


def behind_its_own_middleware(actions: Actions) -> ASGIApp:
    route = Mount("/actions", actions, middleware=[Middleware(GZipMiddleware)])
    return Router([route])


def of_one_host(actions: Actions) -> ASGIApp:
    return Starlette(routes=[Host("example.com", Router([Mount("/actions", actions)]))])


def litestar(actions: Actions) -> object:
    # Litestar would configure the root logger, for all tests that follow.
    return Litestar(
        [asgi("/actions", is_mount=True, copy_scope=True)(actions)], logging_config=None
    )


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (fastapi, "/actions"),
        (wrapped, "/actions"),
        (deeper, "/api/actions"),
        (behind_its_own_middleware, "/actions"),
        (of_one_host, "/actions"),
        (litestar, "/actions"),
    ],
)
def test_actions_are_found_where_they_are_mounted(
    host: Callable[[Actions], object], path: str
) -> None:
    actions = Actions()

    assert mounts_in(host(actions)) == {path: actions}


def test_each_of_several_is_found() -> None:
    one, two = Actions(), Actions()
    app = FastAPI()
    app.mount("/one", one)
    app.mount("/two", two)

    assert mounts_in(app) == {"/one": one, "/two": two}


class Circle:
    @property
    def app(self) -> "Circle":
        return self

    def __call__(self) -> None: ...


class Proxy:
    def __getattr__(self, name: str) -> object:
        raise RuntimeError("not there yet")

    def __call__(self) -> None: ...


@pytest.mark.parametrize("value", [Circle(), FastAPI(), FastAPI, print, 3, Actions()])
def test_in_anything_else_nothing_is_found(value: object) -> None:
    assert mounts_in(value) == {}


def test_a_proxy_for_what_is_not_there_yet_is_left_alone() -> None:
    assert mounts_in(Proxy()) == {}


def make(name: str = "x", *more: int, **options: int) -> None: ...


def needs(name: str) -> None: ...


async def application(scope: Scope, receive: Receive, send: Send) -> None: ...


async def make_later() -> None: ...


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(make, True), (make_later, True), (needs, False), (application, False), (Circle, False)],
)
def test_a_function_without_required_parameters_is_a_factory(
    value: object,
    verdict: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_factory(value) is verdict


class Flask:
    __module__ = "flask.app"


class Shop(Flask):
    __module__ = "shop"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (FastAPI(), "'it' in shop.py is a FastAPI application without actions: mount them in it"),
        (WSGIHandler, "is a class, not Actions()"),
        (Shop(), "is a WSGI application (Shop), which cannot contain actions: put `actions = A"),
        (object.__new__(WSGIHandler), "is a WSGI application (WSGIHandler)"),
        (object.__new__(ASGIHandler), "of the type ASGIHandler, in which actions cannot be found"),
        (application, "of the type function, in which actions cannot be found: name the Actions"),
        (make_later(), "is a coroutine function; a factory must be a normal function"),
        (3, "is of the type int, not Actions()"),
    ],
)
def test_what_has_no_actions_is_told_what_to_do(value: object, told: str) -> None:
    assert told in str(refusal(value, "it", "shop.py"))
