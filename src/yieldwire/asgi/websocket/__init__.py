"""The application over WebSocket: its requests and answers, many at a time over one connection.

Theory of operation. A socket carries the requests of `yieldwire.asgi.routes`, as HTTP does: each is
handed to the same site with a scope of its own, made of the handshake's headers and the request's.
So starting, access, reading and errors are the same, and a request is identified each time. Only
how bytes travel is here: `message` reads what the client says, `channel` is one request with its
credit, `socket` has them all, and `handshake` decides who can open one. A dialect replaces what is
said, by a `Speech` of its own, and nothing else.
"""

from typing import Final

from starlette.types import Receive, Scope, Send

from yieldwire.app.opening import Opening
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.host import HostAnswer
from yieldwire.asgi.site import Site
from yieldwire.asgi.websocket.handshake import Handshake, check, check_path, refusing, stranger
from yieldwire.asgi.websocket.socket import Socket, Speech
from yieldwire.errors import Unavailable

NATIVE: Final = Speech()


class Sockets:
    """The open sockets of one application."""

    def __init__(self, site: Site) -> None:
        self._site: Final = site
        self._open: Final = set[Socket]()
        site.app.at_opening.append(self._enter)

    def __len__(self) -> int:
        return len(self._open)

    def _enter(self, opening: Opening) -> None:
        opening.at_drain.append(self._drain)

    def _drain(self) -> None:
        for socket in list(self._open):
            socket.drain()

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, speech: Speech = NATIVE
    ) -> None:
        """Answer one handshake, and then the requests over the socket."""
        handshake = Handshake(scope)
        exchange = Exchange(handshake.request(), receive, refusing(send), stall_timeout=60.0)
        await receive()  # `websocket.connect`
        try:
            opening = await self._site.app.ready()
            if self._site.app.is_closing:
                raise Unavailable("The server is stopping.")
            if speech is NATIVE:
                check_path(exchange)
            caller = await check(self._site, exchange)
            slot = self._site.slot(caller or stranger(self._site, exchange))
        except Exception as exc:  # noqa: BLE001 - answered, as a request's is
            if handshake.can_answer and isinstance(exc, HostAnswer):
                await exchange.forward(exc.messages())
            elif handshake.can_answer:
                error = await exchange.answer_error(exc, debug=self._site.app.debug)
                self._site.app.watch.request_refused("GET", exchange.path, error)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        with slot:
            await send({"type": "websocket.accept", "subprotocol": handshake.subprotocol})
            socket = Socket(self._site, handshake, receive, send, opening.tasks, speech)
            self._open.add(socket)
            try:
                await socket.run(is_known=caller is not None)
            finally:
                self._open.discard(socket)
