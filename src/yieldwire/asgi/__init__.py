"""The application over HTTP and WebSocket: one ASGI application, alone or mounted in another."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol, TypeVar

from starlette.types import Receive, Scope, Send

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.declare import Declare, DeclareFeed
from yieldwire.actions.function import name_of
from yieldwire.actions.guard import Guards
from yieldwire.actions.middleware import Middlewares
from yieldwire.actions.resource import Resource
from yieldwire.actions.start import Starter
from yieldwire.app import App
from yieldwire.app.configuration import EXECUTOR, STORE
from yieldwire.app.working import Depth
from yieldwire.asgi import openapipage
from yieldwire.asgi.disconnect import Disconnected
from yieldwire.asgi.host import Identify
from yieldwire.asgi.pages import Pages
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.routes import ROUTES
from yieldwire.asgi.safety import Hosts, Networks, Origins, Safety
from yieldwire.asgi.site import Site
from yieldwire.asgi.websocket import Sockets
from yieldwire.clock import CLOCK, Clock, Timing
from yieldwire.describe.openapi import OpenAPI
from yieldwire.errors import UsageError
from yieldwire.executors import Executor, RunLimits
from yieldwire.executors.engine import Engine
from yieldwire.hooks import HOOKS, Hooks
from yieldwire.runs.access import Access
from yieldwire.runs.handle import Runs
from yieldwire.runs.signing import PublicURL, Secrets, Signer
from yieldwire.setting import Count, settings
from yieldwire.stores import RunStore
from yieldwire.webhooks import WEBHOOKS, Webhook, WebhookFor

T = TypeVar("T")


@settings
class Actions:
    """Actions as one ASGI application.

    Mount it anywhere (``app.mount("/api/_actions", actions)``) or serve it alone. Mounted
    applications are not told when the server stops: compose ``actions.lifespan`` into yours,
    so that running actions can finish.

    Args:
        identify: Identifies the caller of every request. Without it everybody is anonymous.
        access: Widens who can see a run beyond its owner.
        store: Where runs are kept.
        executor: Decides where runs are executed, by default in the process that starts them; or
            an engine, which carries the runs of queues to workers; or a function that starts a job
            elsewhere for a run's id.
        secret: Signs links for people without an account: at least 32 characters, or a list of
            such secrets, of which the first signs and all are accepted.
        url: The URL at which browsers reach this application, for those links.
        guards: Runs once at each start, in order.
        middleware: Wraps every attempt, in order.
        origins: Other origins whose pages can call, ``("https://app.example.com",)``.
        hosts: ``Host`` names that are answered; on loopback only loopback names by default.
        trusted_proxies: Addresses and networks whose ``X-Forwarded-For`` is trusted.
        request_limits: How large a request can be.
        pages: How the pages look that people see after a plain HTML form.
        openapi: What the OpenAPI document says that the actions cannot; see `OpenAPI`.
        run_limits: The limits for one run.
        timing: How long things can take.
        max_runs: Runs that one caller can have at a time, over all actions.
        hooks: Watch what happens to runs; see `Hooks`.
        webhooks: Tell other services about runs, by signed requests; see `Webhook`.
        webhook_for: Says to which other URLs the start of a run can have a webhook sent, and how;
            by default to none.
        debug: Whether errors show callers the details of an unexpected exception: its type, its
            message, its traceback. For development only.
        checks_chunks: Whether each chunk is checked against its declared type; always on under
            ``yieldwire dev``. A chunk that does not match fails its run.
        clock: The source of time; tests pass one that they control.

    Raises:
        UsageError: If a setting is invalid.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        *,
        identify: Identify | None = None,
        access: Access | None = None,
        store: Annotated[str | RunStore, STORE] = "memory",
        executor: Annotated[Executor | Engine | Callable[[str], object], EXECUTOR] | None = None,
        secret: Secrets | None = None,
        url: PublicURL | None = None,
        guards: Guards = (),
        middleware: Middlewares = (),
        origins: Origins = (),
        hosts: Hosts | None = None,
        trusted_proxies: Networks = (),
        request_limits: RequestLimits | None = None,
        pages: Pages | None = None,
        openapi: OpenAPI | None = None,
        run_limits: RunLimits | None = None,
        timing: Timing | None = None,
        max_runs: Count | None = 1000,
        hooks: Annotated[Sequence[Hooks], HOOKS] = (),
        webhooks: Annotated[Sequence[Webhook], WEBHOOKS] = (),
        webhook_for: WebhookFor | None = None,
        debug: bool = False,
        checks_chunks: bool = False,
        clock: Annotated[Clock, CLOCK] | None = None,
    ) -> None:
        self.app: Final = App(
            store=store,
            executor=executor,
            signer=Signer(secret, url),
            access=access,
            guards=guards,
            middleware=middleware,
            run_limits=run_limits,
            timing=timing,
            max_runs=max_runs,
            hooks=hooks,
            webhooks=webhooks,
            webhook_for=webhook_for,
            debug=debug,
            checks_chunks=checks_chunks,
            clock=clock,
        )
        safety = Safety(origins, hosts, trusted_proxies)
        self.site: Final = Site(
            self.app,
            {**ROUTES, **openapipage.routes()} if openapi and openapi.page else ROUTES,
            identify=identify,
            safety=safety,
            limits=request_limits,
            pages=pages,
            openapi=openapi,
        )
        self.sockets: Final = Sockets(self.site)

    @property
    def action(self) -> Declare:
        """Turn a function into an action, as ``@actions.action`` or with options; see `Declare`.

        The function still works as before: calling the action calls it.

        Raises:
            InvalidAction: If the function cannot be an action, or its name is taken.
        """
        return self.app.action

    @property
    def feed(self) -> DeclareFeed:
        """Turn a function that streams into a feed: a read-only action that GET starts.

        As ``@actions.feed`` or with options: ``shared=True`` has one run for all readers with the
        same input, ``keep=100`` keeps that many of its newest events; see `DeclareFeed`.

        Raises:
            InvalidAction: If the function cannot be a feed, or its name is taken.
        """
        return self.app.feed

    def resource(self, opener: Callable[[], AsyncIterator[T]]) -> Resource[T]:
        """Declare an async generator that opens something once per process, and closes it.

        Raises:
            UsageError: If it is not an async generator without parameters.

        Example:
            >>> @actions.resource  # doctest: +SKIP
            ... async def pool() -> AsyncIterator[Pool]:
            ...     async with Pool() as opened:
            ...         yield opened
        """
        return self.app.registry.resource(opener)

    def include(self, other: "Actions") -> None:
        """Add the actions and resources of ``other``.

        Each action keeps its options. The guards and middleware of ``other`` stay with its
        actions: they run inside this application's, and outside the action's own. Its other
        settings, such as ``identify`` and ``store``, are ignored.

        Raises:
            InvalidAction: If a name is taken.
            UsageError: If ``other`` is not an `Actions`.
        """
        if not isinstance(other, Actions):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
            raise UsageError(f"{name_of(other)}: only an application's actions can be included.")
        self.app.registry.include(other.app.registry)

    def __getattr__(self, name: str) -> "BoundAction":
        # Only asked for what is not an attribute.
        app = self.__dict__.get("app")
        action = None if app is None else app.registry.find(name)
        if action is None:
            raise AttributeError(
                f"{type(self).__name__} has no attribute {name!r}, and no action of that name.",
                name=name,
                obj=self,
            )
        return BoundAction(self, action)

    def mount(self, dialect: "Mountable") -> None:
        """Answer the clients of a dialect too, at this application's own URLs.

        The dialect takes the requests of its clients; all others are answered as before.
        """
        dialect.join(self)

    @property
    def start(self) -> Starter[Context]:
        """Start a detached run: ``await actions.start(count, to=3)``; see `Starter`."""
        return self.app.start

    @property
    def runs(self) -> Runs:
        """Find the runs of this application: ``await actions.runs.get(run_id)``; see `Runs`."""
        return self.app.runs

    async def queues(self) -> Mapping[str, Depth]:
        """Return how many runs wait in each queue, and for how long the oldest has.

        Raises:
            StoreError: If the store failed.
        """
        await self.app.ready()
        return await self.app.working.depths()

    def drain(self) -> None:
        """Accept no new runs, and let every reader end at its next block, to reconnect later."""
        self.app.lifetime.drain()

    def force_shutdown(self) -> None:
        """Make the current or the next close give running actions no more time."""
        self.app.lifetime.force_shutdown()

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
        await self.site.disconnect(owner, cancel_runs=cancel_runs)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None, None]:
        """Open now and close at the end, for the application in which this one is mounted.

        It can be used any number of times and in any event loop; of overlapping lifespans, the
        last one to end closes the application.

        Raises:
            StoreError: If the store cannot be used.
            UsageError: If it is open in another event loop, which is running.
        """
        async with self.app.lifetime.held():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        match scope["type"]:
            case "http":
                # As `Site.answer`, without its frame: an open stream would keep that.
                rest = await self.site.begin(self.site.exchange(scope, receive, send))
                try:
                    if rest is not None:
                        await rest
                except Disconnected:
                    return
            case "lifespan":
                await self._live(receive, send)
            case _:
                await self.sockets.answer(scope, receive, send)

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


@dataclass(frozen=True, slots=True)
class BoundAction:
    """An action with the application that it belongs to: ``actions.chat``, for a dialect.

    For an action that has the name of a method of `Actions`, create one.
    """

    actions: Actions
    action: Action[..., Any, Any]


class Mountable(Protocol):
    """What `Actions.mount` takes: a dialect without an application of its own."""

    def join(self, actions: Actions, /) -> None:
        """Take the requests of the dialect's clients to ``actions``."""
        ...
