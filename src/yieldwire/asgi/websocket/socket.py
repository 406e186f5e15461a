"""One socket: reads what the client says, and answers each of its requests in a task of its own."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.types import Message, Receive, Send

from yieldwire.asgi.exchange import BrokenOff, Exchange
from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.route import Route
from yieldwire.asgi.servers import is_servers_own_socket
from yieldwire.asgi.site import Site
from yieldwire.asgi.streaming import retry_ms
from yieldwire.asgi.websocket.channel import MORE_BYTES, Channel, Write
from yieldwire.asgi.websocket.handshake import Handshake
from yieldwire.asgi.websocket.message import (
    Asked,
    BadMessage,
    Echo,
    Granted,
    Leaving,
    NewToken,
    Piece,
    RequestId,
    Said,
    read_native,
)
from yieldwire.codecs.websocket import CloseCode, text_of
from yieldwire.deadline import rest_of
from yieldwire.errors import CallError, ProtocolError, RateLimited
from yieldwire.tasks import Tasks

logger: Final = logging.getLogger("yieldwire.asgi")

MAX_MESSAGE_BYTES: Final = 1024 * 1024
"""Bytes of a message; servers have limits of their own, of which the smaller one counts."""
ROOM_BYTES: Final = 16 * MORE_BYTES
"""Bytes that the uploads over one socket share, in addition to a page for each."""
TOKEN_SECONDS: Final = 10.0
"""How long a client that must authenticate can take to send a token."""


def _by_path(_: Exchange) -> Route | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A protocol that is spoken over a socket; by default the native one.

    Attributes:
        read: Returns what a message says. Raises `BadMessage` or `ProtocolError`.
        channel: Returns a request's channel, which makes messages of its answer.
        route: Returns the route of a request; ``None``: by its path.
        is_native: Whether a client can be told that an answer is broken off, and that the server
            stops. To other clients, the end of the socket says so.
    """

    read: Callable[[str | bytes], Sequence[Said]] = read_native
    channel: Callable[[Asked, Write, Allowance], Channel] = Channel
    route: Callable[[Exchange], Route | None] = _by_path
    is_native: bool = True


class Socket:
    """An open socket and the requests over it.

    Args:
        speech: What is spoken.
        site: The application that answers.
        handshake: What opened the socket.
        receive: Receives from the client.
        send: Sends to the client.
        tasks: The owner of the tasks that answer.
    """

    def __init__(
        self,
        site: Site,
        handshake: Handshake,
        receive: Receive,
        send: Send,
        tasks: Tasks,
        speech: Speech,
    ) -> None:
        self._speech: Final = speech
        self._site, self._handshake, self._tasks = site, handshake, tasks
        self._receive, self._send = receive, send
        self._sends_from_any_task: Final = is_servers_own_socket(send)
        self._channels: dict[RequestId, Channel] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._room = Allowance(ROOM_BYTES)
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[CloseCode | None] = self._loop.create_future()
        self._active_at = self._loop.time()

    async def run(self, *, is_known: bool) -> None:
        """Answer until the client leaves, or must; ``is_known`` says that it has authenticated."""
        self._watching = self._loop.call_later(self._site.app.timing.socket_idle, self._watch)
        waiting = None if is_known else self._loop.call_later(TOKEN_SECONDS, self._check_token)
        reading = self._tasks.own(self._read(), lambda _: self.end(None))
        try:
            code = await self._over
        finally:
            self._watching.cancel()
            if waiting is not None:
                waiting.cancel()
            reading.cancel()
            for channel in list(self._channels.values()):
                channel.leave()
        if self._answering:
            await asyncio.wait(self._answering)
        if code is not None:
            await self._close(code)

    def end(self, code: CloseCode | None) -> None:
        """End the socket; ``None``: the client has gone."""
        if not self._over.done():
            self._over.set_result(code)

    async def _close(self, code: CloseCode) -> None:
        rest = rest_of(self._send({"type": "websocket.close", "code": int(code)}))
        if rest is not None and code is not CloseCode.STALLED:
            with suppress(TimeoutError):
                await rest.within(self._site.app.timing.stall_timeout)

    def _watch(self) -> None:
        """Close the socket if it is idle."""
        idle = self._site.app.timing.socket_idle
        left = idle if self._channels else self._active_at + idle - self._loop.time()
        if left <= 0:
            self.end(CloseCode.IDLE)
        else:
            self._watching = self._loop.call_later(left, self._watch)

    def _check_token(self) -> None:
        if self._handshake.token is None:
            self.end(CloseCode.UNAUTHORIZED)

    def drain(self) -> None:
        """Close the socket when the answers that are open have ended."""
        self._tasks.own(self._leave())

    async def _leave(self) -> None:
        if self._answering:
            await asyncio.wait(self._answering)
        if self._speech.is_native:
            await self._write(text_of({"retryMs": retry_ms()}))
        self.end(CloseCode.RESTART)

    # From the client.

    async def _read(self) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            fault = self._take(message)
            if fault is not None:
                self.end(fault)
                return

    def _take(self, message: Message) -> CloseCode | None:
        """Take a message, and return why the socket must be closed, if it must."""
        text, data = message.get("text"), message.get("bytes")
        if len(text or data or "") > MAX_MESSAGE_BYTES:
            return CloseCode.TOO_LARGE
        try:
            every = self._speech.read((data or b"") if text is None else text)
        except ProtocolError:
            return CloseCode.BAD_MESSAGE
        except BadMessage as bad:
            if bad.id is None:
                return CloseCode.BAD_MESSAGE
            self._refuse(bad.id, bad.error)
            return None
        return next(filter(None, map(self._do, every)), None)

    def _do(self, said: Said) -> CloseCode | None:
        match said:
            case Asked():
                self._ask(said)
            case Echo():
                self._active_at = self._loop.time()
                self._tasks.own(self._write(said.text))
            case Piece() if said.id in self._channels:
                is_granted = self._channels[said.id].take(said.data)
                return None if is_granted else CloseCode.BAD_MESSAGE
            case NewToken():
                self._handshake.token = said.token
            case Granted() if said.id in self._channels:
                self._channels[said.id].grant(said.credit)
            case Leaving() if said.id in self._channels:
                self._channels[said.id].leave()
            case _:
                pass  # of an answer that has ended meanwhile
        return None

    # Answers.

    def _ask(self, asked: Asked) -> None:
        most = self._site.request_limits.socket_requests
        if asked.id in self._channels:
            self.end(CloseCode.BAD_MESSAGE)
        elif len(self._channels) >= most:
            self._refuse(asked.id, RateLimited(f"At most {most} requests at a time over a socket."))
        else:
            channel = self._speech.channel(asked, self._write, self._room)
            self._channels[asked.id] = channel
            self._answering.add(self._tasks.own(self._answer(asked, channel), self._end_answer))

    def _end_answer(self, task: "asyncio.Task[None]") -> None:
        self._answering.discard(task)

    async def _answer(self, asked: Asked, channel: Channel) -> None:
        stall_timeout, pages = self._site.app.timing.stall_timeout, self._site.pages
        exchange = Exchange(
            self._handshake.scope(asked),
            channel.receive,
            channel.send,
            stall_timeout=stall_timeout,
            pages=pages,
            sends_from_any_task=self._sends_from_any_task,
        )
        try:
            try:
                await self._site.answer(exchange, self._speech.route(exchange))
            except BrokenOff:
                pass
            except Exception:
                logger.exception("an answer over a socket failed")
            if not channel.has_ended and self._speech.is_native:
                await channel.abort()
            elif not (channel.has_ended or channel.has_left):
                self.end(CloseCode.RESTART)
        finally:
            channel.leave()
            del self._channels[channel.id]
            self._active_at = self._loop.time()

    def _refuse(self, id: RequestId, error: CallError) -> None:
        if len(self._answering) > 2 * self._site.request_limits.socket_requests:
            self.end(CloseCode.STALLED)  # it does not read the refusals
            return
        asked = Asked(id=id, method="GET", target="/", headers={}, body=b"", credit=1)
        channel = self._speech.channel(asked, self._write, self._room)
        exchange = Exchange(
            self._handshake.request(), channel.receive, channel.send, stall_timeout=math.inf
        )
        self._speech.route(exchange)
        self._answering.add(self._tasks.own(exchange.answer_error(error), self._end_answer))

    async def _write(self, text: str) -> None:
        """Send a message in its turn: one waits for the socket, and the others for that."""
        async with self._turn:
            if self._over.done():
                return
            try:
                rest = rest_of(self._send({"type": "websocket.send", "text": text}))
                if rest is not None:
                    # Events are also sent by the task of their run: the time limit belongs to the
                    # one that awaits what is left, which continues here.
                    await asyncio.sleep(0)
                    await rest.within(self._site.app.timing.stall_timeout)
            except TimeoutError:
                self.end(CloseCode.STALLED)
            except (OSError, RuntimeError):  # the client has gone
                self.end(None)
