"""Measures what Yieldwire costs, compared with its peers and the limits of the machine.

Everything that a server needs is installed below build/bench. Each measurement goes to a JSON
file there, and the tables to --results. A figure is the median of its rounds; compare figures
of one run only, on a machine that does nothing else.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import compiled
from benchmarks.load import SOURCE
from benchmarks.machine import BUILD, BenchmarkError, allow_files
from benchmarks.peer import choose, read_peers
from benchmarks.plan import DEFAULT, FULL, QUICK, Plan
from benchmarks.report import page
from benchmarks.runner import SCENES, Runner
from benchmarks.table import SHEETS

EXAMPLES = """\
examples:
  python3 -m benchmarks --list
      what the scenes are, and which servers there are
  python3 -m benchmarks --quick --rounds 1 --scene A --peers ours,starlette
      a first look, in a few seconds
  python3 -m benchmarks --scene C --peers ours,ours-socket,raw-asgi,starlette-socket,ws
      many streams, over HTTP and WebSocket next to each other, in three minutes
  python3 -m benchmarks --scene C --full --rounds 1 --peers ours,starlette
      also how many streams keep their pace, and how late their events are
  python3 -m benchmarks --scene O --peers ours,raw-asgi,starlette
      what an event costs next to two other servers, on a machine that others use too
  python3 -m benchmarks --scene LM --peers ours-chat,fastapi-chat,ai-chat
      answers of a model, as an application gives them
  python3 -m benchmarks --full --peers all --results benchmarks/RESULTS.md
      everything, in some hours

`python3 -m benchmarks.check PEER,...` checks that servers send what the scenes expect.
"""


SHOWN = f"{min(SCENES)} to {max(SCENES)}"


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    asked = _parser().parse_args(words)
    try:
        peers = read_peers()
        chosen = choose(asked.peers, peers)
        scenes = _letters(asked.scenes)
        if asked.list:
            _list_peers()
            return 0
        compiled(SOURCE)
    except BenchmarkError as exc:
        sys.stderr.write(f"benchmarks: {exc}\n")
        return 2
    allow_files()
    # Servers are ended on the way out, also when a runner of tests or of jobs ends this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    runner = Runner(chosen, scenes, _plan(asked), asked.rounds)
    runner.install(_say)
    results = runner.run(_say)
    path: Path = asked.results
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(results, peers, runner.environments, runner.machine), "utf-8")
    _say(f"{time.monotonic() - began:.0f} s; {path} and {runner.path} are written")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m benchmarks",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--peers", default="default", help="names with commas between, `default` or `all`"
    )
    parser.add_argument(
        "--scene",
        "--scenes",
        dest="scenes",
        default="".join(SCENES),
        help=f"letters, {SHOWN}; all of them if left out",
    )
    parser.add_argument("--rounds", type=int, default=3, help="a figure is their median (3)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="short windows, for a first look")
    length.add_argument("--full", action="store_true", help="long windows")
    parser.add_argument(
        "--results", type=Path, default=BUILD / "RESULTS.md", help="where the tables go"
    )
    parser.add_argument("--list", action="store_true", help="say what can be measured, and end")
    return parser


def _letters(text: str) -> str:
    letters = [letter for letter in text.upper() if letter not in ", "]
    for letter in letters:
        if letter not in SCENES:
            raise BenchmarkError(f"There is no scene {letter}; there are {', '.join(SCENES)}.")
    return "".join(letter for letter in SCENES if letter in letters)


def _plan(asked: argparse.Namespace) -> Plan:
    if asked.quick:
        return QUICK
    return FULL if asked.full else DEFAULT


def _list_peers() -> None:
    for letter, sheet in SHEETS.items():
        _say(f"scene {letter}   {sheet.title}")
    for peer in read_peers().values():
        mark = "*" if peer.default else " "
        _say(f"{mark} {peer.name:<20} {peer.scenes:<10} {peer.title}")
    _say("* is one of the default")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
