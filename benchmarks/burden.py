"""Scenes F and G: a reader who stops reading, and a handler that never awaits."""

import time
from typing import Any, Final

from benchmarks.load import Load, loaded, loading
from benchmarks.machine import BenchmarkError
from benchmarks.measurement import Values
from benchmarks.plan import Plan
from benchmarks.request import Request
from benchmarks.scene import SHORT_EVENTS, asked
from benchmarks.server import Server

ENDLESS: Final = 1_000_000
READ: Final = 1000
"""Events after which the reader stops reading."""
BESIDE: Final = 8
"""Connections of the short streams meanwhile."""
STEP: Final = 0.1
QUIET: Final = 1.0
"""Seconds without growth and without work after which a server is taken to wait."""
MEGABYTE: Final = 1024 * 1024


def stalled(server: Server, plan: Plan) -> Values:
    """A reader stops, while up to a million events are produced for it."""
    _rate(server, 0.3)
    is_ours = server.peer.role == "ours"
    alone = _rate(server, plan.short) if is_ours else 0.0
    request = asked(server, "endless", count=ENDLESS)
    empty = server.memory()
    with loading(server.port, request, stall=READ, header="run-id") as load:
        run = _wait_stalled(load)
        values = _watched(server, empty, plan.stalled)
        if is_ours:
            values["beside_share"] = _rate(server, plan.short) / alone
            values["cancel_ms"] = _cancelled_within(server, "endless", run)
    if is_ours:
        values |= _second_reader(server, request)
    return values


def _wait_stalled(load: Load) -> str:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        figures = load.mark().check()
        if figures.stalled:
            return figures.header
        time.sleep(STEP)
    raise BenchmarkError("The first events did not come within 10 s.")


def _watched(server: Server, empty: float, longest: float) -> Values:
    began = quiet_since = time.monotonic()
    most, cpu = empty, server.cpu()
    while time.monotonic() - began < longest:
        time.sleep(STEP)
        memory, used = server.memory(), server.cpu()
        if memory > most + MEGABYTE / 4 or used - cpu > STEP / 10:
            quiet_since = time.monotonic()
        most, cpu = max(most, memory), used
        if time.monotonic() - quiet_since > QUIET:
            break
    return {"growth_mb": (most - empty) / MEGABYTE, "watched_s": time.monotonic() - began}


def _second_reader(server: Server, request: Request) -> Values:
    """Let somebody else read the run whose first reader has stopped."""
    with loading(server.port, request, stall=READ, header="run-id") as load:
        run = _wait_stalled(load)
        other = Request(method="GET", path=f"/runs/{run}/events")
        figures = loaded(server.port, other)
    if figures.events != ENDLESS:
        raise BenchmarkError(f"The second reader got {figures.events} of {ENDLESS} events.")
    return {"second_reader_events_per_s": figures.events / figures.elapsed}


def _rate(server: Server, seconds: float) -> float:
    """Return the requests per second of short streams; 0 where nothing is answered."""
    request = asked(server, "hot", count=SHORT_EVENTS)
    with loading(server.port, request, connections=BESIDE, repeat=True) as load:
        time.sleep(seconds)
        figures = load.mark()
    return figures.responses / max(figures.elapsed, seconds)


def _cancelled_within(server: Server, action: str, run: str) -> float:
    """Cancel a run, and return the milliseconds until its action has ended."""
    began = time.monotonic_ns()
    Request(method="POST", path=f"/runs/{run}/cancel").send(server.port)
    question = Request(method="POST", path="/stopped", body=f'{{"action":"{action}"}}')
    until = time.monotonic() + 10
    while time.monotonic() < until:
        answer: dict[str, Any] = question.ask(server.port)
        if answer["result"] is not None:
            return float(answer["result"] - began) / 1e6
        time.sleep(STEP / 10)
    raise BenchmarkError(f"The run of {action} was not cancelled within 10 s.")


def spun(server: Server, plan: Plan) -> Values:
    """Short streams next to a handler that never awaits."""
    _rate(server, 0.3)
    alone = _rate(server, plan.spin)
    request = asked(server, "spin")
    with loading(server.port, request, header="run-id") as load:
        run = _wait_flowing(load)
        beside = _rate(server, plan.spin)
    time.sleep(1.5)
    before = server.cpu()
    time.sleep(1.0)
    values: Values = {
        "alone_per_s": alone,
        "beside_per_s": beside,
        "share": beside / alone if alone else 0.0,
        "after_share": server.cpu() - before,
    }
    if server.peer.role == "ours":
        with loading(server.port, request, header="run-id") as load:
            run = _wait_flowing(load)
            values["cancel_ms"] = _cancelled_within(server, "spin", run)
    return values


def _wait_flowing(load: Load) -> str:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        figures = load.mark().check()
        if figures.events:
            return figures.header
        time.sleep(STEP)
    raise BenchmarkError("Its first event did not come within 10 s.")
