"""The command: ``python3 -m benchmarks``."""

import argparse
import sys

from benchmarks.peer import choose, read_peers
from benchmarks.plan import DEFAULT, FULL, QUICK
from benchmarks.runner import SCENES, Runner


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks", description=__doc__)
    parser.add_argument("--peers", default="default")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    plan = QUICK if asked.quick else FULL if asked.full else DEFAULT
    runner = Runner(
        choose(asked.peers, read_peers()), asked.scenes.replace(",", ""), plan, asked.rounds
    )
    runner.install(print)
    runner.run(print)
    return 0


if __name__ == "__main__":
    sys.exit(main())
