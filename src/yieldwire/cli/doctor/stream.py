"""Checks of a test stream: held back, compressed, rewritten, cut while it is silent. Pure."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from yieldwire.cli.doctor.finding import Finding, duration, ok, problem, warning
from yieldwire.cli.doctor.seen import OK, Arrival, SeenStream

FRAMES: Final = 6
"""Frames in a whole test stream."""
PAUSE: Final = 0.2
"""Seconds between two of its first frames, and before its keepalive."""
LATE: Final = 0.3
"""Seconds that a frame can be late: more than a network's jitter."""
_LUMP: Final = 0.05
"""Frames that come closer together than this, in seconds, came together."""
LONG_KEEPALIVE: Final = 50.0
"""Seconds; most proxies close a connection that is silent for 60."""

_BUFFERING: Final = {
    "nginx": (
        "nginx: take proxy_ignore_headers X-Accel-Buffering out, or set `proxy_buffering off;`, "
        "and set `proxy_http_version 1.1;`, in the location of the actions. If there is another "
        "nginx behind it, set `proxy_pass_header X-Accel-Buffering;` there."
    ),
    "caddy": "Caddy: set `flush_interval -1` in the reverse_proxy of the actions.",
    "": (
        "Turn the proxy's response buffering off for text/event-stream: `proxy_buffering off;` in "
        "nginx, `flush_interval -1` in Caddy."
    ),
}
_COMPRESSION: Final = {
    "nginx": (
        "nginx: take text/event-stream (or *) out of gzip_types, or set `gzip off;` in the "
        "location of the actions."
    ),
    "caddy": (
        "Caddy: exclude streams from `encode`, by its `match` with the Content-Types to compress."
    ),
    "": (
        "Exclude text/event-stream from compression: gzip_types in nginx, `encode` in Caddy, "
        "AddOutputFilterByType in Apache, or a middleware such as GZipMiddleware around the "
        "application."
    ),
}
_TIMEOUT: Final = {
    "nginx": "nginx: set `proxy_read_timeout 60s;` in the location of the actions",
    "caddy": "Caddy: raise read_timeout of the reverse_proxy's transport, and idle timeouts",
    "": (
        "Raise the proxy's timeout for silent answers: proxy_read_timeout in nginx, read_timeout "
        "in Caddy, `timeout server` and `timeout client` in HAProxy, ProxyTimeout in Apache, the "
        "idle timeout of a load balancer"
    ),
}


def check_streams(quick: SeenStream, silent: SeenStream) -> Sequence[Finding]:
    """Return the findings about two test streams: one without silence, and one with it."""
    if not quick.head.status:
        found = f"no answer to the test stream in {duration(quick.ended)}: {quick.head.failure}"
        return [problem("stream", found, _for(_BUFFERING, {}))]
    if quick.head.status != OK:
        return [_not_measured("stream", quick)]
    checks: list[Callable[[SeenStream], Finding]] = [buffering, compression, headers, keepalive]
    was_silent = silent.head.status == OK
    last = silence(silent) if was_silent else _not_measured("silence", silent)
    return [*(check(quick) for check in checks), last]


def _not_measured(check: str, refused: SeenStream) -> Finding:
    status, error = refused.head.status, refused.head.error or {}
    code = str(error.get("code", ""))
    advice = {
        "UNAUTHORIZED": "Sign in: --token TOKEN, or -H 'Name: value'.",
        "NOT_FOUND": "Update the server: this version of it has no test stream.",
        "RATE_LIMITED": "Repeat the command when other streams have ended.",
    }
    told = f"the test stream was refused with {status} {code}".rstrip()
    return warning(
        check,
        f"not measured: {told if status else refused.head.failure}",
        advice.get(code, "Let the proxy pass GET {base}/test-stream on to the server."),
        status=status,
    )


def buffering(stream: SeenStream) -> Finding:
    """Check whether frames come when they are sent."""
    frames = stream.frames
    advice = _for(_BUFFERING, stream.head.headers)
    if not frames:
        found = f"no event arrived in {duration(stream.ended)}"
        return problem("buffering", found, advice, frames=0)
    late, lumps = lateness(frames), _lumps(frames)
    figures = {"lateMs": round(late * 1000), "frames": len(frames), "lumps": lumps}
    if late < LATE:
        found = f"events arrive as they are sent, at most {duration(late)} late"
        return ok("buffering", found, **figures)
    pieces = "1 piece" if lumps == 1 else f"{lumps} pieces"
    found = f"{len(frames)} events arrive up to {duration(late)} late, in {pieces}"
    return problem("buffering", found, advice, **figures)


def lateness(frames: Sequence[Arrival]) -> float:
    """Return how many seconds later the latest frame came than the one that came quickest.

    The clocks of both ends can differ: only what is between two frames is compared.
    """
    under_way = [frame.at - frame.sent for frame in frames]
    return max(under_way) - min(under_way)


def _lumps(frames: Sequence[Arrival]) -> int:
    return 1 + sum(later.at - earlier.at > _LUMP for earlier, later in pairwise(frames))


def compression(stream: SeenStream) -> Finding:
    """Check whether something compresses the stream."""
    head = stream.head.headers
    coding = head.get("content-encoding", "identity")
    if coding == "identity":
        return ok("compression", "streams are not compressed")
    advice = f"It costs memory for each stream, and can hold events. {_for(_COMPRESSION, head)}"
    is_late = lateness(stream.frames) >= LATE if stream.frames else True
    kind = problem if is_late else warning
    return kind("compression", f"streams are compressed with {coding}", advice, coding=coding)


def headers(stream: SeenStream) -> Finding:
    """Check whether the headers of a stream are as the server sent them."""
    head = stream.head.headers
    kind, cache = head.get("content-type", ""), head.get("cache-control", "")
    if not kind.startswith("text/event-stream"):
        return problem(
            "headers",
            f"the stream's Content-Type is {kind or 'missing'}",
            "Let the proxy leave the Content-Type as it is: a browser reads no other as events.",
        )
    wanted = {"no-store", "no-transform"}
    if not wanted <= {part.strip().lower() for part in cache.split(",")}:
        return warning(
            "headers",
            f"the stream's Cache-Control is {cache or 'missing'}, not no-store, no-transform",
            "Let the proxy keep the header: caches and compressing proxies obey it. In nginx, take "
            "expires, proxy_hide_header and add_header for Cache-Control out of the location.",
        )
    if "age" in head:
        return warning(
            "headers",
            f"a cache answers: Age is {head['age']}",
            "Exclude the actions from the cache: `proxy_cache off;` in nginx.",
        )
    return ok("headers", "the stream's headers arrive as the server sends them")


def keepalive(stream: SeenStream) -> Finding:
    """Check whether keepalives pass, and whether they are frequent enough."""
    frames = stream.frames
    if len(frames) < FRAMES:
        found = f"not measured: {len(frames)} of {FRAMES} events arrived"
        return warning("keepalive", found, "Mend what holds the stream back, and repeat this.")
    every = frames[0].keepalive
    figures = {"everySeconds": every}
    if not stream.keepalives:
        return problem(
            "keepalive",
            "events arrive, and keepalives do not",
            "Something rewrites the stream and drops comments (lines that begin with a colon): "
            "let it pass the stream unchanged.",
            **figures,
        )
    if every > LONG_KEEPALIVE:
        return warning(
            "keepalive",
            f"keepalives pass, and are sent every {every:g} s",
            "Most proxies close a connection after 60 s of silence: set "
            "Actions(timing=Timing(keepalive=15)).",
            **figures,
        )
    return ok("keepalive", f"keepalives pass; the server sends one every {every:g} s", **figures)


def silence(stream: SeenStream) -> Finding:
    """Check whether a silent stream stays open for as long as the server is silent."""
    frames, asked = stream.frames, stream.silence
    every = frames[0].keepalive if frames else 0.0
    if stream.has_farewell:
        found = "not measured: the server stopped meanwhile"
        return warning("silence", found, "Repeat the command.")
    if frames and frames[-1].frame == FRAMES:
        found = f"a stream that is silent for {asked:g} s stays open"
        if asked <= every:
            found += f"; --silence {every + 5:g} measures longer than a keepalive"
        return ok("silence", found, seconds=asked)
    cut = max(stream.ended - _silent_since(stream), 0.0)
    figures = {"cutAfterSeconds": round(cut, 2), "keepaliveSeconds": every or None}
    found = f"a stream is cut after {duration(cut)} of silence"
    advice = _for(_TIMEOUT, stream.head.headers)
    if not every:
        return problem("silence", found, f"{advice}.", **figures)
    if cut > every:
        found += f"; keepalives come every {every:g} s"
        if cut >= 1.5 * every:
            return ok("silence", found, **figures)
        return warning("silence", found, f"It is a close thing. {advice}.", **figures)
    found += f", before the keepalive at {every:g} s"
    shorter = f"{max(cut / 2, 0.5):.1f}".removesuffix(".0")
    own = f"or send keepalives more often: Actions(timing=Timing(keepalive={shorter}))."
    return problem("silence", found, f"{advice}, {own}", **figures)


def _silent_since(stream: SeenStream) -> float:
    """Return when the silence began, in seconds since the request."""
    if stream.frames and lateness(stream.frames) < LATE:
        return stream.arrivals[-1].at
    # What was held back came when the stream was closed, so this is when it was sent.
    return (FRAMES - 1) * PAUSE


def _for(advice: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the advice for the proxy that the headers name, or for any."""
    server = headers.get("server", "").lower()
    return next((text for name, text in advice.items() if name and name in server), advice[""])
