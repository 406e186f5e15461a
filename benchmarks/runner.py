"""Goes through the scenes with every server in turn, and keeps what comes of it."""

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import answer, burden, crowd, pair, scene, soak
from benchmarks.environment import Environment, prepare
from benchmarks.machine import BUILD, BenchmarkError, describe
from benchmarks.measurement import Measurement, Results, Values
from benchmarks.pair import Pair
from benchmarks.peer import Peer
from benchmarks.plan import Plan
from benchmarks.scene import Scene
from benchmarks.server import Server, running
from benchmarks.table import SHEETS

SCENES: Final[Mapping[str, Scene | Pair]] = {
    "A": scene.hot,
    "B": scene.short,
    "C": crowd.paced,
    "D": crowd.feed,
    "E": scene.replay,
    "F": burden.stalled,
    "G": burden.spun,
    "H": scene.stamped,
    "I": crowd.idle,
    "J": crowd.worked,
    "K": crowd.ticker,
    "L": answer.answered,
    "M": answer.proxied,
    "N": soak.soaked,
    "O": Pair("ours", pair.paced),
    "P": crowd.trickling,
    "Q": Pair("ours", pair.short),
}
ONCE: Final = "FGHINP"
"""Scenes whose figures say what happens rather than how fast: one round is enough."""


class Runner:
    """One run of the harness."""

    def __init__(self, peers: Sequence[Peer], scenes: str, plan: Plan, rounds: int) -> None:
        self._peers, self._scenes, self._plan, self._rounds = peers, scenes, plan, rounds
        self._failed: dict[tuple[str, str], str] = {}
        self.environments: dict[str, Environment] = {}
        self.results = Results()
        self.machine = describe() | {"rounds": str(rounds), "windows": plan.windows}
        self.path: Path = BUILD / f"{time.strftime('%Y%m%d-%H%M%S')}.json"

    def install(self, say: Callable[[str], None]) -> None:
        """Install what every peer needs; one that cannot be installed fails in all its scenes."""
        for peer in self._peers:
            say(f"installing {peer.name}")
            try:
                self.environments[peer.name] = prepare(peer)
            except BenchmarkError as exc:
                say(f"  failed: {exc}")
                self._failed[peer.name, ""] = f"not installed: {exc}"

    def run(self, say: Callable[[str], None]) -> Results:
        """Measure everything, a round at a time."""
        todo = list(self._todo())
        for number, (round_, letter, peer) in enumerate(todo, 1):
            measured = self._timed(peer, letter, round_ + 1)
            self.results.add(measured)
            self._keep()
            say(f"{number}/{len(todo)}  {_line(measured)}")
        return self.results

    def _todo(self) -> Iterator[tuple[int, str, Peer]]:
        for number in range(self._rounds):
            for letter in self._scenes:
                if letter not in ONCE or number == 0:
                    for peer in self._turned(letter, number):
                        yield number, letter, peer

    def _turned(self, letter: str, number: int) -> list[Peer]:
        able = [peer for peer in self._peers if letter in peer.scenes]
        first = number * max(1, len(able) // self._rounds)
        return [*able[first:], *able[:first]]

    def _timed(self, peer: Peer, letter: str, number: int) -> Measurement:
        began = time.monotonic()
        measured = self._measure(peer, letter, number)
        return replace(measured, seconds=round(time.monotonic() - began, 2))

    def _measure(self, peer: Peer, letter: str, number: int) -> Measurement:
        error = self._failed.get((peer.name, "")) or self._failed.get((peer.name, letter))
        if error:
            return Measurement(peer=peer.name, scene=letter, round=number, error=error)
        started = False
        try:
            environment = self.environments[peer.name]
            with running(peer, environment, notes_pauses=letter == "N") as server:
                started = True
                values = self._values(server, letter)
        except (BenchmarkError, OSError, LookupError, ValueError, ArithmeticError) as exc:
            said = str(exc) if isinstance(exc, BenchmarkError) else repr(exc)
            # What failed once is not waited for again.
            self._failed[peer.name, letter if started else ""] = said
            return Measurement(peer=peer.name, scene=letter, round=number, error=said)
        return Measurement(peer=peer.name, scene=letter, round=number, values=values)

    def _values(self, server: Server, letter: str) -> Values:
        one = SCENES[letter]
        if not isinstance(one, Pair):
            return one(server, self._plan)
        with self._second(one.other) as other:
            return one.measure(server, other, self._plan)

    @contextmanager
    def _second(self, name: str) -> Generator[Server]:
        """Start the server that another one is compared with in the same measurement."""
        found = [peer for peer in self._peers if peer.name == name]
        if not found:
            raise BenchmarkError(f"It is measured next to {name}: choose that peer too.")
        with ExitStack() as stack:
            try:
                if name not in self.environments:
                    raise BenchmarkError(self._failed[name, ""])
                other = stack.enter_context(running(found[0], self.environments[name]))
            except BenchmarkError as exc:
                raise BenchmarkError(f"{name}, next to it: {exc}") from exc
            yield other

    def _keep(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {
            "machine": self.machine,
            "versions": {name: env.versions for name, env in self.environments.items()},
            "measurements": [one.to_json() for one in self.results.measurements],
        }
        self.path.write_text(json.dumps(kept, indent=1), "utf-8")


def _line(measured: Measurement) -> str:
    head = f"{measured.round} {measured.scene} {measured.peer:<17} {measured.seconds:4.1f} s  "
    if measured.error:
        return f"{head}failed: {measured.error}"
    shown = [column for column in SHEETS[measured.scene].columns if column.name in measured.values]
    return head + ", ".join(
        f"{column.title} {column.show(measured.values[column.name])}" for column in shown
    )
