"""The asynchronous Python client, over HTTP and over a WebSocket."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

from tests.conversation.ways import TERMINAL, Place, Refused, Way
from tests.conversation.ways.inprocess import error_of
from tests.support.story import Log
from yieldwire.client import AsyncClient, RemoteRun
from yieldwire.client.transport import TransportName
from yieldwire.errors import Json, YieldwireError

T = TypeVar("T")


async def told(work: Coroutine[Any, Any, T]) -> T:
    """Return what the client returns, or raise its error as it is on the wire."""
    try:
        return await work
    except YieldwireError as error:
        raise Refused(error_of(error)) from error


class Asynchronous:
    """A client."""

    def __init__(self, client: AsyncClient, stack: AsyncExitStack) -> None:
        self._client, self._stack = client, stack

    def _kept(self, run: RemoteRun) -> "Remote":
        reading = Remote(run)
        self._stack.push_async_callback(reading.leave)
        return reading

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
        return self._kept(await told(self._client.start(action, value, key=key, detached=False)))

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Remote":
        """Return another reader."""

        async def attached() -> RemoteRun:
            return self._client.attach(run_id, cursor)

        return self._kept(await told(attached()))

    async def cancel(self, run_id: str) -> None:
        """Cancel the run."""
        await told(self._client.cancel(run_id))

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer a question."""
        await told(self._client.answer(run_id, question, value))

    async def send(self, run_id: str, message: object) -> None:
        """Send a message."""
        await told(self._client.send(run_id, message))


class Remote:
    """A run, as the client follows it."""

    def __init__(self, run: RemoteRun) -> None:
        self._run, self.id = run, run.id
        self._events = run.events()

    @property
    def cursor(self) -> str:
        return self._run.cursor

    async def read(self, log: Log) -> Log:
        """Read on."""
        read: Log = []
        while len(read) < len(log) and not (read and read[-1][1] in TERMINAL):
            event = await told(anext(self._events))
            read.append((event.seq, event.type.value, event.value))
        return read

    async def result(self) -> Json:
        """Return the result."""
        return await told(self._run.result())

    async def leave(self) -> None:
        """Stop reading."""
        await self._events.aclose()
        await self._run.aclose()


def over(transport: TransportName) -> Callable[[Place, str], AbstractAsyncContextManager[Way]]:
    """Return how a caller comes in with a client over this transport."""

    @asynccontextmanager
    async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
        async with (
            AsyncClient(place.url, token=caller, transport=transport) as client,
            AsyncExitStack() as stack,
        ):
            yield Asynchronous(client, stack)

    return enter
