"""An application whose store lives in one process, and which says when it opens."""

import sys
from collections.abc import AsyncIterator

from yieldwire import Actions

actions = Actions()


@actions.resource
async def pool() -> AsyncIterator[None]:
    """Say that a process is open."""
    sys.stderr.write("a process is open\n")
    yield
