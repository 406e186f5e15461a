"""The contract of a dialect: a foreign client's requests and bytes, over the same runs.

A dialect is one file: a `Dialect`, which reads requests and calls the verbs of `ForeignCall`, and
a `DialectEncoder` for each format that it streams. Identifying callers, origins, limits, ownership,
validation, disconnects, keepalives and backpressure are handled here and below, as for native
clients.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from starlette.types import Receive, Scope, Send

from yieldwire.asgi import Actions, BoundAction
from yieldwire.asgi.exchange import Exchange, Headers
from yieldwire.asgi.route import Route
from yieldwire.asgi.site import Site
from yieldwire.asgi.websocket.message import Said
from yieldwire.asgi.websocket.socket import Speech
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.channel import ForeignChannel
from yieldwire.dialects.head import Head, Reply, send_reply
from yieldwire.dialects.input import AnyAction
from yieldwire.errors import ErrorObject, UsageError
from yieldwire.runs.access import Caller


class Dialect(ABC):
    """Lets a foreign client, unmodified, call actions.

    It is an ASGI application for one action, ``app.mount("/api/chat", AISDK(actions.chat))``, or
    for all actions of an application, ``app.mount("/nuxt", NuxtActions(actions))``. Without a
    target, ``actions.mount(NuxtActions())`` lets it take its clients' requests at the
    application's own URLs.

    Args:
        target: One action, ``actions.chat``, or an application.
        waits_for_answers: Whether a run that asks a question, which this client cannot answer,
            waits for somebody else to answer it. By default such a run is cancelled, so that the
            client does not wait forever, unless the question has a time limit.

    Raises:
        UsageError: If ``target`` is something else.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST",)
    """The HTTP methods that the client uses; ``HEAD`` gets an empty 200 if it is not one."""

    def __init__(
        self,
        target: BoundAction | Actions | None = None,
        *,
        waits_for_answers: bool = False,
    ) -> None:
        if not isinstance(target, (BoundAction, Actions, type(None))):
            raise UsageError(
                f"{type(self).__name__} takes an action of an application, such as actions.chat, "
                f"or an application, not {target!r:.100}."
            )
        self._actions: Actions | None
        self._own: AnyAction | None = None
        if isinstance(target, BoundAction):
            self._actions, self._own = target.actions, target.action
        else:
            self._actions = target
        self._waits: Final = waits_for_answers

    @abstractmethod
    async def answer(self, call: ForeignCall) -> None:
        """Answer one request: read it, and call the verbs of ``call``.

        Raises:
            YieldwireError: Any error, which `refusal` tells the client.
        """

    @abstractmethod
    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return what tells the client an error before the first frame of a stream."""

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether a request at the application's own URLs comes from this dialect's client.

        A dialect whose client cannot be recognized has URLs of its own.
        """
        return False

    def spoken(self) -> Speech | None:
        """Return what this client speaks over a WebSocket; ``None``: it does not."""
        return None

    def speech(
        self,
        read: Callable[[str | bytes], Sequence[Said]],
        channel: type[ForeignChannel],
    ) -> Speech:
        """Return a protocol whose requests are answered as those over HTTP.

        Args:
            read: Returns what a message says.
            channel: Makes messages of an answer.
        """

        def route(exchange: Exchange) -> Route:
            exchange.has_runs = False
            return self._route(exchange)

        return Speech(read=read, channel=channel, route=route, is_native=False)

    # Mounting.

    def join(self, actions: Actions, /) -> None:
        """Take this client's requests to ``actions``; see `Actions.mount`.

        Raises:
            UsageError: If the dialect has a target.
        """
        if self._actions is not None:
            raise UsageError("This dialect has a target: mount it in your own application.")

        def router(exchange: Exchange) -> Route | None:
            return self._route(exchange) if self.takes(actions, Head(exchange)) else None

        actions.site.routers.append(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application.

        Raises:
            UsageError: If it has no target.
        """
        if self._actions is None:
            name = type(self).__name__
            raise UsageError(f"Say what is called: {name}(actions.chat), or {name}(actions).")
        if scope["type"] == "websocket" and (speech := self.spoken()) is not None:
            await self._actions.sockets.answer(scope, receive, send, speech)
            return
        if scope["type"] != "http":
            await self._actions(scope, receive, send)
            return
        site = self._actions.site
        exchange = site.exchange(scope, receive, send)
        exchange.has_runs = False
        await site.answer(exchange, self._route(exchange))

    def _route(self, exchange: Exchange) -> Route:
        async def refuse(error: ErrorObject, headers: Headers) -> None:
            exchange.extra += headers
            await send_reply(exchange, self.refusal(Head(exchange), error))

        exchange.refuse = refuse
        return Route(("",), dict.fromkeys(self.methods, self._handle))

    async def _handle(self, site: Site, exchange: Exchange, caller: Caller) -> None:
        if exchange.method == "HEAD" and "HEAD" not in self.methods:
            await exchange.answer(200)
            return
        with site.slot(caller) as slot:
            await self.answer(ForeignCall(site, exchange, slot, own=self._own, waits=self._waits))
