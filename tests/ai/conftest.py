"""The local model, which the real SDKs call."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx2
import pytest

from examples.local_model import Answer, LocalModel
from yieldwire.ai import Chunk, ModelFailed
from yieldwire.stores import Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import StreamingTransport


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


def script(asked: dict[str, Any]) -> Answer:
    """Say what the last message asks for, as a test writes it."""
    said = str(asked.get("input") or asked["messages"])
    if "tool_result" in said or "'role': 'tool'" in said or "function_call_output" in said:
        return Answer(words=["It ", "rains."], given=20, taken=4)
    if "weather" in said:
        return Answer(reasoning=["A ", "tool."], tool="weather", tool_input=['{"city":', '"Ely"}'])
    if "long" in said:
        return Answer(words=["Once"], stop="length")
    return Answer(reasoning=["Hm."], words=["Jane ", "Austen", "."], source="https://a.example/")


@dataclass
class Model:
    """The local model, called in process."""

    server: LocalModel
    http: httpx2.AsyncClient
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def hang_before(self, event: int) -> None:
        """Say nothing from this event on."""

        async def pause(n: int) -> None:
            if n >= event:
                await asyncio.Event().wait()

        self.server.pause = pause

    def cut_before(self, event: int) -> None:
        """Break the connection off instead of sending this event, once."""

        async def pause(n: int) -> None:
            if n == event:
                self.server.pause = go_on
                raise ConnectionAbortedError

        async def go_on(n: int) -> None:
            pass

        self.server.pause = pause


async def until_failure(chunks: AsyncIterator[Chunk]) -> list[Chunk]:
    """Return the chunks of an answer that breaks off."""
    heard = list[Chunk]()
    try:
        async for chunk in chunks:
            heard.append(chunk)
    except ModelFailed:
        return heard
    raise AssertionError("The answer seems complete.")


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    server = LocalModel(answer=script)
    async with httpx2.AsyncClient(transport=StreamingTransport(server.app)) as http:
        model = Model(server, http)
        server.closed = model.closed.set
        yield model
