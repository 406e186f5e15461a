"""Scenes C, D, I, J, K and P: many streams that are open at the same time."""

import time
from typing import Final

from benchmarks.database import Counts
from benchmarks.load import STAMP, Load, loaded, loading
from benchmarks.machine import BenchmarkError, allow_files
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.scene import asked, per_event
from benchmarks.server import Server

INTERVAL_MS: Final = 50
TRICKLE_MS: Final = 1000
NEVER_MS: Final = 3_600_000
SETTLING: Final = 1.0
SPARE_FILES: Final = 200
KEPT_UP: Final = 0.97
"""The share of its events from which a server counts as keeping the pace."""
SEARCHING: Final = 1.0
"""The window while looking for the most streams that keep the pace."""
RESTING: Final = 0.02
"""The share of a core below which a server has stopped with streams whose readers have left."""
OPENING: Final = 20.0
"""Seconds in which all streams must be open."""
LEFT: Final = 30.0
"""Seconds after which it must have stopped; by then they have ended by themselves."""
_SHOWN: Final = frozenset({"cpu_us", "age_p50_ms", "age_p99_ms"})
"""The figures that are shown for each number of streams."""


def paced(server: Server, plan: Plan) -> Values:
    """Many streams, each with a timer of its own: many, a few, and as many as keep the pace."""
    loaded(server.port, asked(server, "hot", count=10), connections=8, repeat=True, responses=200)
    empty = server.memory()
    values = _paced(server, plan.paced, plan.streams)
    values |= {"streams": plan.streams, "kb_per_stream": _kb(values, empty, plan.streams)}
    _wait_until_it_rests(server)
    few = _paced(server, plan.paced, plan.few_streams)
    values |= {f"{name}_few": few[name] for name in few if name in _SHOWN}
    if plan.most_streams:
        kept = values if values["kept_up"] >= KEPT_UP else {"streams": plan.few_streams, **few}
        most = _most(server, kept, plan.most_streams)
        values |= {f"{name}_most": most[name] for name in most if name in _SHOWN | {"streams"}}
    return values


def _paced(server: Server, seconds: float, streams: int) -> Values:
    request = asked(server, "paced", count=_enough(seconds), intervalMs=INTERVAL_MS)
    with loading(server.port, request, connections=streams, ramp=500, stamp=STAMP) as load:
        load.wait_open(OPENING)
        return _window(server, load, seconds, streams)


def _most(server: Server, kept: Values, most: int) -> Values:
    """Return the figures of about the most streams that keep their pace, found in quarters."""
    most = min(most, allow_files() - SPARE_FILES)
    while (streams := int(kept["streams"]) * 5 // 4) <= most:
        _wait_until_it_rests(server)
        values = _paced(server, SEARCHING, streams)
        if values["kept_up"] < KEPT_UP:
            break
        kept = {"streams": streams, **values}
    return kept


def _wait_until_it_rests(server: Server) -> None:
    """Return when a server has ended the streams whose readers have left.

    Raises:
        BenchmarkError: If it does not end them.
    """
    until = time.monotonic() + LEFT
    while time.monotonic() < until:
        before = server.cpu()
        time.sleep(SETTLING / 2)
        if server.cpu() - before < RESTING * SETTLING / 2:
            return
    raise BenchmarkError(f"{LEFT:g} s after the readers have left, it still works for them.")


def feed(server: Server, plan: Plan) -> Values:
    """One producer, many readers."""
    empty = server.memory()
    request = asked(server, "feed")
    with loading(server.port, request, connections=plan.readers, stamp=STAMP) as load:
        load.wait_open(OPENING)
        start = asked(server, "feed-start", count=_enough(plan.feed), intervalMs=INTERVAL_MS)
        start.send(server.port)
        values = _window(server, load, plan.feed, plan.readers)
    return values | {"readers": plan.readers, "kb_per_stream": _kb(values, empty, plan.readers)}


def worked(server: Server, plan: Plan) -> Values:
    """Paced streams whose events come from another process."""
    streams = plan.worked_streams
    return {"streams": streams} | _shared(server, "worked", plan.paced, streams)


def ticker(server: Server, plan: Plan) -> Values:
    """One producer in one process, readers in two."""
    readers = plan.ticker_readers
    return {"readers": readers} | _shared(server, "ticker", plan.feed, readers)


def _shared(server: Server, route: str, seconds: float, streams: int) -> Values:
    request = asked(server, route, count=_enough(seconds), intervalMs=INTERVAL_MS)
    with loading(server.port, request, connections=streams, ramp=500, stamp=STAMP) as load:
        load.wait_open(OPENING)
        return _window(server, load, seconds, streams)


def _enough(window: float, interval_ms: int = INTERVAL_MS) -> int:
    return int((window + SETTLING + OPENING) * 1000 / interval_ms)


def _kb(values: Values, empty: float, streams: int) -> float:
    return (values["memory"] - empty) / streams / 1024


def _window(
    server: Server, load: Load, seconds: float, streams: int, interval_ms: int = INTERVAL_MS
) -> Values:
    time.sleep(SETTLING)
    first, before, asked_before = load.mark(), server.cpu(), _counts(server)
    time.sleep(seconds)
    last, cpu, asked_after = load.mark(), server.cpu() - before, _counts(server)
    last.check()
    if last.open < streams:
        raise BenchmarkError(f"Only {last.open} of {streams} streams were open to the end.")
    values = per_event(last.events - first.events, last.at - first.at, cpu)
    wanted = streams * 1000 / interval_ms
    ages = {
        f"age_{part}_ms": last.stamp[f"{part}_us"] / 1000 for part in ("p50", "p99") if last.stamp
    }
    kept = {"kept_up": values["events_per_s"] / wanted, "memory": server.memory()}
    return values | ages | kept | _at_database(asked_before, asked_after, values["events"])


def _counts(server: Server) -> Counts | None:
    return server.database.counts() if server.database else None


def _at_database(before: Counts | None, after: Counts | None, events: float) -> Values:
    """Return what each event cost at the database."""
    if before is None or after is None:
        return {}
    return {
        "database_cpu_us": (after.cpu - before.cpu) / events * 1e6,
        "database_operations": (after.operations - before.operations) / events,
        "database_bytes": (after.bytes - before.bytes) / events,
    }


def idle(server: Server, plan: Plan) -> Values:
    """Open streams in which nothing happens but keepalives."""
    loaded(server.port, asked(server, "hot", count=10), connections=8, repeat=True, responses=200)
    empty = server.memory()
    request = asked(server, "idle")
    streams = min(plan.idle_streams, allow_files() - SPARE_FILES)
    began = time.monotonic()
    with loading(server.port, request, connections=streams, ramp=2000, timeout=120) as load:
        load.wait_open(60.0)
        opened = time.monotonic() - began
        time.sleep(SETTLING)
        before = server.cpu()
        time.sleep(plan.idle)
        cpu = server.cpu() - before
        last, memory = load.mark().check(), server.memory()
    if last.open < streams:
        raise BenchmarkError(f"Only {last.open} of {streams} streams stayed open.")
    return {
        "streams": streams,
        "opened_s": opened,
        "kb_per_stream": (memory - empty) / streams / 1024,
        "cpu_ms_per_s": cpu / plan.idle * 1000,
    }


def trickling(server: Server, plan: Plan) -> Values:
    """Open streams of which half send an event a second, and the others nothing."""
    loaded(server.port, asked(server, "hot", count=10), connections=8, repeat=True, responses=200)
    empty = server.memory()
    half = min(plan.idle_streams, allow_files() - SPARE_FILES) // 2
    count = _enough(plan.idle, TRICKLE_MS)
    quiet = asked(server, "paced", count=1, intervalMs=NEVER_MS)
    slow = asked(server, "paced", count=count, intervalMs=TRICKLE_MS)
    with (
        loading(server.port, quiet, connections=half, ramp=2000, timeout=120) as others,
        loading(server.port, slow, connections=half, ramp=2000, timeout=120, stamp=STAMP) as load,
    ):
        others.wait_open(60.0)
        load.wait_open(60.0)
        values = _window(server, load, plan.idle / 2, half, TRICKLE_MS)
        if others.mark().check().open < half:
            raise BenchmarkError("Not all streams in which nothing happens stayed open.")
    return values | {"streams": 2 * half, "kb_per_stream": _kb(values, empty, 2 * half)}
