"""The page that a run of the harness writes."""

from collections.abc import Mapping, Sequence

from benchmarks.environment import Environment
from benchmarks.goal import GOALS, read_reasons
from benchmarks.measurement import Results
from benchmarks.peer import Peer
from benchmarks.table import SHEETS, row, rule, sheet_lines, shown_title

INTRODUCTION = """\
# What Yieldwire costs

Written by `make bench`; [README.md](README.md) says how it is measured, and what the scenes are.
Figures belong to one machine and one day; the ratios, all taken in the same run, say more.

"Against Yieldwire" is how many times as much CPU a server needs for the same work.
In scene B it is how many times as many requests Yieldwire answers.
Rows in italics are what the machine allows at most.
They parse next to nothing, keep nothing, and send frames that were made beforehand.
An empty field was not measured.
"""


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
    rate = results.value("limit-c", letter, "events_per_s")
    if letter != "A" or rate is None:
        return []
    million = f"{rate / 1e6:.1f} million events a second"
    return ["", f"The load client took {million} from the C server; more it cannot count."]


def _version_lines(
    peers: Mapping[str, Peer], environments: Mapping[str, Environment]
) -> Sequence[str]:
    rows = [
        row([shown_title(peers[name]), ", ".join(environment.versions)])
        for name, environment in environments.items()
        if environment.versions
    ]
    return [row(["server", "versions"]), rule(1) + "---|", *rows]
