"""One loop for every streaming format: what is ready goes out as one message."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from starlette.types import Receive

from yieldwire.asgi.exchange import NO_STORE, Exchange, Headers
from yieldwire.codecs import Encoder
from yieldwire.errors import NotFound, StoreError, YieldwireError
from yieldwire.events import Block, EventType
from yieldwire.reading import Reader

T = TypeVar("T")

logger = logging.getLogger("yieldwire.asgi")

RETRY_MS: Final = (500, 1500)
"""Between these a reader that is asked to come back does so, spread out."""


class Disconnected(Exception):
    """The client has gone."""


class BrokenOff(YieldwireError):
    """A response was broken off on purpose, so that its end is not taken for the run's."""


async def until_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` does, cancelled if the client leaves before.

    The request's body must have been read: what ``receive`` gives then is the leaving.

    Raises:
        Disconnected: If the client left.
    """
    try:
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_watch(receive))
            result = await work
            watcher.cancel()
    except BaseExceptionGroup as errors:
        raise _cause(errors) from None
    return result


async def _watch(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise Disconnected


def _cause(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    own = [error for error in errors.exceptions if not isinstance(error, Disconnected)]
    return own[0] if own else errors.exceptions[0]


class Streaming:
    """One response that follows one run."""

    def __init__(
        self,
        exchange: Exchange,
        reader: Reader,
        encoder: Encoder,
        *,
        keepalive: float,
        stall_timeout: float,
        is_over: Callable[[], bool],
    ) -> None:
        self._exchange, self._reader, self._encoder = exchange, reader, encoder
        self._keepalive, self._stall_timeout = keepalive, stall_timeout
        self._is_over = is_over

    async def run(self, after: int, opening: bytes, headers: Headers, *, has_news: bool) -> None:
        """Send the head, then everything behind ``after`` until the run ends or the client leaves.

        ``has_news`` says that events are there already, so that they and ``opening`` go out
        as one message.

        Raises:
            Disconnected: If the client left.
            BrokenOff: If the format cannot say how the run ended, and it did not complete.
        """
        head = [
            (b"content-type", self._encoder.media_type.encode()),
            NO_STORE,
            (b"x-accel-buffering", b"no"),
            *headers,
        ]
        await self._exchange.send_head(200, head)
        if self._exchange.method == "HEAD":
            await self._exchange.send_body(b"")
            return
        if not has_news:
            await self._send(opening)
            opening = b""
        await until_disconnect(self._exchange.receive, self._follow(after, opening))

    async def _follow(self, after: int, opening: bytes) -> None:
        encoder, ahead = self._encoder, opening
        async with aclosing(self._reader.pages(after, tick=self._keepalive)) as pages:
            try:
                async for page in pages:
                    if self._is_over():
                        break
                    body = ahead + self._encode(page, after)
                    ahead = b""
                    if page:
                        after = page[-1].last
                        if page[-1].end is not None:
                            await self._end(body, page[-1].end)
                            return
                    await self._send(body)
            except NotFound:
                # Purged under the reader: never a bare end, which would look like success.
                ahead += encoder.reset(self._reader.run_id, after + 1)
            except StoreError as exc:
                # The reader comes back for the rest: nothing says that this is the end.
                logger.warning(
                    "a stream ends early: %s", exc, extra={"run_id": self._reader.run_id}
                )
        if not encoder.carries_end:
            raise BrokenOff("The stream ends before the run does.")
        await self._send(ahead + encoder.farewell(random.randint(*RETRY_MS)), more=False)  # noqa: S311

    def _encode(self, page: Sequence[Block], after: int) -> bytes:
        encoder = self._encoder
        if not page:
            return encoder.keepalive()
        body = b"".join(map(encoder.encode, page))
        if page[0].first > after + 1:
            body = encoder.reset(self._reader.run_id, page[0].first) + body
        return body

    async def _end(self, body: bytes, end: EventType) -> None:
        if end is EventType.DONE or self._encoder.carries_end:
            await self._send(body, more=False)
            return
        await self._send(body)
        raise BrokenOff(f"The run's last event is {end.value!r}, which plain text cannot say.")

    async def _send(self, body: bytes, *, more: bool = True) -> None:
        if not body and more:
            return
        try:
            async with asyncio.timeout(self._stall_timeout):
                await self._exchange.send_body(body, more=more)
        except TimeoutError:
            raise BrokenOff("The reader does not read.") from None
