"""The parts of the contract's tests: a dialect over actions of each kind, and its client."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import StringConstraints
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from yieldwire.actions.context import Context
from yieldwire.asgi import Actions
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.clock import Timing
from yieldwire.dialects import DialectEncoder
from yieldwire.errors import ActionError, Json, Unauthorized
from yieldwire.log.chunks import Text
from yieldwire.log.events import Block, EventType
from yieldwire.testing.transport import BROKEN, http_of

SOON: Final = 30.0
"""Seconds within which something must happen, on the slowest machine."""
TIMING: Final = Timing(head_wait=SOON, sweep_every=0.02, grace=0.0)
IDLE_TIMING: Final = Timing(head_wait=SOON, keepalive=0.02, sweep_every=3600.0, grace=0.0)
"""For a test that needs keepalives."""
BODY_BYTES: Final = 4096
"""The most bytes of a request's body in the tests."""
RUN: Final = "rAAAAAAAAAAAAAAAAAAAA"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRequest:
    """A request as the client sends it, without its credentials."""

    method: str = "POST"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True, kw_only=True)
class ForeignAnswer:
    """An answer as the client receives it, so far.

    Attributes:
        status: The status of the response.
        run_id: The run that it names in its headers, if any.
        body: The bytes of its body.
        is_whole: Whether the body ended cleanly; ``False``: more can follow, or it was broken off.
    """

    status: int
    run_id: str = ""
    body: bytes = b""
    is_whole: bool = False

    def cut(self, size: int) -> "ForeignAnswer":
        """Return the answer as it would be if it was broken off after ``size`` bytes."""
        return replace(self, body=self.body[:size], is_whole=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the client makes of an answer.

    Attributes:
        text: The texts of all chunks.
        end: How the run ended, as far as the client knows; ``None``: it does not know an end.
        code: The code of the error, if the format has codes.
    """

    text: str = ""
    end: Literal["done", "error"] | None = None
    code: str | None = None


class DialectHarness(Protocol):
    """What a subclass of `DialectContract` provides as the fixture ``harness``."""

    @property
    def stops_by_leaving(self) -> bool:
        """Whether a client that disconnects means to stop its run."""
        ...

    def serve(self, actions: Actions) -> ASGIApp:
        """Return the dialect as an application for ``actions``."""
        ...

    def start(self, action: str, value: Json) -> ForeignRequest:
        """Return the request that calls an action and streams its answer."""
        ...

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        """Return the request that continues after ``received``; ``None``: the client cannot."""
        ...

    def read(self, answer: ForeignAnswer) -> Heard:
        """Return what the client makes of an answer, as far as it has received it."""
        ...

    def encoder(self) -> DialectEncoder:
        """Return a new encoder of the streamed format."""
        ...


class ForeignWorld:
    """The actions of the contract, and what happens in them."""

    def __init__(self, timing: Timing) -> None:
        self.actions: Final = Actions(
            identify=_identify, timing=timing, request_limits=RequestLimits(json_bytes=BODY_BYTES)
        )
        self.stopped: Final[defaultdict[str, asyncio.Event]] = defaultdict(asyncio.Event)
        for function in (self.say, self.pause, self.hang, self.refuse, self.fail):
            self.actions.action(function)
        self.actions.action(asks=bool)(self.ask)

    async def say(
        self, text: Annotated[str, StringConstraints(min_length=1)], times: int = 1
    ) -> AsyncIterator[Text]:
        """Say something, several times."""
        for _ in range(times):
            yield Text(text)

    async def pause(self) -> AsyncIterator[Text]:
        """Be idle for several keepalives."""
        yield Text("before ")
        await asyncio.sleep(5 * IDLE_TIMING.keepalive)
        yield Text("after")

    async def hang(self, key: str) -> AsyncIterator[Text]:
        """Say something, and continue forever."""
        try:
            yield Text("so far")
            await asyncio.Event().wait()
        finally:
            self.stopped[key].set()

    async def refuse(self) -> AsyncIterator[Text]:
        """Fail before the first chunk."""
        if self.actions.app.is_closing:
            yield Text("never")
        raise ActionError("REFUSED", "Not today.", status=402)

    async def fail(self) -> AsyncIterator[Text]:
        """Fail after the first chunk."""
        yield Text("so far")
        raise ActionError("FAILED", "It broke.")

    async def ask(self, ctx: Context) -> AsyncIterator[Text]:
        """Ask something that nobody answers."""
        yield Text("so far")
        await ctx.ask(bool, "Continue?")


async def _identify(connection: HTTPConnection) -> str | None:
    name = connection.headers.get("authorization", "").removeprefix("Bearer ")
    if name == "unknown":
        raise Unauthorized
    return name or None


class ForeignSite:
    """The dialect of a harness, served in this process."""

    def __init__(self, harness: DialectHarness, world: ForeignWorld, http: Any) -> None:  # noqa: ANN401 - httpx2's
        self.harness = harness
        self.world = world
        self._http = http

    @asynccontextmanager
    async def opened(
        self, request: ForeignRequest, caller: str = "ada", **headers: str
    ) -> AsyncGenerator[tuple[ForeignAnswer, AsyncIterator[bytes]], None]:
        """Send a request, and leave at the end of the block."""
        sent = {**request.headers, "authorization": f"Bearer {caller}", **headers}
        async with self._http.stream(
            request.method, request.path, headers=sent, content=request.body
        ) as response:
            run_id: str = response.headers.get("run-id", "")
            yield ForeignAnswer(status=response.status_code, run_id=run_id), response.aiter_raw()

    async def ask(
        self, request: ForeignRequest, caller: str = "ada", **headers: str
    ) -> tuple[Heard, ForeignAnswer]:
        """Send a request, and return what the client makes of the whole answer."""
        async with asyncio.timeout(SOON), self.opened(request, caller, **headers) as opened:
            answer, pieces = opened
            await self.read_rest(pieces, answer)
        return self.harness.read(answer), answer

    async def call(
        self, action: str, value: Json = None, caller: str = "ada", **headers: str
    ) -> tuple[Heard, ForeignAnswer]:
        """Call an action."""
        return await self.ask(self.harness.start(action, value or {}), caller, **headers)

    async def read_rest(self, pieces: AsyncIterator[bytes], answer: ForeignAnswer) -> None:
        """Read to the end of the body."""
        with suppress(BROKEN):
            async for piece in pieces:
                answer.body += piece
            answer.is_whole = True

    async def until(self, pieces: AsyncIterator[bytes], answer: ForeignAnswer, text: str) -> None:
        """Read until the client has ``text``."""
        while text not in self.harness.read(answer).text:
            answer.body += await anext(pieces)


@asynccontextmanager
async def served(
    harness: DialectHarness, timing: Timing = TIMING
) -> AsyncGenerator[ForeignSite, None]:
    """Serve the dialect of a harness over a new application."""
    world = ForeignWorld(timing)
    async with world.actions.lifespan(), http_of(harness.serve(world.actions)) as http:
        yield ForeignSite(harness, world, http)


def never_done(heard: Heard, answer: ForeignAnswer) -> None:
    """Fail if a client takes an answer for success: it has an error, or is broken off."""
    assert heard.end == "error" or (heard.end is None and not answer.is_whole)


def event_of(seq: int, kind: EventType, data: bytes = b'{"id":"1","prompt":"?"}') -> Any:  # noqa: ANN401 - an event
    """Return an event of a log, by default with a question in it."""
    return next(iter(Block.of_event(RUN, seq, kind, data).events()))


def a_log() -> list[Block]:
    """Return a log of texts, one event in a block."""
    texts = [b'{"type":"text","text":"%b"}' % text for text in (b"a", b"$b", b"c\\n", b"d")]
    chunks = [Block.of_chunks(RUN, seq, [text]) for seq, text in enumerate(texts, 1)]
    return [*chunks, Block.of_event(RUN, len(texts) + 1, EventType.DONE, b"{}")]
