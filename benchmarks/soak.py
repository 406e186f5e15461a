"""Scene N: an ordinary load for longer, in which nothing should grow."""

import statistics
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.load import STAMP, loading
from benchmarks.machine import BenchmarkError
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.scene import SHORT_EVENTS, asked
from benchmarks.server import Server

INTERVAL_MS: Final = 50
COUNT: Final = 40
"""Events of a stream that takes two seconds."""
STREAMS: Final = 50
"""How many of those there are at a time."""
BESIDE: Final = 16
"""Connections of the short streams meanwhile."""
PAUSE_MS: Final = 100
"""Between two of them."""
WARM: Final = 0.25
"""The share of the time in which caches fill, which does not count."""
SETTLING: Final = 2.0
MEGABYTE: Final = 1024 * 1024


def soaked(server: Server, plan: Plan) -> Values:
    """Streams of two seconds, and short ones, with samples of memory."""
    time.sleep(SETTLING / 4)  # until the question whether it is healthy is over
    open_before = server.descriptors()
    steady = asked(server, "steady", count=COUNT, intervalMs=INTERVAL_MS)
    brief = asked(server, "brief", count=SHORT_EVENTS)
    timeout = plan.soak + 60
    with (
        loading(
            server.port,
            steady,
            connections=STREAMS,
            repeat=True,
            ramp=COUNT * INTERVAL_MS,
            stamp=STAMP,
            timeout=timeout,
        ) as long,
        loading(
            server.port, brief, connections=BESIDE, repeat=True, pause=PAUSE_MS, timeout=timeout
        ) as short,
    ):
        long.wait_open(10.0)
        time.sleep(plan.soak * WARM)
        first, noted, cpu = short.mark(), len(server.pauses()), server.cpu()
        begun = long.mark()
        samples = list(_sampled(server, plan.soak * (1 - WARM)))
        last, ages, cpu = short.mark().check(), long.mark().check(), server.cpu() - cpu
        pauses = sorted(server.pauses()[noted:])
    time.sleep(SETTLING)
    if last.responses == first.responses or ages.responses == begun.responses:
        raise BenchmarkError("No stream was served to the end.")
    seconds = last.at - first.at
    return {
        "requests": last.responses - first.responses,
        "requests_per_s": (last.responses - first.responses) / seconds,
        "cpu_share": cpu / seconds,
        "memory_mb": samples[-1][1] / MEGABYTE,
        "growth_mb_per_min": slope(samples) * 60 / MEGABYTE,
        "descriptors": server.descriptors() - open_before,
        "age_p99_ms": ages.stamp["p99_us"] / 1000,
        "age_max_ms": ages.stamp["max_us"] / 1000,
        **_shown(pauses, seconds),
    }


def _sampled(server: Server, seconds: float) -> Sequence[tuple[float, float]]:
    """Return the time and the memory, about once in a second."""
    until = time.monotonic() + seconds
    samples = [(time.monotonic(), server.memory())]
    while time.monotonic() < until:
        time.sleep(min(1.0, seconds / 10))
        samples.append((time.monotonic(), server.memory()))
    return samples


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the bytes a second by which memory grows, along the line that fits best."""
    times, sizes = zip(*samples, strict=True)
    return statistics.linear_regression(times, sizes).slope


def _shown(pauses: Sequence[float], seconds: float) -> Values:
    """Return the figures of garbage collections, where there were any."""
    if not pauses:
        return {}
    return {
        "gc_per_s": len(pauses) / seconds,
        "gc_ms_per_s": sum(pauses) / seconds,
        "gc_max_ms": pauses[-1],
    }
