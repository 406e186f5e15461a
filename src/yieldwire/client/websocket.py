"""Sends a client's requests over one WebSocket, and opens another when that is lost.

It has the interface of an HTTP client, `yieldwire.client.http.Http`, so whatever uses one needs
nothing else: retries, resuming and errors are the same.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic_core import from_json

from yieldwire.client.http import Answer, Timeouts
from yieldwire.client.socketanswer import (
    CREDIT_BYTES,
    ConnectError,
    ConnectTimeout,
    SocketAnswer,
    TransportError,
)
from yieldwire.codecs.websocket import (
    REQUEST_HEADERS,
    SUBPROTOCOL,
    head_and_body,
    message_of,
    text_of,
)
from yieldwire.errors import Json, MissingDependency, ProtocolError
from yieldwire.tasks import Tasks

try:
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
    from websockets.frames import CloseCode
except ImportError as _exc:
    raise MissingDependency("websockets", "websocket", "A client over WebSocket") from _exc

PIECE_BYTES: Final = 32_768
"""The size of a piece of a body."""
_INLINE_BYTES: Final = 65_536
"""The maximum size of a JSON body in the message of its request."""
_BEARER: Final = "Bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One request, as `SocketHttp.build_request` returns it."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | AsyncIterator[bytes] | None
    connect: float | None
    """How many seconds a handshake for it can take."""


class SocketHttp:
    """An HTTP client whose requests share one WebSocket at ``{url}/ws``."""

    def __init__(self, url: str) -> None:
        self._base: Final = url.rstrip("/")
        self._tasks: Final = Tasks()
        self._socket: _Socket | None = None
        self._opening = asyncio.Lock()

    def build_request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | AsyncIterator[bytes] | None,
        headers: Mapping[str, str],
        timeout: Timeouts,
    ) -> Sending:
        """Return a request."""
        path, lower = url.removeprefix(self._base), {}
        for name, value in headers.items():
            lower[name.lower()] = value
        return Sending(method=method, path=path, headers=lower, content=content, connect=timeout[0])

    async def send(self, request: Any, *, stream: bool) -> Answer:  # noqa: ANN401 - as HTTP's
        """Send a request, and return its answer when the head has come.

        Raises:
            ConnectError: If no socket could be opened.
            TransportError: If the socket was lost.
        """
        sending = cast("Sending", request)
        async with self._opening:
            socket = self._socket
            if socket is None or not socket.is_open:
                try:
                    socket = self._socket = await self._open(sending)
                except InvalidStatus as refused:
                    return _Refusal(refused)
        return await socket.ask(sending)

    async def aclose(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            await self._socket.close()
        await self._tasks.wait(None)

    async def _open(self, first: Sending) -> "_Socket":
        scheme, _, rest = self._base.partition("://")
        headers = {
            name: each for name, each in first.headers.items() if name not in REQUEST_HEADERS
        }
        try:
            connection = await connect(
                f"ws{scheme.removeprefix('http')}://{rest}/ws",
                subprotocols=cast("Any", [SUBPROTOCOL]),
                additional_headers=headers,
                compression=None,
                max_size=None,  # an answer at the end is one message, as large as it is
                open_timeout=first.connect,
            )
        except InvalidStatus:
            raise
        except TimeoutError as exc:
            raise ConnectTimeout(str(exc)) from exc
        except (OSError, EOFError, InvalidHandshake) as exc:
            raise ConnectError(str(exc) or type(exc).__name__) from exc
        socket = _Socket(connection, headers.get("authorization", ""))
        self._tasks.own(socket.read())
        return socket


class _Refusal:
    """The answer to a handshake that was refused."""

    def __init__(self, refused: InvalidStatus) -> None:
        response = refused.response
        self.status_code: Final = response.status_code
        self.reason_phrase: Final = response.reason_phrase
        self.headers: Final = {name.lower(): each for name, each in response.headers.raw_items()}
        self._body: Final = bytes(response.body or b"")

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        yield self._body

    async def aclose(self) -> None:
        """Do nothing: the connection is closed."""


class _Socket:
    """An open socket, and the answers over it."""

    def __init__(self, connection: ClientConnection, authorization: str) -> None:
        self._connection, self._authorization = connection, authorization
        self._answers: dict[int, SocketAnswer] = {}
        self._last_id = 0
        self.is_open = True
        """Whether requests can be sent."""

    async def read(self) -> None:
        """Hand what comes to its answers, until the socket is closed."""
        try:
            async for message in self._connection:
                if isinstance(message, str):
                    self._take(message)
        except WebSocketException:
            pass  # told to each answer
        except (ValueError, ProtocolError):
            await self._connection.close(CloseCode.PROTOCOL_ERROR)
        finally:
            self.is_open = False
            for answer in list(self._answers.values()):
                answer.lose(f"the socket was closed with {self._connection.close_code}")

    def _take(self, message: str) -> None:
        head, body = head_and_body(message)
        told: dict[str, Any] = from_json(head)
        if "retryMs" in told:
            self.is_open = False  # the server stops
        answer = self._answers.get(told.get("id", 0))
        if answer is not None:
            answer.take(told, body.encode())

    async def ask(self, sending: Sending) -> SocketAnswer:
        """Send a request, and return its answer when the head has come."""
        self._last_id += 1
        answer = self._answers[self._last_id] = SocketAnswer(self._last_id, self.say, self._forget)
        try:
            await self._authorize(sending.headers.get("authorization", ""))
            await self._send(sending, answer)
            await answer.has_head()
        except BaseException:
            await answer.aclose()
            raise
        return answer

    async def _authorize(self, authorization: str) -> None:
        if authorization != self._authorization and authorization.startswith(_BEARER):
            self._authorization = authorization
            await self.say({"token": authorization.removeprefix(_BEARER)})

    async def _send(self, sending: Sending, answer: SocketAnswer) -> None:
        own = {name: each for name, each in sending.headers.items() if name in REQUEST_HEADERS}
        head: dict[str, Json] = {"id": answer.id, "method": sending.method, "path": sending.path}
        head |= {"headers": own, "credit": CREDIT_BYTES}
        content = sending.content
        if content is None or (isinstance(content, bytes) and _is_inline(content, own)):
            await self.say(head, content or b"")
            return
        await self.say({**head, "pieces": True})
        async with aclosing(_pieces_of(content)) as pieces:
            async for piece in pieces:
                if not await answer.has_room_for(len(piece)):
                    return  # it is answered already
                await self.say_bytes(message_of(answer.id, piece))
        await self.say_bytes(message_of(answer.id, b""))

    async def say(self, head: Mapping[str, Json], body: bytes = b"") -> None:
        """Send a text message."""
        await self.say_bytes(text_of(head, body))

    async def say_bytes(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            TransportError: If the socket is closed.
        """
        try:
            await self._connection.send(message)
        except WebSocketException as exc:
            raise TransportError(str(exc)) from exc

    def _forget(self, number: int) -> None:
        """Take nothing more for an answer."""
        self._answers.pop(number, None)

    async def close(self) -> None:
        self.is_open = False
        await self._connection.close()


def _is_inline(content: bytes, headers: Mapping[str, str]) -> bool:
    return not content or (
        len(content) <= _INLINE_BYTES and headers.get("content-type") == "application/json"
    )


async def _pieces_of(content: bytes | AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    wholes = _single(content) if isinstance(content, bytes) else content
    async for whole in wholes:
        for at in range(0, len(whole), PIECE_BYTES):
            yield whole[at : at + PIECE_BYTES]


async def _single(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
