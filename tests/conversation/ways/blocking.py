"""The blocking Python client, over HTTP and over a WebSocket, each call of it in a thread."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ParamSpec, TypeVar, cast

from tests.conversation.ways import TERMINAL, Place, Refused, Way
from tests.conversation.ways.inprocess import error_of
from tests.support.story import Log
from yieldwire.client import BlockingRun, Client
from yieldwire.client.transport import TransportName
from yieldwire.errors import Json, YieldwireError
from yieldwire.log.events import Event

P = ParamSpec("P")
T = TypeVar("T")


async def told(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a thread, and raise the client's error as it is on the wire."""
    try:
        return await asyncio.to_thread(call, *args, **kwargs)
    except YieldwireError as error:
        raise Refused(error_of(error)) from error


class Blocking:
    """A client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._runs: list[Remote] = []

    def keep(self, run: BlockingRun) -> "Remote":
        """Return a reader, which is left in the end at the latest."""
        self._runs.append(Remote(run))
        return self._runs[-1]

    async def close(self) -> None:
        """Leave every run, and close the client."""
        for run in self._runs:
            await run.leave()
        await told(self._client.close)

    def shows(self, log: Log) -> Log:
        """Return the events."""
        return log

    async def start(
        self,
        action: str,
        value: Any = None,  # noqa: ANN401 - an input
        *,
        key: str | None = None,
    ) -> "Remote":
        """Start an attached run."""
        return self.keep(await told(self._client.start, action, value, key=key, detached=False))

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Remote":
        """Return another reader."""
        return self.keep(await told(self._client.attach, run_id, cursor))

    async def cancel(self, run_id: str) -> None:
        """Cancel the run."""
        await told(self._client.cancel, run_id)

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer a question."""
        await told(self._client.answer, run_id, question, value)

    async def send(self, run_id: str, message: object) -> None:
        """Send a message."""
        await told(self._client.send, run_id, message)


class Remote:
    """A run, as the client follows it."""

    def __init__(self, run: BlockingRun) -> None:
        self._run, self.id = run, run.id
        self._events = cast("Generator[Event, None, None]", run.events())

    @property
    def cursor(self) -> str:
        return self._run.cursor

    async def read(self, log: Log) -> Log:
        """Read on, in one thread."""
        return await told(self._read, len(log))

    def _read(self, count: int) -> Log:
        read: Log = []
        while len(read) < count and not (read and read[-1][1] in TERMINAL):
            event = next(self._events)
            read.append((event.seq, event.type.value, event.value))
        return read

    async def result(self) -> Json:
        """Return the result."""
        return await told(self._run.result)

    async def leave(self) -> None:
        """Stop reading."""
        await told(self._close)

    def _close(self) -> None:
        self._events.close()
        self._run.close()


def over(transport: TransportName) -> Callable[[Place, str], AbstractAsyncContextManager[Way]]:
    """Return how a caller comes in with a client over this transport."""

    @asynccontextmanager
    async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
        way = Blocking(await told(Client, place.url, token=caller, transport=transport))
        try:
            yield way
        finally:
            await way.close()

    return enter
