"""Nothing that a middleware around ``send`` does reaches the run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.calls import post
from tests.support.runs import SOON
from tests.support.world import opened
from yieldwire import Actions, Timing
from yieldwire.stores import Query

SPAN: ContextVar[str] = ContextVar("span", default="none")
EVENTS = 12


def wrapping(around: Callable[[Send, Message], Any]) -> Callable[[ASGIApp], ASGIApp]:
    """Return a middleware that sends each message through ``around``."""

    def middleware(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            async def outer(message: Message) -> None:
                await around(send, message)

            await app(scope, receive, outer)

        return wrapped

    return middleware


async def in_time(send: Send, message: Message) -> None:
    async with asyncio.timeout(0.02):
        await send(message)


async def in_scope(send: Send, message: Message) -> None:
    with anyio.fail_after(0.02):
        await send(message)


async def in_span(send: Send, message: Message) -> None:
    token = SPAN.set("sending")
    await send(message)
    SPAN.reset(token)


async def twice(send: Send, message: Message) -> None:
    if message["type"] == "http.response.body" and message.get("more_body"):
        await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send(message)


def dispatched(app: ASGIApp) -> ASGIApp:
    async def dispatch(request: Any, call_next: Any) -> Any:  # noqa: ANN401 - Starlette's own
        return await call_next(request)

    return BaseHTTPMiddleware(app, dispatch=dispatch)


STACK: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "asyncio.timeout": wrapping(in_time),
    "anyio.fail_after": wrapping(in_scope),
    "context variable": wrapping(in_span),
    "sends twice": wrapping(twice),
    "gzip": lambda app: GZipMiddleware(app, minimum_size=1),
    "BaseHTTPMiddleware": dispatched,
}


async def play(names: list[str], delays: list[float]) -> tuple[str, int, bool]:
    """Call an action through middlewares over a slow socket: its status, seq, and if it was hit."""
    actions = Actions(timing=Timing(grace=0.0))
    was_cancelled = False

    @actions.action(linger=None)
    async def count() -> AsyncIterator[int]:
        nonlocal was_cancelled
        try:
            for number in range(EVENTS):
                yield number
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    app: ASGIApp = actions
    for name in names:
        app = STACK[name](app)
    waits, requests = iter(delays), [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        await asyncio.sleep(next(waits, 0.0))

    async with opened(actions), asyncio.timeout(SOON):
        answering = asyncio.ensure_future(app(post("/count", {}).scope(), receive, send))  # noqa: TID251
        await asyncio.wait({answering}, timeout=SOON)
        answering.exception()  # a time limit that ran out is the response's own affair
        (run,) = await actions.store.find(Query(everyone=True))
        while not run.status.is_terminal:
            await actions.store.wait(run.id, run.seq, timeout=SOON)
            run = await actions.store.get(run.id)
    return run.status.value, run.seq, was_cancelled


@pytest.mark.parametrize("name", STACK)
async def test_a_run_completes_whatever_a_middleware_does_around_a_slow_send(name: str) -> None:
    assert await play([name], [0.0, 0.0, 0.0, 0.05]) == ("completed", EVENTS + 1, False)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(STACK)), max_size=4),
    st.lists(st.sampled_from([0.0, 0.001, 0.03]), max_size=8),
)
def test_a_run_completes_behind_any_stack_of_middlewares(
    names: list[str], delays: list[float]
) -> None:
    assert asyncio.run(play(names, delays)) == ("completed", EVENTS + 1, False)
