"""The TypeScript client in Node.js, over each of its transports."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal
from uuid import uuid4

from tests.conversation.ways import Place, Refused, Way
from tests.conversation.ways.node import NodeClients
from tests.support.story import Log
from yieldwire.errors import Json

Transport = Literal["auto", "sse", "polling", "websocket"]


class TypeScript:
    """A client."""

    def __init__(self, node: NodeClients) -> None:
        self._node, self._name = node, uuid4().hex

    def shows(self, log: Log) -> Log:
        """Return the events."""
        return log

    async def ask(self, verb: str, **rest: Any) -> Any:  # noqa: ANN401 - JSON
        """Tell the client to do something, and return what it returns."""
        told = await asyncio.wrap_future(self._node.tell(verb, client=self._name, **rest))
        assert "fault" not in told, told["fault"]
        if "error" in told:
            raise Refused(told["error"])
        return told["value"]

    async def start(
        self, action: str, value: object = None, *, key: str | None = None
    ) -> "Followed":
        """Start an attached run."""
        told = await self.ask("start", action=action, input=value, key=key)
        return Followed(self, told["run"], told["reader"])

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Followed":
        """Return another reader."""
        told = await self.ask("attach", action=action, run=run_id, cursor=cursor)
        return Followed(self, run_id, told["reader"])

    async def cancel(self, run_id: str) -> None:
        """Cancel the run."""
        await self.ask("cancel", run=run_id)

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer a question."""
        await self.ask("answer", run=run_id, question=question, value=value)

    async def send(self, run_id: str, message: object) -> None:
        """Send a message."""
        await self.ask("send", run=run_id, message=message)


class Followed:
    """A run, as the client follows it."""

    def __init__(self, way: TypeScript, run_id: str, reader: int) -> None:
        self._way, self.id, self._reader = way, run_id, reader
        self.cursor = ""

    async def read(self, log: Log) -> Log:
        """Read on."""
        told = await self._way.ask("read", reader=self._reader, count=len(log))
        self.cursor = told["cursor"]
        return [tuple(event) for event in told["events"]]

    async def result(self) -> Json:
        """Return the result."""
        return await self._way.ask("result", reader=self._reader)

    async def leave(self) -> None:
        """Stop reading."""
        await self._way.ask("leave", reader=self._reader)


def over(transport: Transport) -> Callable[[Place, str], AbstractAsyncContextManager[Way]]:
    """Return how a caller comes in with a client over this transport."""

    @asynccontextmanager
    async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
        way = TypeScript(place.node)
        await way.ask("open", url=place.url, token=caller, transport=transport)
        try:
            yield way
        finally:
            await way.ask("close")

    return enter
