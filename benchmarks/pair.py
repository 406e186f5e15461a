"""Scenes O and Q: two servers at once or in turn, as other tenants affect both alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Final

from benchmarks.crowd import OPENING, SETTLING
from benchmarks.load import Load, loaded, loading
from benchmarks.machine import BenchmarkError
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.scene import SHORT_EVENTS, asked, per_event
from benchmarks.server import Server

INTERVAL_MS: Final = 100
"""Twice that of scene C, so that both servers together stay below a core."""
CONNECTIONS: Final = 32
WINDOWS: Final = 6
TURNS: Final = 16
"""How often each of two servers has its turn."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A scene that measures a second server at the same time, or in turn.

    Attributes:
        other: The second server's name.
        measure: Takes the first server and the second one.
    """

    other: str
    measure: Callable[[Server, Server, Plan], Values]


def paced(server: Server, other: Server, plan: Plan) -> Values:
    """Paced streams of both servers, in the same windows."""
    with ExitStack() as stack:
        for one in (server, other):
            loaded(one.port, asked(one, "hot", count=10), connections=8, repeat=True, responses=200)
        loads = [(one, stack.enter_context(_streams(one, plan))) for one in (server, other)]
        for _, load in loads:
            load.wait_open(OPENING)
        time.sleep(SETTLING)
        windows = [_window(loads, plan.paced) for _ in range(WINDOWS)]
        fewest = min(load.mark().open for _, load in loads)
        if fewest < plan.streams:
            raise BenchmarkError(f"Only {fewest} of {plan.streams} streams were open to the end.")
    values = compared(windows)
    values["kept_up"] = values["least_per_s"] / (plan.streams * 1000 / INTERVAL_MS)
    return {"streams": plan.streams, **values}


def short(server: Server, other: Server, plan: Plan) -> Values:
    """Short streams of both servers in turn, as many as come: each has the core for itself."""
    for one in (server, other):
        _requests(one, plan.turn)
    turns: list[tuple[Values, Values]] = []
    for number in range(TURNS):
        if number % 2:  # what the first one leaves in the caches is not always the same server's
            own = _requests(other, plan.turn)
            turns.append((_requests(server, plan.turn), own))
        else:
            turns.append((_requests(server, plan.turn), _requests(other, plan.turn)))
    return in_turn(turns)


def _requests(server: Server, seconds: float) -> Values:
    """Return what short streams cost a server that is the only one with work."""
    request = asked(server, "hot", count=SHORT_EVENTS)
    before = server.cpu()
    figures = loaded(server.port, request, connections=CONNECTIONS, repeat=True, seconds=seconds)
    cpu = server.cpu() - before
    return {
        "requests_per_s": figures.responses / figures.elapsed,
        "cpu_us": cpu / max(1, figures.responses) * 1e6,
        "ttfe_p99_ms": figures.ttfe["p99_us"] / 1000,
    }


def in_turn(turns: Sequence[tuple[Values, Values]]) -> Values:
    """Return the medians of two servers over their turns, and one as a share of the other."""
    values: Values = {}
    for name in ("requests_per_s", "cpu_us", "ttfe_p99_ms"):
        shares = [own[name] / theirs[name] for theirs, own in turns]
        values[name] = statistics.median(theirs[name] for theirs, _ in turns)
        values[f"ours_{name}"] = statistics.median(own[name] for _, own in turns)
        lower, middle, upper = statistics.quantiles(shares, n=4)
        values[f"ours_share_{name}"] = middle
        values |= {f"ours_share_{name}_lower": lower, f"ours_share_{name}_upper": upper}
    return values


def _streams(server: Server, plan: Plan) -> AbstractContextManager[Load]:
    seconds = 2 * OPENING + SETTLING + WINDOWS * plan.paced
    count = int(seconds * 1000 / INTERVAL_MS)
    request = asked(server, "paced", count=count, intervalMs=INTERVAL_MS)
    return loading(
        server.port, request, connections=plan.streams, ramp=500, timeout=seconds + OPENING
    )


def _window(loads: Sequence[tuple[Server, Load]], seconds: float) -> tuple[Values, Values]:
    """Return what each event cost both servers, in one window."""
    before = [(load.mark(), server.cpu()) for server, load in loads]
    time.sleep(seconds)
    after = [(load.mark().check(), server.cpu()) for server, load in loads]
    theirs, own = (
        per_event(last.events - first.events, last.at - first.at, cpu_after - cpu_before)
        for (first, cpu_before), (last, cpu_after) in zip(before, after, strict=True)
    )
    return theirs, own


def compared(windows: Sequence[tuple[Values, Values]]) -> Values:
    """Return the medians of two servers over their windows, and one as a share of the other."""
    theirs, own = zip(*windows, strict=True)
    shares = [mine["cpu_us"] / other["cpu_us"] for other, mine in windows]
    rates = [min(one["events_per_s"] for one in window) for window in windows]
    return {
        "cpu_us": statistics.median(one["cpu_us"] for one in theirs),
        "ours_cpu_us": statistics.median(one["cpu_us"] for one in own),
        "ours_share": statistics.median(shares),
        "ours_share_min": min(shares),
        "ours_share_max": max(shares),
        "cpu_share": statistics.median(a["cpu_share"] + b["cpu_share"] for a, b in windows),
        "least_per_s": statistics.median(rates),
    }
