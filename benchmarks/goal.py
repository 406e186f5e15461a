"""The goals, and whether they were reached."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from benchmarks.machine import ROOT
from benchmarks.measurement import Results, ratio
from benchmarks.peer import Peer

Figure: TypeAlias = Callable[[Results, Mapping[str, Peer]], float | None]
"""Takes one figure from the results, or nothing where it was not measured."""


def cost(peer: str, scene: str, name: str = "cpu_us") -> Figure:
    """Return a figure of one server."""
    return lambda results, _: results.value(peer, scene, name)


def times(theirs: str, scene: str, ours: str = "ours", name: str = "cpu_us") -> Figure:
    """Return how many times as much a peer needs as one of ours."""
    return lambda results, _: ratio(
        results.value(theirs, scene, name), results.value(ours, scene, name)
    )


def times_python(scene: str, ours: str = "ours") -> Figure:
    """Return how many times as much the best Python framework needs as one of ours."""

    def figure(results: Results, peers: Mapping[str, Peer]) -> float | None:
        costs = [
            value
            for name, peer in peers.items()
            if peer.role == "peer" and peer.kind == "python" and peer.framework
            if (value := results.value(name, scene, "cpu_us")) is not None
        ]
        return ratio(min(costs, default=None), results.value(ours, scene, "cpu_us"))

    return figure


def beyond(peer: str, other: str, scene: str) -> Figure:
    """Return what an event costs at one server beyond what it costs at another."""

    def figure(results: Results, _: Mapping[str, Peer]) -> float | None:
        one, two = (results.value(name, scene, "cpu_us") for name in (peer, other))
        return None if one is None or two is None else one - two

    return figure


def share(peer: str, scene: str) -> Figure:
    """Return what a server needs of what ours needs at the same time."""
    return lambda results, _: ratio(1.0, results.value(peer, scene, "ours_share"))


def worst(peer: str, scene: str, *names: str) -> Figure:
    """Return the largest of several figures."""

    def figure(results: Results, _: Mapping[str, Peer]) -> float | None:
        found = [results.value(peer, scene, name) for name in names]
        return max((value for value in found if value is not None), default=None)

    return figure


def _sqlite_in_turn(results: Results, _: Mapping[str, Peer]) -> float | None:
    """Return SQLite's rate of Starlette's, each in turn with the memory store."""
    name = "ours_share_requests_per_s"
    return ratio(results.value("starlette", "Q", name), results.value("ours-sqlite", "Q", name))


@dataclass(frozen=True, slots=True)
class Goal:
    """One bound on one figure; `reasons.toml` knows it by its key."""

    key: str
    said: str
    aim: str
    figure: Figure

    @property
    def bound(self) -> float:
        """The number in the aim, ``"<= 1.5 µs"``."""
        return float(self.aim.split()[1])

    @property
    def unit(self) -> str:
        """The unit of the aim, with the space before it; a ratio's has none."""
        unit = self.aim.split()[2]
        return unit if unit == "x" else f" {unit}"

    @property
    def shown_aim(self) -> str:
        """The aim as the table has it."""
        return f"{'≥' if self.is_floor else '≤'} {_shown(self.bound)}{self.unit}"

    @property
    def is_floor(self) -> bool:
        """Whether more is better."""
        return self.aim.startswith(">=")

    def is_met_by(self, value: float) -> bool:
        """Whether a figure is within the bound."""
        return value >= self.bound if self.is_floor else value <= self.bound

    def outcome(
        self, results: Results, peers: Mapping[str, Peer], reasons: Mapping[str, str]
    ) -> str:
        """Return what the table says of it."""
        value = self.figure(results, peers)
        if value is None:
            return "not measured"
        if self.is_met_by(value):
            return f"met: {_shown(value)}{self.unit}"
        missed = f"**missed by {_shown(abs(value - self.bound))}{self.unit}**: "
        reason = f". {reasons[self.key]}" if self.key in reasons else ""
        return f"{missed}{_shown(value)}{self.unit}{reason}"


def _shown(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.15g}"


def read_reasons() -> dict[str, str]:
    """Return the written reason for each goal that is known to be missed."""
    text = (ROOT / "benchmarks" / "reasons.toml").read_text("utf-8")
    return {key: str(reason) for key, reason in tomllib.loads(text).items()}


GOALS: Final = [
    Goal("A-dict", "A, dict chunks", "<= 1.5 µs", cost("ours", "A")),
    Goal("A-dict-python", "… the best Python framework", ">= 10 x", times_python("A")),
    Goal("A-dict-fastapi", "… FastAPI", ">= 80 x", times("fastapi", "A")),
    Goal("A-dict-node", "… Node's own http", ">= 2 x", times("node", "A")),
    Goal("A-model", "A, Pydantic models", "<= 3 µs", cost("ours-model", "A")),
    Goal(
        "A-model-python",
        "… the best Python framework",
        ">= 5 x",
        times_python("A", "ours-model"),
    ),
    Goal("A-model-fastapi", "… FastAPI", ">= 40 x", times("fastapi", "A", "ours-model")),
    Goal("A-model-node", "… Node's own http", ">= 1 x", times("node", "A", "ours-model")),
    Goal("A-sqlite", "A, SQLite beyond memory", "<= 2 µs", beyond("ours-sqlite", "ours", "A")),
    Goal(
        "A-sqlite-python",
        "… the best Python framework, which keeps no log",
        ">= 5 x",
        times_python("A", "ours-sqlite"),
    ),
    Goal(
        "B-rate",
        "B, rate at 32 connections, of Starlette's",
        ">= 2.5 x",
        times("ours", "B", "starlette", "requests_per_s_32"),
    ),
    Goal(
        "B-first",
        "B, first event's p99 at 32 connections, of Starlette's",
        "<= 1 x",
        times("ours", "B", "starlette", "ttfe_p99_ms_32"),
    ),
    Goal(
        "B-sqlite",
        "B, the rate with SQLite, of Starlette's",
        ">= 0.8 x",
        times("ours-sqlite", "B", "starlette", "requests_per_s_32"),
    ),
    Goal("C-cpu", "C, CPU of Starlette's", "<= 1 x", times("ours", "C", "starlette")),
    Goal(
        "C-cpu-raw",
        "C, CPU of a bare ASGI application's",
        "<= 1.15 x",
        times("ours", "C", "raw-asgi"),
    ),
    Goal("C-age", "C, p99 of an event's age", "<= 10 ms", cost("ours", "C", "age_p99_ms")),
    Goal(
        "C-sqlite-age",
        "C, the same with SQLite",
        "<= 50 ms",
        cost("ours-sqlite", "C", "age_p99_ms"),
    ),
    Goal(
        "C-sqlite-cpu", "C, SQLite's CPU of memory's", "<= 1.5 x", times("ours-sqlite", "C", "ours")
    ),
    Goal(
        "C-sqlite-pace", "C, SQLite, of the pace", ">= 0.97 x", cost("ours-sqlite", "C", "kept_up")
    ),
    Goal("C-memory", "C, memory a stream", "<= 25 KB", cost("ours", "C", "kb_per_stream")),
    Goal("D-starlette", "D, a delivery, Starlette", ">= 3 x", times("starlette", "D")),
    Goal("D-uvloop", "D, a delivery, bare uvloop", ">= 0.8 x", times("limit-uvloop", "D")),
    Goal("E-memory", "E, memory store, Starlette", ">= 100 x", times("starlette", "E")),
    Goal("E-sqlite", "E, SQLite, Starlette", ">= 50 x", times("starlette", "E", "ours-sqlite")),
    Goal("F-growth", "F, growth", "<= 8 MB", cost("ours", "F", "growth_mb")),
    Goal(
        "F-beside",
        "F, other readers: short streams, of their rate alone",
        ">= 0.9 x",
        cost("ours", "F", "beside_share"),
    ),
    Goal("F-cancel", "F, cancel takes effect", "<= 100 ms", cost("ours", "F", "cancel_ms")),
    Goal(
        "G-share", "G, rate next to it, of the rate alone", ">= 0.3 x", cost("ours", "G", "share")
    ),
    Goal("G-cancel", "G, it stops after its cancel", "<= 100 ms", cost("ours", "G", "cancel_ms")),
    *(
        Goal(
            f"H-{store}-{part}",
            f"H, a first event leaves an idle server, {store}, {part}",
            aim,
            worst(peer, "H", f"first_{part}_ms", f"later_{part}_ms"),
        )
        for peer, store in (("ours", "memory"), ("ours-sqlite", "SQLite"))
        for part, aim in (("p50", "<= 1 ms"), ("p99", "<= 5 ms"))
    ),
    Goal(
        "O-cpu",
        "O, CPU of Starlette's at the same time",
        "<= 1 x",
        cost("starlette", "O", "ours_share"),
    ),
    Goal(
        "O-cpu-raw",
        "O, CPU of a bare ASGI application's at the same time",
        "<= 1.15 x",
        cost("raw-asgi", "O", "ours_share"),
    ),
    Goal(
        "O-sqlite",
        "O, SQLite's CPU of memory's at the same time",
        "<= 1.5 x",
        share("ours-sqlite", "O"),
    ),
    Goal(
        "Q-rate",
        "Q, rate in turns, of Starlette's",
        ">= 1.5 x",
        cost("starlette", "Q", "ours_share_requests_per_s"),
    ),
    Goal(
        "Q-first",
        "Q, first event's p99 in turns, of Starlette's",
        "<= 1 x",
        cost("starlette", "Q", "ours_share_ttfe_p99_ms"),
    ),
    Goal("Q-sqlite", "Q, rate with SQLite, of Starlette's", ">= 0.8 x", _sqlite_in_turn),
]
