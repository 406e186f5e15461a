"""A stream without a run, by which a client measures the way to this server.

It has the headers of every event stream and frames of a few bytes, so what a proxy does to it, the
proxy does to the streams of runs. A run would need an action, and not every application has one for
this.
"""

import asyncio
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.negotiation import SSE, Formats, seconds
from yieldwire.asgi.site import Site
from yieldwire.asgi.streaming import retry_ms, stream_head
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.errors import RateLimited
from yieldwire.runs.access import Caller

MAX_SILENCE: Final = 120.0
"""Seconds."""
PAUSE: Final = 0.2
"""Seconds between two frames: more than a network delays one, and less than a proxy waits."""
FRAMES: Final = 5
"""Frames before the silence; one follows it."""
_FORMATS: Final = Formats([SSE])
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks at whether the server stops."""


async def answer_test_stream(site: Site, exchange: Exchange, caller: Caller) -> None:
    """Answer ``GET {base}/test-stream``: frames with their times, a keepalive, and a silence.

    Raises:
        NotAcceptable: If no event stream is accepted.
        ParseError: If the length of the silence is not a number.
        RateLimited: If the caller has too many streams, or the process too many of these.
    """
    _FORMATS.choose(exchange.headers.get("accept"), SSE)
    silence = seconds(exchange.request.query_params.get("silence"), MAX_SILENCE, "silence")
    await site.app.ready()
    if not site.test_streams.take(1):
        raise RateLimited("There are too many test streams; try again when one has ended.")
    try:
        with site.slot(caller), site.watch(exchange):
            await _stream(site, exchange, silence)
    finally:
        site.test_streams.give_back(1)


async def _stream(site: Site, exchange: Exchange, silence: float) -> None:
    encoder = SSEEncoder()
    await exchange.send_head(200, stream_head(encoder))
    if exchange.method == "HEAD":
        await exchange.send_body(b"")
        return
    for number in range(1, FRAMES + 1):
        await exchange.within_time(exchange.send_body(_frame(site, number), more=True))
        await asyncio.sleep(PAUSE)
    await exchange.within_time(exchange.send_body(encoder.keepalive(), more=True))
    if await _is_silent(site, silence):
        await exchange.send_body(_frame(site, FRAMES + 1))
    else:
        await exchange.send_body(encoder.farewell(retry_ms()))


def _frame(site: Site, number: int) -> bytes:
    facts = {
        "frame": number,
        "atMs": round(site.app.clock.now() * 1000),
        "keepaliveMs": round(site.app.timing.keepalive * 1000),
    }
    return b"event: test\ndata: %b\n\n" % to_json(facts)


async def _is_silent(site: Site, length: float) -> bool:
    """Wait for ``length`` seconds, and return whether the server still serves."""
    loop = asyncio.get_running_loop()
    end = loop.time() + length
    while not site.app.is_closing:
        left = end - loop.time()
        if left <= 0:
            return True
        await asyncio.sleep(min(left, _LOOK_EVERY))
    return False
