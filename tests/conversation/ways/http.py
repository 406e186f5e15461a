"""Requests by hand: over HTTP, and what the formats of an answer have in common."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar

from pydantic_core import from_json, to_json

from tests.conversation.ways import Place, Reading, Refused, Shown, Way
from tests.conversation.ways.reading import Entry, EventReading
from tests.support.story import Log
from tests.support.wire import Broken, exchange, request
from yieldwire.errors import Json

Headers = Mapping[str, str]
R = TypeVar("R", bound=Reading)


class Answer(Protocol):
    """An answer whose head has come."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Headers: ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes; raise `Broken` if it breaks off."""
        ...


class Carrier(Protocol):
    """Carries requests of one caller to the application."""

    def exchange(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> AbstractAsyncContextManager[Answer]:
        """Send a request and give its answer; leaving disconnects."""
        ...


class HTTP:
    """Carries each request over a connection of its own."""

    def __init__(self, place: Place, caller: str) -> None:
        self._port, self._caller = place.port, caller

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> AsyncGenerator[Answer, None]:
        fields = {"Authorization": f"Bearer {self._caller}", **headers}
        if body is not None:
            fields["Content-Type"] = "application/json"
        async with exchange(self._port, request(method, path, fields, body)) as answer:
            yield answer


class Requests(ABC):
    """A way in that sends the protocol's own requests, and reads one format of answers."""

    accept: ClassVar[str]
    """The media type of the format."""

    def __init__(self, carrier: Carrier, stack: AsyncExitStack) -> None:
        self.carrier: Final = carrier
        self._stack = stack

    @classmethod
    @asynccontextmanager
    async def enter(cls, place: Place, caller: str) -> AsyncGenerator[Way, None]:
        """Come in over HTTP."""
        async with AsyncExitStack() as stack:
            yield cls(HTTP(place, caller), stack)

    def kept(self, reading: R) -> R:
        """Return a reader, which leaves when its caller does, at the latest."""
        self._stack.push_async_callback(reading.leave)
        return reading

    def shows(self, log: Log) -> Shown:
        """Return the events: most formats have all of them."""
        return log

    @abstractmethod
    async def start(
        self, action: str, value: object = None, *, key: str | None = None
    ) -> Reading: ...

    @abstractmethod
    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> Reading: ...

    async def ask(
        self, method: str, path: str, value: object = None, headers: Headers | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Send a short request, and return the JSON of its answer.

        Raises:
            Refused: If it is refused.
        """
        body = None if method == "GET" else to_json({} if value is None else value)
        fields = {"Accept": "application/json", **(headers or {})}
        async with self.carrier.exchange(method, path, fields, body) as answer:
            return await json_of(answer)

    async def cancel(self, run_id: str) -> None:
        """Ask a run to stop."""
        await self.ask("POST", f"/runs/{run_id}/cancel")

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer a question."""
        await self.ask("POST", f"/runs/{run_id}/questions/{question}", value)

    async def send(self, run_id: str, message: object) -> None:
        """Send a message."""
        await self.ask("POST", f"/runs/{run_id}/inbox", message)


async def json_of(answer: Answer) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of an answer.

    Raises:
        Refused: If it is not a success.
        Broken: If there is no server behind it, or the body breaks off.
    """
    body: Json = from_json(b"".join([piece async for piece in answer.pieces()]))
    if answer.status >= 400 and "status" not in body:  # that of a run which has failed
        raise Refused(body["error"])
    return body


class Streams(Requests):
    """A way in whose answers are streams of events."""

    @abstractmethod
    def entries_of(self, reading: "Stream", answer: Answer) -> AsyncGenerator[Entry, None]:
        """Yield the events of a stream, and move the reader's cursor with each."""

    async def start(self, action: str, value: object = None, *, key: str | None = None) -> "Stream":
        """Start a run by a POST whose answer is its stream."""
        headers = {"Accept": self.accept, **({"Idempotency-Key": key} if key else {})}
        body = to_json({} if value is None else value)
        context = self.carrier.exchange("POST", f"/{action}", headers, body)
        answer = await context.__aenter__()
        if answer.status >= 400:
            async with _entered(context):
                await json_of(answer)
        return self.kept(Stream(self, answer.headers["run-id"]).over(context, answer))

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> "Stream":
        """Read the run's events."""
        return self.kept(Stream(self, run_id, cursor))


class Stream(EventReading):
    """A stream, resumed by its cursor."""

    def __init__(self, way: Streams, run_id: str, cursor: str | None = None) -> None:
        super().__init__(run_id, cursor)
        self._way = way

    def over(self, context: AbstractAsyncContextManager[Answer], answer: Answer) -> Self:
        """Read from an answer that has begun."""
        self._entries = self._read(_entered(context, answer))
        return self

    def entries(self) -> AsyncGenerator[Entry, None]:
        headers = {"Accept": self._way.accept, "Last-Event-ID": self.cursor}
        path = f"/runs/{self.id}/events"
        return self._read(self._way.carrier.exchange("GET", path, headers, None))

    async def _read(
        self, context: AbstractAsyncContextManager[Answer]
    ) -> AsyncGenerator[Entry, None]:
        async with context as answer:
            if answer.status >= 400:
                await json_of(answer)
            async for entry in self._way.entries_of(self, answer):
                yield entry


@asynccontextmanager
async def _entered(
    context: AbstractAsyncContextManager[Answer], answer: Answer | None = None
) -> AsyncGenerator[Any, None]:
    """Give what was entered already, and leave it in the end."""
    try:
        yield answer
    finally:
        await context.__aexit__(None, None, None)


async def pieces_of(answer: Answer, end: bytes) -> AsyncGenerator[bytes, None]:
    """Yield the parts of a body that have come to their end.

    Raises:
        Broken: If the body breaks off.
    """
    rest = b""
    async for piece in answer.pieces():
        *whole, rest = (rest + piece).split(end)
        for each in whole:
            yield each
    if rest:
        raise Broken("the last part has no end")
