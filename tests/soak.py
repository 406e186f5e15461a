"""The long form of the tests of what outlives a process: ``make soak``.

It plays simulations, cuts streams and sockets, kills and restarts servers, reads slowly behind
middlewares, says how far it is, and writes what came of it to ``build/soak.json``. A seed repeats
what was drawn; what the machine did meanwhile is its own.
"""

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final

from pydantic_core import to_json

from tests.durability import rolling, storm
from tests.durability.cuts import Cutting
from tests.durability.deployment import SERVERS, running, url_of
from tests.durability.fleet import Fleet, drain
from tests.durability.imports import Importing
from tests.durability.kills import Figures, Killing
from tests.durability.races import Figures as RaceFigures
from tests.durability.races import Racing
from tests.durability.schedules import Figures as Faults
from tests.durability.schedules import play_on, time_cancels
from tests.durability.telling import check, killed_while_telling
from tests.simulation.asking import play_in_file, play_in_memory
from tests.simulation.play import simulate
from tests.simulation.sockets import play as play_sockets
from tests.support.server import ThreadServer
from tests.support.slowreading import AT_A_TIME, UNHARMED, play_all, random_stacks
from tests.support.stacked import Stacked

KILLS: Final = 200
TELLINGS: Final = 200
"""Processes that are killed while they write messages and saved places."""
STREAMS: Final = 1000
ROWS: Final = 28_000
IMPORT_KILLS: Final = 5
CUTS_EACH: Final = 10
SEEDS: Final = 500
RACES: Final = 500
"""Schedules of questions, each played in memory and in a file; and races under kills."""
RACES_AT_A_TIME: Final = 25
RACE_KILLS: Final = 3
"""Kills in each burst of races."""
RESTARTS: Final = 20
SCHEDULES: Final = 200
"""Schedules of faults on each server that processes on many machines can share."""
CANCELS: Final = 200
MOST_CANCEL_SECONDS: Final = 1.0
"""Within which nearly every cancel is in the log that a reader gets from another process."""
FLEET_RUNS: Final = 1_000
FLEET_KILLS: Final = 12
"""Runs that wait in a queue, and how many of the workers that execute them are killed."""
ROLLED: Final = 200
"""Streams that are open while servers are restarted in turn."""
SOCKET_RUNS: Final = 1000
SOCKET_CUTS: Final = 2000
"""Runs that share ten sockets, and how often one of these is cut."""
STACKS: Final = 480
"""Stacks of middlewares that a run is followed through."""
CROWD_RUNS: Final = 50
CROWD_READERS: Final = 100
BACK_WITHIN: Final = 20.0
"""Seconds from the new process listening until the last stream has a new event."""
MOST_MEMORY: Final = 1_000_000_000
REPORT: Final = Path("build/soak.json")
BURST: Final = 20
"""Kills in one file, after which all of its runs are compared."""

Report = dict[str, Any]


def say(text: str) -> None:
    """Write over the line that says how far it is."""
    sys.stdout.write(f"\r{text}\033[K")
    sys.stdout.flush()


def share(number: int, part: float) -> int:
    """Return a part of a number, and at least one."""
    return max(1, round(number * part))


def kill(seed: int, part: float) -> Report:
    """Kill servers, half of them behind lines that break."""
    total, figures = share(KILLS, part), Figures()
    while figures.kills < total:
        figures += kill_on(seed + figures.kills, figures.kills, total)
    return asdict(figures)


def kill_on(seed: int, done: int, total: int) -> Figures:
    """Kill one file's servers, and compare what its runs came to."""
    with TemporaryDirectory() as folder:
        killing = Killing(Path(folder), seed, breaks=bool(done // BURST % 2))
        burst = min(BURST, total - done)
        asyncio.run(killing.run(burst, lambda now: say(f"kills: {done + now.kills} of {total}")))
    return killing.figures


def tell(seed: int, part: float) -> Report:
    """Kill processes that write messages and saved places, each in a file of its own."""
    random, total, messages = Random(seed), share(TELLINGS, part), 0  # noqa: S311 - repeatable
    for done in range(total):
        say(f"processes that are told something: {done} of {total}")
        with TemporaryDirectory() as folder:
            path = Path(folder, "runs.db")
            told = killed_while_telling(path, random.randint(2, 300))
            messages += asyncio.run(check(path, told)) if told.sent else 0
    return {"kills": total, "messages": messages}


def cut(seed: int, part: float) -> Report:
    """Cut streams."""
    total = share(STREAMS, part)
    with TemporaryDirectory() as folder:
        cutting = Cutting(Path(folder), seed, cuts_each=CUTS_EACH)
        asyncio.run(
            cutting.run(
                total, lambda now: say(f"streams: {now.streams} of {total}, cuts: {now.cuts}")
            )
        )
    return asdict(cutting.figures)


def import_rows(seed: int, part: float) -> Report:
    """Kill the server of a large import."""
    with TemporaryDirectory() as folder:
        importing = Importing(Path(folder), seed, rows=share(ROWS, part), pause=0.0005)
        asyncio.run(importing.run(IMPORT_KILLS, lambda now: say(f"import: {now.kills} kills")))
    return asdict(importing.figures)


def play(seed: int, part: float) -> Report:
    """Play simulations, each of a seed of its own."""
    logging.disable(logging.CRITICAL)
    seeds = range(seed, seed + share(SEEDS, part))
    for each in seeds:
        say(f"simulations: {each - seed} of {len(seeds)}")
        try:
            simulate(each)
        except BaseException as exc:
            exc.add_note(f"Repeat it with: python -m tests.simulation {each}")
            raise
    return {"seeds": len(seeds), "first": seed}


def ask(seed: int, part: float) -> Report:
    """Play questions that several answer, that time out, fail and are cancelled, in both stores."""
    logging.disable(logging.CRITICAL)
    seeds = range(seed, seed + share(RACES, part))
    for each in seeds:
        say(f"races for answers: {each - seed} of {len(seeds)}")
        try:
            play_in_memory(each)
            with TemporaryDirectory() as folder:
                asyncio.run(play_in_file(each, Path(folder)))
        except BaseException as exc:
            exc.add_note(f"The schedule is that of the seed {each}")
            raise
    return {"races": len(seeds), "first": seed}


def race(seed: int, part: float) -> Report:
    """Kill servers whose questions are being answered, time out and are cancelled."""
    total, figures = share(RACES, part), RaceFigures()
    while figures.races < total:
        say(f"races under kills: {figures.races} of {total}, kills: {figures.kills}")
        with TemporaryDirectory() as folder:
            racing = Racing(Path(folder), seed + figures.races)
            asyncio.run(racing.run(min(RACES_AT_A_TIME, total - figures.races), RACE_KILLS))
        figures += racing.figures
    return asdict(figures)


def restart(seed: int, part: float) -> Report:
    """Restart two servers in turn, under open streams."""
    say("two servers are restarted in turn")
    return kept(rolling.run(share(RESTARTS, part), share(ROLLED, part), seed))


def work(seed: int, part: float) -> Report:
    """Let a fleet of workers execute many runs, and kill some of them meanwhile."""
    runs, kills = share(FLEET_RUNS, part), share(FLEET_KILLS, part)
    say(f"{runs} runs are executed by a growing fleet, of which {kills} are killed")
    with TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/runs.db"
        figures = asyncio.run(
            drain(
                Fleet(folder=Path(folder), store=store),
                runs=runs,
                workers=4,
                kills=kills,
                seed=seed,
            )
        )
    return asdict(figures)


def share_work(seed: int, part: float) -> Report:
    """Let a fleet that grows from one worker to four drain a queue on each server."""
    runs, report = share(FLEET_RUNS, part), Report()
    for name in SERVERS:
        say(f"{runs} runs are drained on {name}")
        with TemporaryDirectory() as folder, running(name) as store:
            fleet = Fleet(folder=Path(folder), store=url_of(store))
            started = monotonic()
            figures = asyncio.run(drain(fleet, runs=runs, workers=4, kills=0, seed=seed))
            report[name] = asdict(figures) | {"seconds": round(monotonic() - started, 1)}
    return report


def break_all(seed: int, part: float) -> Report:
    """Play schedules of faults on each server, and measure how long cancels take there."""
    return {name: break_on(name, seed, part) | time_on(name, part) for name in SERVERS}


def break_on(name: str, seed: int, part: float) -> Report:
    """Play the schedules of one server."""
    total = share(SCHEDULES, part)

    def tell(done: int) -> None:
        say(f"schedules on {name}: {done} of {total}")

    with TemporaryDirectory() as folder, running(name) as store:
        seeds = range(seed, seed + total)
        seen = asyncio.run(play_on(store, Path(folder), seeds, lambda now: tell(now.schedules)))
    return kept(seen)


def time_on(name: str, part: float) -> Report:
    """Measure the cancels of one server."""
    say(f"cancels on {name}")
    with TemporaryDirectory() as folder, running(name) as store:
        took = asyncio.run(time_cancels(store, Path(folder), share(CANCELS, part)))
    most = took[math.ceil(0.99 * len(took)) - 1]
    assert most < MOST_CANCEL_SECONDS, took
    return {"cancels": len(took), "cancel_p50": took[len(took) // 2], "cancel_p99": most}


def cut_sockets(seed: int, part: float) -> Report:
    """Follow a thousand runs over ten sockets that are cut at random, on virtual time."""
    say("many runs over a few sockets")
    runs, cuts = 10 * share(SOCKET_RUNS // 10, part), 10 * share(SOCKET_CUTS // 10, part)
    played = play_sockets(runs=runs, sockets=10, cuts=cuts, seed=seed)
    assert not played.wrong, played.wrong
    assert played.cuts == cuts, played.cuts
    return asdict(played)


def stack(seed: int, part: float) -> Report:
    """Follow runs slowly, through random stacks of middlewares around a real server's `send`."""
    app, total, done = Stacked(), share(STACKS, part), 0
    with ThreadServer(app, actions=app.actions, loop="uvloop", http="httptools") as server:
        while done < total:
            say(f"stacks of middlewares: {done} of {total}")
            stacks = random_stacks(seed + done, min(AT_A_TIME, total - done))
            outcomes = asyncio.run(play_all(server.port, stacks))
            assert outcomes == dict.fromkeys(map(", ".join, stacks), UNHARMED), outcomes
            done += len(stacks)
    return {"stacks": done}


def crowd(seed: int, part: float) -> Report:
    """Kill a server that thousands follow."""
    say("a server is killed under thousands of streams")
    report = kept(storm.run(share(CROWD_RUNS, part), CROWD_READERS, seed))
    assert report["last_event_after"] < BACK_WITHIN, report
    assert report["resident_after"] < MOST_MEMORY, report
    return report


def kept(seen: rolling.Report | storm.Report | Faults) -> Report:
    """Return what was seen, where no promise was broken."""
    assert not seen.violations, seen.violations
    return {name: value for name, value in asdict(seen).items() if name != "violations"}


PARTS: Final[dict[str, Callable[[int, float], Report]]] = {
    "simulations": play,
    "cuts": cut,
    "kills": kill,
    "imports": import_rows,
    "messages": tell,
    "questions": ask,
    "races": race,
    "restarts": restart,
    "workers": work,
    "shared work": share_work,
    "schedules": break_all,
    "middlewares": stack,
    "sockets": cut_sockets,
    "crowd": crowd,
}


def main() -> None:
    """Do all of it, or the part that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=float, default=1.0, help="how much of it: 0.1 is a tenth")
    parser.add_argument("only", nargs="*", help=f"which of {', '.join(PARTS)}; all of them")
    asked = parser.parse_args()
    command = f"python -m tests.soak --seed {asked.seed} --part {asked.part:g}"
    report: Report = {"command": command, "seed": asked.seed}
    for name in asked.only or PARTS:
        started = monotonic()
        try:
            figures = PARTS[name](asked.seed, asked.part)
        except BaseException as exc:
            exc.add_note(f"Repeat it with: {command} {name}")
            raise
        report[name] = figures | {"seconds": round(monotonic() - started, 1)}
        say(f"{name}: {report[name]}\n")
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(to_json(report, indent=2) + b"\n")
    say(f"{REPORT} has the report; it is repeated with {command}\n")


if __name__ == "__main__":
    main()
