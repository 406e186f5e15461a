"""A client of a dialect's socket, in process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message

from tests.support.calls import Fields
from tests.support.world import ALICE


class Wire:
    """What a client says and hears."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.sent.put_nowait({"type": "websocket.connect"})

    def say(self, value: object) -> None:
        """Send a message: a text or bytes as they are, or a value as JSON."""
        if isinstance(value, bytes):
            self.sent.put_nowait({"type": "websocket.receive", "bytes": value})
        else:
            text = value if isinstance(value, str) else to_json(value).decode()
            self.sent.put_nowait({"type": "websocket.receive", "text": text})

    async def next(self) -> Any:  # noqa: ANN401 - JSON, or a message that is not text
        """Return the next message."""
        async with asyncio.timeout(20):
            message = await self.heard.get()
        text: str | None = message.get("text")
        if text is None:
            return dict(message)
        return from_json(text) if text.startswith("{") else text

    async def until(self, *types: str) -> list[Any]:
        """Return what is told up to a message of one of these types."""
        told = [await self.next()]
        while told[-1]["type"] not in types:
            told.append(await self.next())
        return told


@asynccontextmanager
async def socket(
    app: ASGIApp, headers: Fields = ALICE, path: str = "/chat"
) -> AsyncGenerator[Wire]:
    """Open a socket, and leave it in the end."""
    wire = Wire()
    raw = [(name.encode(), value.encode()) for name, value in [*headers, ("host", "localhost")]]
    scope = {
        "type": "websocket",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "scheme": "ws",
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(_serve(app, scope, wire))
        yield wire
        wire.sent.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving


async def _serve(app: ASGIApp, scope: dict[str, Any], wire: Wire) -> None:
    await app(scope, wire.sent.get, wire.heard.put)
