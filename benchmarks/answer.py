"""Scenes L and M: answers as an application gives them, after sign-in, and kept."""

import hmac
import time
from dataclasses import replace
from typing import Final

from benchmarks.load import loaded, loading
from benchmarks.machine import BenchmarkError
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.request import Request
from benchmarks.scene import asked, per_event
from benchmarks.server import SECRET, Server

COUNT: Final = 40
INTERVAL_MS: Final = 50
SECONDS: Final = COUNT * INTERVAL_MS / 1000
"""How long an answer takes."""
STAMP: Final = "ns="
"""What the time stands behind in an event, in whatever envelope it is."""
SETTLING: Final = 1.0
FRAMES: Final = COUNT + 4
"""What a model server sends for one, each after a pause."""


def session() -> str:
    """Return the cookie of somebody who has signed in."""
    return f"session=ada.{hmac.digest(SECRET.encode(), b'ada', 'sha256').hex()}"


def signed(server: Server, route: str, **values: object) -> Request:
    """Return the request of a route, by somebody who has signed in."""
    return replace(asked(server, route, **values), headers={"Cookie": session()})


def answered(server: Server, plan: Plan) -> Values:
    """Many answers at a time, one after the other, of which each takes two seconds."""
    return _answers(server, "answer", plan.answers, plan.answered, COUNT)


def proxied(server: Server, plan: Plan) -> Values:
    """The same, from a model server."""
    return _answers(server, "chat", plan.chats, plan.answered, FRAMES)


def _answers(server: Server, route: str, streams: int, seconds: float, pauses: int) -> Values:
    request = signed(server, route, count=COUNT, intervalMs=INTERVAL_MS)
    warm = signed(server, route, count=4, intervalMs=1)
    loaded(server.port, warm, connections=8, repeat=True, responses=40)
    empty = server.memory()
    ramp = round(SECONDS * 1000)  # so that as many begin at any time
    with loading(
        server.port, request, connections=streams, repeat=True, ramp=ramp, stamp=STAMP
    ) as load:
        load.wait_open(20.0)
        time.sleep(SETTLING)
        first, before = load.mark(), server.cpu()
        time.sleep(seconds)
        last, cpu = load.mark().check(), server.cpu() - before
        memory = server.memory()
        end = load.stop().check()
    answers = last.responses - first.responses
    most = end.responses * COUNT + streams * COUNT
    if answers == 0 or not end.responses * COUNT <= end.events <= most:
        raise BenchmarkError(f"{end.responses} answers had {end.events} events.")
    wanted = streams / (pauses * INTERVAL_MS / 1000)
    values = per_event(last.events - first.events, last.at - first.at, cpu)
    return values | {
        "streams": streams,
        "answers_per_s": answers / (last.at - first.at),
        "cpu_ms": values["cpu_us"] * COUNT / 1000,
        "kept_up": values["events_per_s"] / COUNT / wanted,
        "age_p50_ms": last.stamp["p50_us"] / 1000,
        "age_p99_ms": last.stamp["p99_us"] / 1000,
        "ttfe_p50_ms": end.ttfe["p50_us"] / 1000,
        "ttfe_p99_ms": end.ttfe["p99_us"] / 1000,
        "kb_per_stream": (memory - empty) / streams / 1024,
    }
