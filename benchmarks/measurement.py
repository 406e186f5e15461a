"""One measurement of one scene, and how several become one figure."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Values = dict[str, float]
"""Named figures; the unit is at the end of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one scene gave with one server in one round, or why it gave nothing.

    ``seconds`` is how long it took, with the start of the server.
    """

    peer: str
    scene: str
    round: int
    seconds: float = 0.0
    values: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return asdict(self)


class Results:
    """Every measurement of one run of the harness."""

    def __init__(self, measurements: Iterable[Measurement] = ()) -> None:
        self.measurements = list(measurements)

    def add(self, measurement: Measurement) -> None:
        """Keep a measurement."""
        self.measurements.append(measurement)

    def value(self, peer: str, scene: str, name: str) -> float | None:
        """Return the median of a figure over the rounds, if it was measured."""
        found = [
            one.values[name]
            for one in self.measurements
            if one.peer == peer and one.scene == scene and name in one.values
        ]
        return statistics.median(found) if found else None

    def error(self, peer: str, scene: str) -> str:
        """Return why a scene failed, if every round of it did."""
        tried = [one for one in self.measurements if one.peer == peer and one.scene == scene]
        return tried[0].error if tried and all(one.error for one in tried) else ""

    def peers_of(self, scene: str) -> list[str]:
        """Return who was measured in a scene, in the order of the first round."""
        return list(dict.fromkeys(one.peer for one in self.measurements if one.scene == scene))


def ratio(of: float | None, to: float | None) -> float | None:
    """Return how many times ``of`` is as large as ``to``, if both are known."""
    return None if of is None or not to else of / to
