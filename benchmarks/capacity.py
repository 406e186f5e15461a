"""What a load takes: cores, memory and work of the database, from the measured cost of an event.

Streams are independent, so a load is spread over server cores, each with its share of the readers,
until both bounds hold: a core is busy for at most `BUSIEST` of its time, and a simulation of one
core finds that events wait there for at most `LONGEST_WAIT`.
"""

import heapq
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measurement import Results
from benchmarks.table import number, row, rule

BUSIEST: Final = 0.6
LONGEST_WAIT: Final = 0.25
"""Seconds, of 99 in 100 events."""
_MORE: Final = 1.25
_SIMULATED: Final = 100_000
"""How many deliveries are simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Readers, with the seconds between two events of a run, and how many readers a run has."""

    title: str
    readers: int
    interval: float
    audience: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was measured.

    Attributes:
        delivery: Seconds of a server's and a worker's CPU for an event of one reader.
        shared: The same for each delivery of an event with many readers.
        reader: Bytes of memory of an open stream.
        database: Seconds of the database's CPU for an event.
        operations: Its operations for an event.
        traffic: Its bytes for an event.
    """

    delivery: float
    shared: float
    reader: float
    database: float
    operations: float
    traffic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a load takes; ``wait`` is the simulated wait of 99 in 100 events, in seconds."""

    cores: int
    memory: float
    database_cores: float
    operations: float
    traffic: float
    wait: float


LOADS: Final = (
    Load(title="1,000 answers of a model, 20 tokens a second", readers=1_000, interval=0.05),
    Load(title="10,000 imports, a report each second", readers=10_000, interval=1.0),
    Load(title="1,000,000 open streams, an event a minute", readers=1_000_000, interval=60.0),
    Load(
        title="1,000,000 readers of one feed, an event a second",
        readers=1_000_000,
        interval=1.0,
        audience=1_000_000,
    ),
)


def needed(load: Load, cost: Cost) -> Needs:
    """Return what a load takes."""
    delivery = cost.delivery if load.audience == 1 else cost.shared
    cores = math.ceil(load.readers / load.interval * delivery / BUSIEST)
    while (wait := waited(load, delivery, cores)) > LONGEST_WAIT:
        cores = math.ceil(cores * _MORE)
    # Each process with readers of a feed gets each event once.
    copies = 1 if load.audience == 1 else cores
    events = load.readers / load.audience / load.interval * copies
    return Needs(
        cores=cores,
        memory=load.readers * cost.reader,
        database_cores=events * cost.database,
        operations=events * cost.operations,
        traffic=events * cost.traffic,
        wait=wait,
    )


def waited(load: Load, delivery: float, cores: int) -> float:
    """Return how long 99 in 100 events wait at one of the cores until they are sent, in seconds."""
    free_at, waits = 0.0, list[float]()
    for at, deliveries in _events(load, cores):
        free_at = max(free_at, at)
        for _ in range(deliveries):
            free_at += delivery
            waits.append(free_at - at)
        if len(waits) >= _SIMULATED:
            break
    return sorted(waits)[len(waits) * 99 // 100]


def _events(load: Load, cores: int) -> Iterator[tuple[float, int]]:
    """Give the time of each event at one core, and to how many readers there it goes."""
    readers = max(1, load.readers // cores)
    audience = min(load.audience, readers)
    # Runs have started at any time. A timer is never exact, or they would stay in step.
    chance = random.Random(readers)  # noqa: S311 - a simulation, the same each time
    next_events = [chance.random() * load.interval for _ in range(readers // audience)]
    heapq.heapify(next_events)
    while True:
        at = next_events[0]
        yield at, audience
        heapq.heapreplace(next_events, at + load.interval * chance.uniform(0.8, 1.2))


def measured(peer: str, results: Results) -> Cost | None:
    """Return what was measured with a server, if scenes C, J and K were."""
    found = [
        results.value(peer, "J", "cpu_us"),
        results.value(peer, "K", "cpu_us"),
        results.value("ours", "C", "kb_per_stream"),
        results.value(peer, "J", "database_cpu_us"),
        results.value(peer, "J", "database_operations"),
        results.value(peer, "J", "database_bytes"),
    ]
    figures = [each for each in found if each is not None]
    if len(figures) < len(found):
        return None
    delivery, shared, kilobytes, database, operations, traffic = figures
    return Cost(
        delivery=delivery / 1e6,
        shared=shared / 1e6,
        reader=kilobytes * 1024,
        database=database / 1e6,
        operations=operations,
        traffic=traffic,
    )


def capacity_lines(results: Results, databases: Mapping[str, str]) -> Sequence[str]:
    """Return the tables of what the loads take, one for each server and its database's name."""
    lines: list[str] = []
    for peer, name in databases.items():
        cost = measured(peer, results)
        if cost is not None:
            lines += ["", f"### With {name}", "", *_table(cost)]
    return lines


def _table(cost: Cost) -> Sequence[str]:
    heads = ["load", "cores", "memory GB", "waits ms, p99"]
    heads += ["the database's cores", "its operations/s", "its MB/s"]
    rows: list[str] = []
    for load in LOADS:
        needs = needed(load, cost)
        figures = [
            float(needs.cores),
            needs.memory / 1e9,
            needs.wait * 1000,
            needs.database_cores,
            needs.operations,
            needs.traffic / 1e6,
        ]
        rows.append(row([load.title, *map(number, figures)]))
    return [row(heads), rule(len(heads)), *rows]
