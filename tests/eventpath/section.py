"""What is measured, and how its cost is compared with what was recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

RECORD: Final = "python -m tests.eventpath --record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One way through the event path, run over a small and a large number of events.

    ``is_short`` means requests of ten events each, counted by the request, and ``is_socket``
    that they are made over a WebSocket. ``tolerance`` is how far a cost can be from the
    recorded one.
    """

    name: str
    store: str
    action: str
    sizes: tuple[int, int]
    tolerance: float
    is_short: bool = False
    is_socket: bool = False

    def mark(self, size: int) -> str:
        """Return the name under which a run of this size is measured."""
        return f"{self.name}:{size}"

    def cost(self, measured: Mapping[str, int]) -> float:
        """Return the instructions that one event takes, or one request where those are short."""
        small, large = self.sizes
        return (measured[self.mark(large)] - measured[self.mark(small)]) / (large - small)


# Whole blocks, so that their difference is whole blocks as well.
_BLOCKS: Final = (1024, 4096)

REFERENCE: Final = Section(name="reference", store="", action="", sizes=_BLOCKS, tolerance=0.0)

SECTIONS: Final = (
    Section(
        name="an event of a hot stream, memory",
        store="memory",
        action="hot",
        sizes=_BLOCKS,
        tolerance=0.05,
    ),
    Section(
        name="a model of a hot stream, memory",
        store="memory",
        action="hot_models",
        sizes=_BLOCKS,
        tolerance=0.05,
    ),
    Section(
        name="an event sent by itself, memory",
        store="memory",
        action="yielding",
        sizes=(128, 640),
        tolerance=0.05,
    ),
    Section(
        name="a request of ten events, memory",
        store="memory",
        action="hot",
        sizes=(10, 60),
        tolerance=0.05,
        is_short=True,
    ),
    Section(
        name="an event sent by itself, WebSocket",
        store="memory",
        action="yielding",
        sizes=(128, 640),
        tolerance=0.05,
        is_socket=True,
    ),
    Section(
        name="a request of ten events, WebSocket",
        store="memory",
        action="hot",
        sizes=(10, 60),
        tolerance=0.05,
        is_short=True,
        is_socket=True,
    ),
    # Threads take turns here, not always at the same places.
    Section(
        name="an event of a hot stream, SQLite",
        store="sqlite",
        action="hot",
        sizes=_BLOCKS,
        tolerance=0.15,
    ),
    Section(
        name="a request of ten events, SQLite",
        store="sqlite",
        action="hot",
        sizes=(10, 50),
        tolerance=0.15,
        is_short=True,
    ),
)


def ratios(measured: Mapping[str, int]) -> dict[str, float]:
    """Return every section's cost as a multiple of one turn of the reference."""
    turn = REFERENCE.cost(measured)
    return {section.name: section.cost(measured) / turn for section in SECTIONS}


def faults(
    found: Mapping[str, float],
    recorded: Mapping[str, float],
    sections: Sequence[Section] = SECTIONS,
) -> list[str]:
    """Return what is wrong with the ratios that were found, in a sentence for each.

    Better than recorded is wrong as well: a record that is not true any more would let the
    difference be lost again unseen.
    """
    return [fault for section in sections if (fault := _fault(section, found, recorded))]


def _fault(section: Section, found: Mapping[str, float], recorded: Mapping[str, float]) -> str:
    name = section.name
    if name not in recorded:
        return f"{name}: nothing is recorded; record it with `{RECORD}`."
    change = found[name] / recorded[name] - 1
    if abs(change) <= section.tolerance:
        return ""
    figures = f"{found[name]:.3f} turns of the reference instead of {recorded[name]:.3f}"
    if change > 0:
        return f"{name} costs {change:.1%} more than recorded: {figures}."
    return f"{name} costs {-change:.1%} less: {figures}. Record the better figure: `{RECORD}`."
