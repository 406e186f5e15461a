"""Scenes A, B, E and H: one stream or one kind of request at a time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from benchmarks.load import STAMP, loaded
from benchmarks.machine import BenchmarkError
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.request import Request, prepared
from benchmarks.server import Server

Scene = Callable[[Server, Plan], Values]

CONCURRENCY: Final = (1, 32, 256)
SHORT_EVENTS: Final = 10
MOST_EVENTS: Final = {"ours": 1_000_000, "peer": 1_000_000, "limit": 20_000_000}
REPLAYED: Final = 100_000


def asked(server: Server, route: str, **values: object) -> Request:
    """Return the request of a route, after whatever has to come before it."""
    request = prepared(server.peer.call(route), server.port, values)
    return replace(request, socket=server.peer.socket)


def hot(server: Server, plan: Plan) -> Values:
    """One stream, as fast as the handler yields."""
    # Every server runs about as long: how many events that takes, the warm-up tells.
    count = 2000
    for seconds in (0.1, 0.3, plan.hot):
        figures = loaded(server.port, asked(server, "hot", count=count))
        wanted = round(figures.events / figures.elapsed * seconds / 1000) * 1000
        count = max(1000, min(MOST_EVENTS[server.peer.role], wanted))
    before = server.cpu()
    figures = loaded(server.port, asked(server, "hot", count=count))
    if figures.events != count:
        raise BenchmarkError(f"{figures.events} of {count} events came.")
    return per_event(figures.events, figures.elapsed, server.cpu() - before)


def per_event(events: int, elapsed: float, cpu: float) -> Values:
    """Return what each event cost.

    Raises:
        BenchmarkError: If there was none.
    """
    if events == 0:
        raise BenchmarkError("No event came.")
    return {
        "events": events,
        "events_per_s": events / elapsed,
        "cpu_us": cpu / events * 1e6,
        "cpu_share": cpu / elapsed,
    }


def short(server: Server, plan: Plan) -> Values:
    """Ten events a request, over connections that are kept."""
    values: Values = {}
    request = asked(server, "hot", count=SHORT_EVENTS)
    loaded(server.port, request, connections=32, repeat=True, seconds=0.3)
    for connections in CONCURRENCY:
        before = server.cpu()
        figures = loaded(
            server.port, request, connections=connections, repeat=True, seconds=plan.short
        )
        cpu = server.cpu() - before
        values |= {
            f"requests_per_s_{connections}": figures.responses / figures.elapsed,
            f"cpu_us_{connections}": cpu / max(1, figures.responses) * 1e6,
            f"ttfe_p50_ms_{connections}": figures.ttfe["p50_us"] / 1000,
            f"ttfe_p99_ms_{connections}": figures.ttfe["p99_us"] / 1000,
            f"reconnects_{connections}": figures.reconnects,
        }
    return values


def replay(server: Server, plan: Plan) -> Values:
    """Read again what was kept, over and over, and to the end."""
    loaded(server.port, asked(server, "hot", count=2000))
    request = asked(server, "replay", count=REPLAYED)
    # Whole replays, because some servers make all of one before they send it.
    before = server.cpu()
    figures = loaded(server.port, request, repeat=True, seconds=plan.replay)
    if figures.events != figures.responses * REPLAYED:
        raise BenchmarkError(f"{figures.responses} replays had {figures.events} events.")
    return per_event(figures.events, figures.elapsed, server.cpu() - before)


def stamped(server: Server, plan: Plan) -> Values:
    """How old an event is when it arrives, on a server that does nothing else."""
    values: Values = {}
    # With the head of its answer, and after it: the two ways in which a first event leaves.
    for name, path in (("first", "/stamped"), ("later", "/stamped_later")):
        request = Request(method="POST", path=path, body="{}")
        figures = loaded(
            server.port, request, repeat=True, responses=plan.stamps, pause=5, stamp=STAMP
        )
        if figures.stamp["count"] != plan.stamps:
            raise BenchmarkError(f"{figures.stamp['count']:.0f} of {plan.stamps} events came.")
        for part in ("p50", "p99"):
            values[f"{name}_{part}_ms"] = figures.stamp[f"{part}_us"] / 1000
    return values
