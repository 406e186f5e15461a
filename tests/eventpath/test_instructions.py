"""What the event path costs in instructions: the second half of the gate before it.

Callgrind counts the instructions of the whole in-process path, from an action's `yield` to
the application's `send`, and of a reference in pure Python next to it. The quotient of the two
is the same on a busy machine and an idle one, from a long path and a short one, and nearly so
from one machine to the next. Under load, on one core, with a larger environment and longer
paths it moved by less than 1 % in memory and by 2 % on SQLite, where threads take turns.

A cost that is more than its tolerance above the recorded one fails, and so does one that is
below: an improvement that nobody records can be lost again unseen.

`python -m tests.eventpath` prints the figures and `--record` makes them the new record. What
these tests cannot see, because it takes place in the kernel or in waiting (system calls, hops
between threads, transactions), `test_counts.py` counts.
"""

import pytest

from tests.eventpath.record import measured_ratios, read_record
from tests.eventpath.section import SECTIONS, Section, faults

pytestmark = pytest.mark.timeout(300)  # Valgrind makes everything fifty times slower


@pytest.fixture(scope="module")
def ratios() -> dict[str, float]:
    """What was measured now."""
    return measured_ratios()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_a_section_of_the_event_path_costs_what_is_recorded(
    section: Section, ratios: dict[str, float]
) -> None:
    recorded = read_record()

    wrong = faults(ratios, recorded, [section])

    assert wrong == []
