"""A client of the Model Context Protocol by hand: messages in, messages out."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_core import from_json

from tests.support.calls import Call, Fields, Stream, post, send, stream
from yieldwire import Actions

META = "io.modelcontextprotocol/"
STATELESS = "2026-07-28"


class Agent:
    """One client. Without a version it is of 2025, and begins with a handshake."""

    def __init__(
        self,
        app: Actions,
        headers: Fields = (),
        *,
        version: str = "2025-11-25",
        capabilities: dict[str, Any] | None = None,
    ) -> None:
        self._app, self._headers, self._version = app, headers, version
        self._capabilities = capabilities or {}
        self._id, self.session = 0, ""
        self.status = 0

    async def begin(self) -> Any:  # noqa: ANN401 - JSON
        """Shake hands, and return what the server is."""
        params = {
            "protocolVersion": self._version,
            "capabilities": self._capabilities,
            "clientInfo": {"name": "agent", "version": "1"},
        }
        call = self._call({"id": 0, "method": "initialize", "params": params})
        heard = await send(self._app, call)
        self.session = heard.headers["mcp-session-id"]
        return heard.json()["result"]

    async def ask(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a request, and return its response."""
        return (await self.messages(method, **params))[-1]

    async def result(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - JSON
        """Send a request, and return its result."""
        return (await self.ask(method, **params))["result"]

    async def messages(self, method: str, **params: Any) -> list[Any]:  # noqa: ANN401 - JSON
        """Send a request, and return every message of its answer."""
        heard = await send(self._app, self._request(method, params))
        self.status = heard.status
        return messages_of(heard.body)

    @asynccontextmanager
    async def asking(self, method: str, **params: Any) -> AsyncGenerator[AsyncIterator[Any], None]:  # noqa: ANN401 - JSON
        """Send a request, and give its messages as they come; leaving closes the stream."""
        async with stream(self._app, self._request(method, params)) as answer:
            yield _messages_in(answer)

    async def tell(self, **message: Any) -> int:  # noqa: ANN401 - JSON
        """Send a notification or a response, and return the status of its answer."""
        return (await send(self._app, self._call(message))).status

    def _request(self, method: str, params: dict[str, Any]) -> Call:
        self._id += 1
        if self._version == STATELESS:
            own = {
                f"{META}protocolVersion": STATELESS,
                f"{META}clientCapabilities": self._capabilities,
            }
            params["_meta"] = {**params.get("_meta", {}), **own}
        return self._call({"id": self._id, "method": method, "params": params})

    def _call(self, message: dict[str, Any]) -> Call:
        headers = [
            *self._headers,
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", self._version),
            ("mcp-method", message.get("method", "")),
        ]
        params = message.get("params", {})
        named = next((params[key] for key in ("name", "uri", "taskId") if key in params), None)
        if named is not None:
            headers.append(("mcp-name", named))
        if self.session:
            headers.append(("mcp-session-id", self.session))
        return post("/mcp", {"jsonrpc": "2.0", **message}, headers)


async def _messages_in(answer: Stream) -> AsyncIterator[Any]:
    async for piece in answer.pieces():
        for message in messages_of(piece):
            yield message


def messages_of(body: bytes) -> list[Any]:
    """Return the messages of an answer, whole or streamed."""
    if body.startswith(b"{"):
        return [from_json(body)]
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [from_json(line.removeprefix(b"data: ")) for line in lines]
