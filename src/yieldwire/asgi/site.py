"""Serves an application over HTTP: callers, open responses, and request limits."""

import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from inspect import isawaitable
from typing import Any, Final, Self, TypeAlias

from starlette.types import Receive, Scope, Send

from yieldwire.actions.ratelimit import Window
from yieldwire.app import App
from yieldwire.app.health import Health
from yieldwire.app.opening import Opening
from yieldwire.asgi import signals, workers
from yieldwire.asgi.disconnect import Disconnected, DisconnectWatch
from yieldwire.asgi.exchange import LINKED, BrokenOff, Exchange
from yieldwire.asgi.host import HostAnswer, HostFailure, Identify, answer_as_host, host_of
from yieldwire.asgi.negotiation import Formats
from yieldwire.asgi.pages import Pages
from yieldwire.asgi.presence import Polls
from yieldwire.asgi.requestlimits import Allowance, RequestLimits
from yieldwire.asgi.route import PUBLIC, Rest, Route, Table, match
from yieldwire.asgi.safety import Safety
from yieldwire.asgi.signout import SignOuts, ask_again
from yieldwire.describe.openapi import OpenAPI
from yieldwire.errors import MethodNotAllowed, NotFound, RateLimited, Unauthorized, UsageError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import needs_readers
from yieldwire.runs.access import Caller, Identity, anonymous, caller_with
from yieldwire.runs.reader import PAGE_BYTES, Reader
from yieldwire.stores import Query
from yieldwire.tasks import give_way

TEST_STREAMS: Final = 10
"""Test streams of a process at a time: they are for people who look for a fault."""
LOOK_SECONDS: Final = 0.2
"""How long a run whose events go to a file first can take until it needs a reader."""

_ERROR: Final = EventType.ERROR
_FOR_BALANCERS: Final = frozenset({"/health", "/health/", "/health/live", "/health/live/"})
"""Paths that are answered for every host name: balancers ask by the address of a process."""

Router: TypeAlias = Callable[[Exchange], Route | None]
"""Returns the route of a request that it takes, from its head alone."""


class Site:
    """The state shared by all requests to one application.

    Args:
        app: The application.
        routes: The URLs that are answered.
        identify: Identifies the caller of each request; ``None``: every caller is anonymous.
        safety: Which requests are answered at all.
        limits: How large a request and its answer can be; ``None``: the defaults.
        pages: How the pages look that people see; ``None``: as the package has them.
        openapi: What the OpenAPI document says in addition; ``None``: nothing.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        app: App,
        routes: Table,
        *,
        identify: Identify | None,
        safety: Safety,
        limits: RequestLimits | None,
        pages: Pages | None,
        openapi: OpenAPI | None = None,
    ) -> None:
        self.app: Final = app
        self.safety: Final = safety
        self.request_limits: Final = limits or RequestLimits()
        self.pages: Final = pages or Pages()
        self.openapi: Final = openapi or OpenAPI()
        self.link_requests: Final = Window(self.request_limits.links, 60.0)
        self.place_requests: Final = Window(self.request_limits.places, 60.0)
        self.answers: Final = Allowance(self.request_limits.answers_bytes)  # of JSON's events
        self.test_streams: Final = Allowance(TEST_STREAMS)
        self.routes = routes
        """The routes; the developer page puts its own first."""
        self.routers: Final[list[Router]] = []
        """Asked before the routes: those of dialects, which take their clients' requests."""
        self.formats: Final = Formats()
        self.health: Health = Health(app)
        self.polls: Final = Polls(app.store, app.clock)
        self.sign_outs: Final = SignOuts(app.store)
        self.identify: Final = identify
        is_file = app.store.reach == "machine"
        self.look_wait: Final = min(LOOK_SECONDS, app.timing.head_wait) if is_file else 0.0
        """How long a stream's first look waits for the run's first events."""
        self._open_streams = dict[str, int]()
        app.check = self.sign_outs.check
        app.at_opening.append(self._enter)
        app.at_sweep.append(self._maintain)

    def _enter(self, opening: Opening) -> None:
        """Handle the process's stop signals while ``opening`` is open."""
        self._tasks = opening.tasks
        self.health = Health(self.app)
        self.sign_outs.readers = opening.readers
        self._open_streams = {}
        signals.listen(self.hear)
        opening.at_end.callback(signals.forget, self.hear)
        if self.app.store.reach == "process":
            workers.tell()

    def identifies(self, exchange: Exchange) -> bool:
        """Whether the caller can be more than anonymous."""
        return (host_of(exchange).identify or self.identify) is not None

    def hear(self, number: int) -> None:
        """Start to stop, as the signal asks; after a second SIGINT, do not wait for actions."""
        if self.app.is_closing and number == signal.SIGINT:
            self.app.lifetime.force_shutdown()
        self.app.lifetime.drain()

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        """Return the exchange for one HTTP request."""
        stall_timeout = self.app.timing.stall_timeout
        return Exchange(scope, receive, send, stall_timeout=stall_timeout, pages=self.pages)

    async def answer(self, exchange: Exchange, route: Route | None = None) -> None:
        """Answer one request; ``route`` is how, if its transport knows already."""
        rest = await self.begin(exchange, route)
        if rest is not None:
            with suppress(Disconnected):
                await rest

    async def begin(self, exchange: Exchange, route: Route | None = None) -> Rest | None:
        """Answer one request, except for the part that can take long.

        The caller must await what this returns at once, as `answer` does. Its head was sent, so
        its errors are not answered.
        """
        if route is None and self.routers:
            route = next(filter(None, (router(exchange) for router in self.routers)), None)
        try:
            try:
                self.safety.check(exchange.incoming, any_host=exchange.path in _FOR_BALANCERS)
            finally:
                if self.safety.origins:
                    exchange.extra += self.safety.cors(exchange.headers)
            route = route or match(exchange.path, self.routes)
            if exchange.method == "OPTIONS":
                await self._answer_options(exchange, route)
                return None
            method = "GET" if exchange.method == "HEAD" else exchange.method
            handler = route.handlers.get(method)
            if handler is None:
                raise MethodNotAllowed(exchange.method, route.methods)
            caller = Caller() if route.pattern in PUBLIC else await self.caller(exchange)
            return await handler(self, exchange, caller, *route.arguments)
        except Disconnected:
            pass
        except BrokenOff:
            raise
        except HostAnswer as exc:
            await answer_as_host(exchange, exc)
        except HostFailure as exc:
            raise exc.__cause__ or exc from None
        except Exception as exc:  # noqa: BLE001 - the outermost handler, which answers it
            error = await exchange.answer_error(exc, debug=self.app.debug)
            self.app.watch.request_refused(exchange.method, exchange.path, error)
        return None

    async def _answer_options(self, exchange: Exchange, route: Route) -> None:
        headers = [(b"allow", ", ".join(route.methods).encode())]
        headers += self.safety.preflight(exchange.headers, route.methods)
        await exchange.answer(204, headers=headers)

    async def caller(self, exchange: Exchange) -> Caller:
        """Return who sends a request.

        Raises:
            Unauthorized: If the identity that ``identify`` gave has expired.
            Exception: Any error of ``identify``.
        """
        address = self.safety.client_address(exchange.incoming)
        if exchange.path.startswith(LINKED) and (share := exchange.share) is not None:
            return caller_with(self.app.signer.read(share), address)
        identify = host_of(exchange).identify or self.identify
        if identify is None:
            return anonymous(address)
        asked_at = time.monotonic()
        known: Any = identify(exchange.request)
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
        await self.app.ready()
        await self.sign_outs.revoke(owner)
        if cancel_runs:
            for status in (Status.PENDING, Status.RUNNING):
                await self._cancel_runs(owner, status)

    async def _cancel_runs(self, owner: str, status: Status) -> None:
        before: str | None = None
        while runs := await self.app.find(Query(owner=owner, status=status, before=before)):
            before = runs[-1].id
            for run in runs:
                with suppress(NotFound):
                    await self.app.cancel(run.id)

    async def _maintain(self) -> None:
        try:
            await self.sign_outs.catch_up()
        finally:
            await self.polls.settle()

    def reader_for(self, caller: Caller, run: RunRecord, *, is_needed: bool = True) -> Reader:
        """Return a reader that ends with its caller's access, and early when the server stops.

        The store is told about it only if it ``is_needed`` to keep the run alive.
        """
        reader = self.app.reader(run.id, is_needed=is_needed and needs_readers(run))
        reader.caller = caller
        if self.app.watch.has_readers:
            reader.run = run
        if self.app.is_closing:
            reader.leave()
        if caller.owner is not None and self.sign_outs.has(caller):
            reader.revoke()
        return reader

    async def look(
        self, caller: Caller, run: RunRecord, *, wait: float = 0.0
    ) -> Sequence[Block] | None:
        """Return what the log of a run has after others had a turn, and after ``wait`` seconds.

        Most short runs are over by then, and need no reader. ``None``: it needs one anyway.
        """
        app = self.app
        waits = run.linger is None or run.linger >= 2 * app.timing.keepalive
        if not waits or app.watch.has_readers:
            return None  # the store, or a hook, must be told of the reader first
        if not wait and app.store.reach != "process":
            return None  # looking is not cheap
        await give_way()
        page = await app.store.read(run.id, 0, max_bytes=PAGE_BYTES, wait=wait)
        if caller.owner is not None and (caller.has_expired or self.sign_outs.has(caller)):
            return None
        if app.debug or not page or page[-1].end is not _ERROR:
            return page
        return [block.without_debug() for block in page]

    def watch(self, exchange: Exchange) -> DisconnectWatch:
        """Return what ends the work for a request, as `Disconnected`, if its client leaves."""
        return DisconnectWatch(exchange.receive, self._tasks)

    def attend(self, exchange: Exchange, reader: Reader) -> AbstractContextManager[None]:
        """Return what ends an open response, as `Disconnected`, if its client leaves.

        Meanwhile the caller is identified again as often as that is asked for.
        """
        every = self.app.timing.reauthorize
        if every is None or reader.caller.owner is None:
            return self.watch(exchange)
        return self._attend_and_ask(exchange, reader, every)

    @contextmanager
    def _attend_and_ask(
        self, exchange: Exchange, reader: Reader, every: float
    ) -> Generator[None, None, None]:
        async def ask() -> Caller:
            caller = await self.caller(exchange)
            await self.app.get(reader.run_id, caller)
            return caller

        asking = self._tasks.own(ask_again(reader, ask, every))
        try:
            with self.watch(exchange):
                yield
        finally:
            asking.cancel()

    def slot(self, caller: Caller) -> "OpenStream":
        """Count an open stream of the caller's while it lasts.

        Raises:
            RateLimited: If the caller has too many.
        """
        quota, streams = caller.quota_key, self._open_streams
        if streams.get(quota, 0) >= self.request_limits.streams:
            raise RateLimited(
                f"At most {self.request_limits.streams} streams at a time; close one, or poll."
            )
        return OpenStream(streams, caller, quota)


class OpenStream:
    """One open stream, counted in ``streams`` for its caller while it is entered, once."""

    __slots__ = ("_depth", "_quota", "_streams", "caller")

    def __init__(self, streams: dict[str, int], caller: Caller, quota: str) -> None:
        self._streams, self._quota = streams, quota
        self.caller: Caller = caller
        self._depth = 0

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1:
            self._streams[self._quota] = self._streams.get(self._quota, 0) + 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        left = self._streams.pop(self._quota) - 1
        if left:
            self._streams[self._quota] = left
