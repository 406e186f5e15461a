"""The page that a run of the harness writes."""

from collections.abc import Mapping, Sequence

from benchmarks.capacity import capacity_lines
from benchmarks.environment import Environment
from benchmarks.goal import GOALS, read_reasons
from benchmarks.measurement import Results
from benchmarks.peer import Peer
from benchmarks.table import SHEETS, row, rule, sheet_lines, shown_title

INTRODUCTION = """\
# What Yieldwire costs

Written by `make bench`; [README.md](README.md) explains the method and the scenes.
Figures are from one machine and one day; the ratios, all from the same run, are more reliable.

"Against Yieldwire" is the CPU that a server needs for the same work, as a multiple of Yieldwire's.
In scene B it is the number of requests that Yieldwire answers, as a multiple of the server's.
Rows in italics are the limits of the machine.
They parse almost nothing, keep nothing, and send prepared frames.
An empty field was not measured.
"""
CAPACITY = """\
Computed from scenes C, J and K, for cores that are busy for at most 60 % of their time, and where
99 in 100 events wait for at most 250 ms in a simulation; see *Scaling* in the documentation.
The cores are those of servers and workers together.\
"""
DATABASES = {"ours-workers-valkey": "Valkey", "ours-workers-postgres": "PostgreSQL"}


def page(
    results: Results,
    peers: Mapping[str, Peer],
    environments: Mapping[str, Environment],
    machine: Mapping[str, str],
) -> str:
    """Return the whole page, as Markdown."""
    lines = [INTRODUCTION, *_head(machine), "", "## To reach", "", *_goal_lines(results, peers)]
    for letter, sheet in SHEETS.items():
        if results.peers_of(letter):
            lines += ["", f"## {letter}. {sheet.title}", ""]
            lines += sheet_lines(letter, results, peers)
            lines += _ceiling(letter, results)
    if capacity := capacity_lines(results, DATABASES):
        lines += ["", "## What a load takes", "", CAPACITY, *capacity]
    lines += ["", "## Versions", "", *_version_lines(peers, environments)]
    return "\n".join(lines) + "\n"


def _head(machine: Mapping[str, str]) -> Sequence[str]:
    names, values = list(machine), list(machine.values())
    return [row(names), "|" + "---|" * len(names), row(values)]


def _goal_lines(results: Results, peers: Mapping[str, Peer]) -> Sequence[str]:
    reasons = read_reasons()
    rows = [
        row([goal.said, goal.shown_aim, goal.outcome(results, peers, reasons)]) for goal in GOALS
    ]
    return [row(["what", "goal", "outcome"]), "|---|---:|---|", *rows]


def _ceiling(letter: str, results: Results) -> Sequence[str]:
    lines: list[str] = []
    for peer, way in (("limit-c", "from the C server"), ("limit-c-socket", "over a WebSocket")):
        rate = results.value(peer, letter, "events_per_s")
        if letter == "A" and rate is not None:
            million = f"{rate / 1e6:.1f} million events a second"
            lines.append(f"The load client took {million} {way}; more it cannot count.")
    return ["", *lines] if lines else []


def _version_lines(
    peers: Mapping[str, Peer], environments: Mapping[str, Environment]
) -> Sequence[str]:
    rows = [
        row([shown_title(peers[name]), ", ".join(environment.versions)])
        for name, environment in environments.items()
        if environment.versions
    ]
    return [row(["server", "versions"]), rule(1) + "---|", *rows]
