"""Scene O: two servers at the same time, so that other tenants of the machine affect both alike."""

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
from benchmarks.scene import asked, per_event
from benchmarks.server import Server

INTERVAL_MS: Final = 100
"""Twice that of scene C, so that both servers together stay below a core."""
WINDOWS: Final = 6


@dataclass(frozen=True, slots=True)
class Pair:
    """A scene that measures a second server at the same time.

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
        windows = [_window(loads, plan) for _ in range(WINDOWS)]
    theirs, own = zip(*windows, strict=True)
    return {"streams": plan.streams, **compared(theirs, own, plan.streams * 1000 / INTERVAL_MS)}


def _streams(server: Server, plan: Plan) -> AbstractContextManager[Load]:
    seconds = 2 * OPENING + SETTLING + WINDOWS * plan.paced
    count = int(seconds * 1000 / INTERVAL_MS)
    request = asked(server, "paced", count=count, intervalMs=INTERVAL_MS)
    return loading(
        server.port, request, connections=plan.streams, ramp=500, timeout=seconds + OPENING
    )


def _window(loads: Sequence[tuple[Server, Load]], plan: Plan) -> list[Values]:
    """Return what an event cost each server, in one window."""
    before = [(load.mark(), server.cpu()) for server, load in loads]
    time.sleep(plan.paced)
    after = [(load.mark().check(), server.cpu()) for server, load in loads]
    fewest = min(last.open for last, _ in after)
    if fewest < plan.streams:
        raise BenchmarkError(f"Only {fewest} of {plan.streams} streams were open to the end.")
    return [
        per_event(last.events - first.events, last.at - first.at, cpu_after - cpu_before)
        for (first, cpu_before), (last, cpu_after) in zip(before, after, strict=True)
    ]


def compared(theirs: Sequence[Values], own: Sequence[Values], wanted: float) -> Values:
    """Return the medians of two servers over the same windows, and one as a share of the other.

    ``wanted`` is the number of events a second that each of them should send.
    """
    windows = list(zip(theirs, own, strict=True))
    shares = [mine["cpu_us"] / other["cpu_us"] for other, mine in windows]
    rates = [min(one["events_per_s"] for one in window) for window in windows]
    return {
        "cpu_us": statistics.median(one["cpu_us"] for one in theirs),
        "ours_cpu_us": statistics.median(one["cpu_us"] for one in own),
        "ours_share": statistics.median(shares),
        "ours_share_min": min(shares),
        "ours_share_max": max(shares),
        "cpu_share": statistics.median(a["cpu_share"] + b["cpu_share"] for a, b in windows),
        "kept_up": statistics.median(rates) / wanted,
    }
