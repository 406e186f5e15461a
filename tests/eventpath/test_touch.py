"""What an event of a slow stream takes beyond a bare ASGI application's.

A thousand streams do not fit into a processor's caches, and to fetch a line of 64 bytes from memory
takes as long as some hundred instructions. So with many streams the lines that an event touches
count as well as its instructions.
"""

from typing import Final

import pytest

from tests.eventpath.callgrind import count_costs
from tests.eventpath.touch import BARE, CACHE, EVENTS, OURS

pytestmark = pytest.mark.timeout(300)  # Valgrind makes everything fifty times slower

MOST_LINES: Final = 18
"""The most lines of 64 bytes beyond those that a bare application touches."""
MOST_INSTRUCTIONS: Final = 1.06
"""The most instructions, of those of a bare application."""


def test_an_event_of_a_slow_stream_takes_little_more_than_behind_a_bare_application() -> None:
    found = count_costs("tests.eventpath.touch", CACHE)
    ours, bare = found[OURS], found[BARE]

    assert 20 < bare.misses / EVENTS < 60
    assert (ours.misses - bare.misses) / EVENTS < MOST_LINES
    assert ours.instructions / bare.instructions < MOST_INSTRUCTIONS
