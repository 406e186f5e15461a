"""Measures the way from here to a server, and says what to change: `yieldwire doctor`.

Theory of operation. `probe` asks the server and measures; what it has seen is plain data (`seen`),
from which pure functions make findings: `place` about what is at the URL, `network` about TLS,
HTTP, times, origins, sockets and sizes, `stream` about what arrives of a test stream. `examine`
is their order: whether there is an application at all, and then everything else at once, so that
the command takes little longer than the silence that it measures.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from itertools import count
from typing import Final

from yieldwire.cli.doctor.finding import Finding, Level, problem
from yieldwire.cli.doctor.network import (
    SIZES,
    check_bodies,
    check_clock,
    check_http,
    check_origin,
    check_round_trip,
    check_socket,
    check_tls,
    cut_socket,
)
from yieldwire.cli.doctor.place import (
    MANIFEST,
    actions_in,
    check_mount,
    check_stranger,
    guesses,
    is_mount,
    takes_files,
)
from yieldwire.cli.doctor.probe import Probe
from yieldwire.cli.doctor.seen import Seen, SeenTLS
from yieldwire.cli.doctor.stream import check_streams
from yieldwire.errors import Unreachable

SILENCE: Final = 8.0
"""Seconds: longer than a proxy's timeout of 5 s, and short enough to wait for."""
_ROUND_TRIPS: Final = 5
_FIRST: Final = ("reach", "mount")
"""The checks without which there is nothing to measure."""


async def examine(
    probe: Probe,
    *,
    origin: str | None = None,
    silence: float = SILENCE,
    tell: Callable[[str], object] = lambda _: None,
) -> Sequence[Finding]:
    """Return the findings about the server of ``probe``, and close it.

    Args:
        probe: Asks it.
        origin: An origin whose pages call it, such as ``https://app.example.com``.
        silence: Seconds for which a stream is silent, to see whether it is cut.
        tell: Is called with what is being measured.
    """
    async with aclosing(probe):
        tell("Connecting")
        try:
            tls = await probe.connect()
        except Unreachable as exc:
            advice = (
                "Start the server, and check the URL; a server on 127.0.0.1 is reached only from "
                "its own machine."
            )
            return [problem("reach", str(exc), advice)]
        if tls is not None and tls.fault:
            return [check_tls(probe.url, tls, probe.now)]
        manifest = await probe.ask(MANIFEST)
        if not manifest.status:
            found = f"no HTTP answer: {manifest.failure}"
            return [problem("reach", found, "Check that the port speaks HTTP, and not only TLS.")]
        if not is_mount(manifest):
            tell("Looking for the application")
            return [check_stranger(manifest, await _base(probe, manifest))]
        return await _measured(probe, tls, manifest, origin, silence, tell)


def is_application(findings: Sequence[Finding]) -> bool:
    """Whether an application was found, so that the rest was measured."""
    return not (len(findings) == 1 and findings[0].check in _FIRST)


async def _base(probe: Probe, seen: Seen) -> str | None:
    """Return where the application is instead, if it is at one of the places to guess."""
    for url in guesses(probe.url, seen):
        if is_mount(await probe.ask(MANIFEST, url=url.rstrip("/"))):
            return url
    return None


async def _measured(
    probe: Probe,
    tls: SeenTLS | None,
    manifest: Seen,
    origin: str | None,
    silence: float,
    tell: Callable[[str], object],
) -> Sequence[Finding]:
    tell("Measuring round trips")
    answers = [await probe.ask(MANIFEST, "HEAD") for _ in range(_ROUND_TRIPS)]
    answers = [seen for seen in answers if seen.status] or [manifest]
    async with asyncio.TaskGroup() as group:
        quick = group.create_task(probe.read_stream(0))
        silent = group.create_task(probe.read_stream(silence))
        progress = group.create_task(_tell_progress(tell, silence))
        silent.add_done_callback(lambda _: progress.cancel())
        socket = group.create_task(_socket(probe, silence))
        bodies = group.create_task(_sizes(probe))
        called = group.create_task(_called_from(probe, origin)) if origin else None
    url = probe.url
    return [
        check_mount(manifest),
        check_tls(url, tls, probe.now),
        check_http(url, tls),
        check_round_trip(answers),
        check_clock(answers, quick.result()),
        *check_streams(quick.result(), silent.result()),
        socket.result(),
        *([check_origin(url, origin, *called.result())] if origin and called else []),
        check_bodies(bodies.result(), takes_files=takes_files(actions_in(manifest) or [])),
    ]


async def _tell_progress(tell: Callable[[str], object], silence: float) -> None:
    for second in count():
        tell(f"Measuring a silence: {min(second, silence):.0f} of {silence:g} s")
        await asyncio.sleep(1.0)


async def _socket(probe: Probe, silence: float) -> Finding:
    finding = check_socket(await probe.open_socket())
    if finding.level is not Level.OK or not silence:
        return finding
    cut = await probe.hold_socket(silence)
    return finding if cut is None else cut_socket(cut)


async def _sizes(probe: Probe) -> Mapping[int, bool | None]:
    """Return whether bodies pass, from the largest down to the first that does."""
    passes = dict[int, bool | None]()
    for size in SIZES:
        passes[size] = await probe.passes(size)
        if passes[size] is not False:
            break
    return passes


async def _called_from(probe: Probe, origin: str) -> tuple[Seen, Seen]:
    """Return the answers to a page of ``origin``: to a preflight, and to a request."""
    asks = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    preflight = await probe.ask("call", "OPTIONS", asks)
    return preflight, await probe.ask(MANIFEST, headers={"Origin": origin})
