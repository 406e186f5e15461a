"""The application over HTTP: one ASGI application, alone or mounted in another."""

import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from inspect import isawaitable
from typing import Any, Final, TypeAlias, TypeVar

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from yieldwire.actions.guard import Guard
from yieldwire.actions.middleware import Middleware
from yieldwire.app import App, Timing
from yieldwire.app.configuration import APP
from yieldwire.app.opening import Opening
from yieldwire.asgi import signals, workers
from yieldwire.asgi.disconnect import Disconnected, Disconnects
from yieldwire.asgi.exchange import BrokenOff, Exchange
from yieldwire.asgi.negotiation import Formats
from yieldwire.asgi.presence import Polls
from yieldwire.asgi.requestlimits import Allowance, RequestLimits
from yieldwire.asgi.routes import PUBLIC, ROUTES, Route, Table, match
from yieldwire.asgi.safety import SAFETY, Safety
from yieldwire.asgi.signout import SignOuts, ask_again
from yieldwire.clock import Clock
from yieldwire.errors import MethodNotAllowed, NotFound, RateLimited, Unauthorized, UsageError
from yieldwire.executors import Executor, RunLimits
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import needs_readers
from yieldwire.runs.access import Access, Caller, Identity
from yieldwire.runs.reader import Reader
from yieldwire.setting import Rules, function_of, instance, optional, settings
from yieldwire.stores import Query, RunStore

T = TypeVar("T")

Known: TypeAlias = str | Identity | None
Identify: TypeAlias = Callable[[HTTPConnection], Known | Awaitable[Known]]
"""Identifies the sender of a request: a name, an `Identity`, ``None`` if anonymous; or raises."""


ACTIONS: Final[Rules] = {
    "identify": optional(function_of("the connection")),
    **{name: APP[name] for name in ("access", "store", "executor", "guards", "middleware")},
    **SAFETY,
    "request_limits": optional(instance(RequestLimits)),
    **{
        name: APP[name]
        for name in ("run_limits", "timing", "max_runs", "debug", "checks_chunks", "clock")
    },
}


@settings(ACTIONS)
class Actions(App):
    """Actions as one ASGI application.

    Mount it anywhere (``app.mount("/api/_actions", actions)``) or serve it alone. Mounted
    applications are not told when the server stops: compose ``actions.lifespan`` into yours,
    so that running actions can finish.

    Args:
        identify: Identifies the caller of every request. Without it everybody is anonymous.
        access: Widens who can see a run beyond its owner.
        store: Where runs are kept.
        executor: Decides where runs are executed; by default in the process that starts them.
        guards: Runs once at each start, in order.
        middleware: Wraps every attempt, in order.
        origins: Other origins whose pages can call, ``("https://app.example.com",)``.
        hosts: ``Host`` names that are answered; on loopback only loopback names by default.
        trusted_proxies: Addresses and networks whose ``X-Forwarded-For`` is trusted.
        request_limits: How large a request can be.
        run_limits: The limits for one run.
        timing: How long things can take.
        max_runs: Runs that one caller can have at a time, over all actions.
        debug: Whether errors show callers the details of an unexpected exception: its type, its
            message, its traceback. For development only.
        checks_chunks: Whether each chunk is checked against its declared type; always on under
            ``yieldwire dev``. A chunk that does not match fails its run.
        clock: The source of time; tests pass one that they control.

    Raises:
        UsageError: If a setting is invalid.
    """

    routes: Table = ROUTES
    """What it answers; the developer page and dialects put their own in front."""

    def __init__(  # noqa: PLR0913 - settings, passed by name
        self,
        *,
        identify: Identify | None = None,
        access: Access | None = None,
        store: str | RunStore = "memory",
        executor: Executor | None = None,
        guards: Sequence[Guard] = (),
        middleware: Sequence[Middleware] = (),
        origins: Sequence[str] = (),
        hosts: Sequence[str] | None = None,
        trusted_proxies: Sequence[str] = (),
        request_limits: RequestLimits | None = None,
        run_limits: RunLimits | None = None,
        timing: Timing | None = None,
        max_runs: int | None = 1000,
        debug: bool = False,
        checks_chunks: bool = False,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            store=store,
            executor=executor,
            access=access,
            guards=guards,
            middleware=middleware,
            run_limits=run_limits,
            timing=timing,
            max_runs=max_runs,
            debug=debug,
            checks_chunks=checks_chunks,
            clock=clock,
        )
        self.request_limits: Final = request_limits or RequestLimits()
        self.answers: Final = Allowance(self.request_limits.answers_bytes)  # of JSON's events
        self.safety: Final = Safety(origins, hosts, trusted_proxies)
        self.formats: Final = Formats()
        self.polls: Final = Polls(self.store, self.clock)
        self.sign_outs: Final = SignOuts(self.store)
        self._identify, self._open_streams = identify, Counter[str]()

    def enter(self, opening: Opening, /) -> None:
        """Handle the process's stop signals while ``opening`` is open."""
        self.disconnects = Disconnects(opening.tasks)
        self.sign_outs.readers = opening.readers
        self._open_streams = Counter()
        signals.listen(self.hear)
        opening.at_end.callback(signals.forget, self.hear)
        if self.store.reach == "process":
            workers.tell()

    def hear(self, number: int) -> None:
        """Start to stop, as the signal asks; after a second SIGINT, do not wait for actions."""
        if self.is_closing and number == signal.SIGINT:
            self.force_shutdown()
        self.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        match scope["type"]:
            case "http":
                stall_timeout = self.timing.stall_timeout
                await self._answer(Exchange(scope, receive, send, stall_timeout=stall_timeout))
            case "lifespan":
                await self._live(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.lifespan())
            except Exception as exc:
                await send({"type": "lifespan.startup.failed", "message": str(exc)})
                raise
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None, None]:
        """Open now and close at the end, for the application in which this one is mounted.

        It can be used any number of times and in any event loop; of overlapping lifespans, the
        last one to end closes the application.

        Raises:
            StoreError: If the store cannot be used.
            UsageError: If it is open in another event loop, which is running.
        """
        async with self._lifetime.held():
            yield

    async def _answer(self, exchange: Exchange) -> None:
        try:
            try:
                self.safety.check(exchange.incoming)
            finally:
                exchange.extra += self.safety.cors(exchange.headers)
            route = match(exchange.path, self.routes)
            if exchange.method == "OPTIONS":
                await self._answer_options(exchange, route)
                return
            method = "GET" if exchange.method == "HEAD" else exchange.method
            handler = route.handlers.get(method)
            if handler is None:
                raise MethodNotAllowed(exchange.method, route.methods)
            caller = Caller() if route.pattern in PUBLIC else await self._caller(exchange)
            await handler(self, exchange, caller, *route.arguments)
        except Disconnected:
            pass
        except BrokenOff:
            raise
        except Exception as exc:  # noqa: BLE001 - the outermost handler, which answers it
            await exchange.answer_error(exc, debug=self.debug)

    async def _answer_options(self, exchange: Exchange, route: Route) -> None:
        headers = [(b"allow", ", ".join(route.methods).encode())]
        headers += self.safety.preflight(exchange.headers, route.methods)
        await exchange.answer(204, headers=headers)

    async def _caller(self, exchange: Exchange) -> Caller:
        address = self.safety.client_address(exchange.incoming)
        if self._identify is None:
            return Caller(address=address)
        asked_at = time.monotonic()
        known: Any = self._identify(exchange.request)
        if isawaitable(known):
            known = await known
        if isinstance(known, Identity):
            caller = Caller(
                owner=known.owner, address=address, expires_at=known.expires_at, asked_at=asked_at
            )
            if caller.has_expired:
                raise Unauthorized
            return caller
        if known is not None and not isinstance(known, str):
            raise UsageError("identify returns a name, an Identity, or None for the anonymous.")
        return Caller(owner=known, address=address, asked_at=asked_at)

    # Access that ends while a response is open.

    async def disconnect(self, owner: str, *, cancel_runs: bool = False) -> None:
        """End every open response to ``owner``, because their access was revoked.

        Streams end so that their clients reconnect; waiting answers and polls are 401. The next
        request is identified again and must be refused: revoke the session first. In other
        processes that share the store this takes effect within two sweeps. Later requests, by
        somebody who has signed in again, are answered.

        The owner's runs continue, and stop like any run without readers; with ``cancel_runs``
        they are cancelled, in every process.

        Raises:
            UsageError: If ``owner`` is not a name.
            StoreError: If the store failed. The responses of this process have ended; call again
                to inform the others.
        """
        if not isinstance(owner, str):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
            raise UsageError(f"disconnect takes a name that identify gave, not {owner!r:.100}.")
        await self.ready()
        await self.sign_outs.revoke(owner)
        if cancel_runs:
            for status in (Status.PENDING, Status.RUNNING):
                await self._cancel_runs(owner, status)

    async def _cancel_runs(self, owner: str, status: Status) -> None:
        before: str | None = None
        while runs := await self.find(Query(owner=owner, status=status, before=before)):
            before = runs[-1].id
            for run in runs:
                with suppress(NotFound):
                    await self.cancel(run.id)

    async def sweep(self) -> None:
        """Run time-based maintenance, of runs and of revoked access."""
        try:
            await self.sign_outs.catch_up()
        finally:
            await self.polls.settle()
            await super().sweep()

    def check(self, caller: Caller, /) -> None:
        """Return if the access of ``caller`` has neither expired nor been revoked.

        Raises:
            Unauthorized: If it has.
        """
        self.sign_outs.check(caller)

    def reader_for(self, caller: Caller, run: RunRecord, *, is_needed: bool = True) -> Reader:
        """Return a reader that ends with its caller's access, and early when the server stops.

        The store is told about it only if it ``is_needed`` to keep the run alive.
        """
        reader = self.reader(run.id, is_needed=is_needed and needs_readers(run))
        reader.caller = caller
        if self._lifetime.is_closing:
            reader.leave()
        if caller.owner is not None and self.sign_outs.has(caller):
            reader.revoke()
        return reader

    def attend(
        self, exchange: Exchange, reader: Reader, work: Coroutine[Any, Any, T]
    ) -> Awaitable[T]:
        """Return the result of ``work`` for an open response.

        Raises:
            Disconnected: If the client left.
        """
        every = self.timing.reauthorize
        if every is None or reader.caller.owner is None:
            return self.disconnects.until_disconnect(exchange.receive, work)
        return self._attend_and_ask(exchange, reader, work, every)

    async def _attend_and_ask(
        self, exchange: Exchange, reader: Reader, work: Coroutine[Any, Any, T], every: float
    ) -> T:
        async def ask() -> Caller:
            caller = await self._caller(exchange)
            await self.get(reader.run_id, caller)
            return caller

        asking = (await self.ready()).tasks.own(ask_again(reader, ask, every))
        try:
            return await self.disconnects.until_disconnect(exchange.receive, work)
        finally:
            asking.cancel()

    @contextmanager
    def slot(self, caller: Caller) -> Generator[None, None, None]:
        """Count an open stream of the caller's while it lasts.

        Raises:
            RateLimited: If the caller has too many.
        """
        quota, streams = caller.quota_key, self._open_streams
        if streams[quota] >= self.request_limits.streams:
            raise RateLimited(
                f"At most {self.request_limits.streams} streams at a time; close one, or poll."
            )
        streams[quota] += 1
        try:
            yield
        finally:
            streams[quota] -= 1
            if not streams[quota]:
                del streams[quota]
