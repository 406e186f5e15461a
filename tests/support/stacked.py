"""Middlewares as people have them, around an application whose action tells what reached it.

A request names its middlewares, the outermost first, in the header ``x-stack``.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from functools import cache
from random import Random
from typing import Any, Final, TypeAlias

import anyio
import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import (  # pyright: ignore[reportMissingTypeStubs]
    OpenTelemetryMiddleware,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yieldwire import Actions, Context, Text, Timing
from yieldwire.asgi.servers import is_servers_own

EVENTS: Final = 40
PIECE: Final = "".join(Random(0).choices("0123456789abcdefghijklmnopqrstuv", k=150_000))  # noqa: S311
"""So much that the socket of a reader who does not read is full long before the end."""
SECONDS: Final = 0.02
"""How long the middlewares that limit a send let it take."""

SPAN: Final[ContextVar[str]] = ContextVar("span", default="none")

Around: TypeAlias = Callable[[Send, Message], Awaitable[None]]
Middleware: TypeAlias = Callable[[ASGIApp], ASGIApp]


def wrapping(around: Around) -> Middleware:
    """Return a middleware that sends each message through ``around``."""

    def middleware(app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            async def outer(message: Message) -> None:
                await around(send, message)

            await app(scope, receive, outer)

        return wrapped

    return middleware


async def in_time(send: Send, message: Message) -> None:
    """Limit the time of a send."""
    async with asyncio.timeout(SECONDS):
        await send(message)


async def in_scope(send: Send, message: Message) -> None:
    """Limit it as anyio does."""
    with anyio.fail_after(SECONDS):
        await send(message)


async def in_span(send: Send, message: Message) -> None:
    """Have a context variable set while something is sent."""
    token = SPAN.set("sending")
    await send(message)
    SPAN.reset(token)


async def in_pieces(send: Send, message: Message) -> None:
    """Send a body in two pieces, with a turn of the loop between them."""
    if message["type"] == "http.response.body" and message.get("more_body"):
        body: bytes = message.get("body", b"")
        await send({**message, "body": body[:10]})
        await asyncio.sleep(0)
        message = {**message, "body": body[10:]}
    await send(message)


async def in_a_group(send: Send, message: Message) -> None:
    """Send in a task of its own."""

    async def sending() -> None:
        await send(message)  # which need not be a coroutine

    async with asyncio.TaskGroup() as group:
        group.create_task(sending())


def counting(app: ASGIApp) -> ASGIApp:
    """Count what is sent, and give up at a few megabytes."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def count(message: Message) -> None:
            nonlocal size
            size += len(message.get("body", b""))
            if size > EVENTS * len(PIECE) * 0.9:
                raise OSError("That is too much.")
            await send(message)

        await app(scope, receive, count)

    return counted


def cancelling(app: ASGIApp) -> ASGIApp:
    """Cancel whatever task sends the tenth message."""

    async def cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def cancel(message: Message) -> None:
            nonlocal sent
            sent += 1
            task = asyncio.current_task()
            if sent == 10 and task is not None:
                task.cancel()
            await send(message)

        await app(scope, receive, cancel)

    return cancelled


def proxying(app: ASGIApp) -> ASGIApp:
    """Limit the time of a send from within a proxy that looks like ``send`` itself."""

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        async def limited(
            send: Send, _: object, args: tuple[Message], named: Mapping[str, Any]
        ) -> None:
            async with asyncio.timeout(SECONDS):
                await send(*args, **named)

        await app(scope, receive, wrapt.FunctionWrapper(send, limited))

    return proxied


def dispatching(app: ASGIApp) -> ASGIApp:
    """Do nothing, as a `BaseHTTPMiddleware`, which sends through a stream of its own."""

    async def dispatch(request: Any, call_next: Any) -> Any:  # noqa: ANN401 - Starlette's own
        return await call_next(request)

    return BaseHTTPMiddleware(app, dispatch=dispatch)


@cache
def _tracers() -> TracerProvider:
    return TracerProvider()


@cache
def _meters() -> MeterProvider:
    return MeterProvider()


def tracing(app: ASGIApp) -> ASGIApp:
    """Make spans, of the request and of each send, as OpenTelemetry does."""
    traced: ASGIApp = OpenTelemetryMiddleware(
        app, tracer_provider=_tracers(), meter_provider=_meters()
    )
    return traced


MIDDLEWARES: Final[Mapping[str, Middleware]] = {
    "asyncio.timeout": wrapping(in_time),
    "anyio.fail_after": wrapping(in_scope),
    "context variable": wrapping(in_span),
    "pieces": wrapping(in_pieces),
    "task group": wrapping(in_a_group),
    "counting": counting,
    "cancelling": cancelling,
    "wrapt": proxying,
    "BaseHTTPMiddleware": dispatching,
    "gzip": lambda app: GZipMiddleware(app, minimum_size=1),
    "OpenTelemetry": tracing,
}


async def tell_own(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer whether ``send`` is known to be the server's own."""
    await JSONResponse(is_servers_own(send))(scope, receive, send)


class Stacked:
    """An ASGI application: each request passes its own middlewares on the way to the actions.

    ``GET /seen/{name}`` answers, when the run of this name has ended, with how it did so and what
    its action saw. A middleware can keep the run's own id from the caller. ``GET /own``
    answers whether ``send``, behind the middlewares, is known to be the server's own.
    """

    def __init__(self) -> None:
        self.actions: Final = Actions(timing=Timing(grace=0.0), max_runs=None)
        self.actions.action(linger=None)(self.pour)
        self._begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._runs: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self._contexts: dict[str, set[tuple[str, int]]] = {}

    async def pour(self, ctx: Context, name: str) -> AsyncIterator[Text]:
        """Yield more than a socket holds, and note every change of the task and its context."""
        contexts = self._contexts[name] = set()
        self._runs[name] = ctx.run_id
        self._begun[name].set()
        try:
            for _ in range(EVENTS):
                yield Text(PIECE)
                await asyncio.sleep(0.001)
                contexts.add((SPAN.get(), trace.get_current_span().get_span_context().span_id))
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    self._cancelled.add(name)
        except BaseException:
            self._cancelled.add(name)
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"].startswith("/seen/"):
            seen = await self._seen(scope["path"].removeprefix("/seen/"))
            await JSONResponse(seen)(scope, receive, send)
            return
        names = dict(scope.get("headers", ())).get(b"x-stack", b"").decode()
        app: ASGIApp = tell_own if scope.get("path") == "/own" else self.actions
        for name in reversed(names.split(",") if names else []):
            app = MIDDLEWARES[name](app)
        await app(scope, receive, send)

    async def _seen(self, name: str) -> dict[str, object]:
        await self._begun[name].wait()
        store, run_id = self.actions.app.store, self._runs[name]
        while not (run := await store.get(run_id)).status.is_terminal:
            await store.read(run_id, run.seq, wait=1.0)
        contexts = self._contexts[name]
        return {
            "status": run.status.value,
            "seq": run.seq,
            "was cancelled": name in self._cancelled,
            "contexts": len(contexts),
            "is in a send": any(span != "none" for span, _ in contexts),
        }


app = Stacked()
