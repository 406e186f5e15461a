"""The application that is called."""

from collections.abc import AsyncIterator

import pytest

from tests.support.world import opened, world
from yieldwire import Actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    """An open application with an action of each kind."""
    async with opened(world()) as actions:
        yield actions
