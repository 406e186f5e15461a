"""How much of its stream's memory an event of a slow stream touches.

A thousand streams do not fit into a processor's caches, and to fetch a line of 64 bytes from memory
takes as long as some hundred instructions. So with many streams that is most of what an event costs
beyond a bare ASGI application's, and the number of instructions says little about it.
"""

from typing import Final

import pytest

from tests.eventpath.callgrind import count_misses
from tests.eventpath.touch import BARE, CACHE, EVENTS, OURS

pytestmark = pytest.mark.timeout(300)  # Valgrind makes everything fifty times slower

MOST: Final = 18
"""The most lines of 64 bytes beyond those that a bare application touches."""


def test_an_event_of_a_slow_stream_touches_little_more_than_a_bare_application_does() -> None:
    missed = count_misses("tests.eventpath.touch", CACHE)
    lines = {name: count / EVENTS for name, count in missed.items()}

    assert 20 < lines[BARE] < 60
    assert lines[OURS] - lines[BARE] < MOST
