"""Where callers come in, and what they are told there."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.conversation.ways import Place, Reading, Refused, Way
from tests.conversation.ways.table import WAYS, ways

over_each_way = pytest.mark.parametrize("way_in", ways())
over_each_way_that_resumes = pytest.mark.parametrize("way_in", ways(lambda row: row.resumes))
over_each_way_of_callers = pytest.mark.parametrize("way_in", ways(lambda row: row.has_callers))


class Door:
    """Where callers come in by one way."""

    def __init__(self, stack: AsyncExitStack, place: Place, way_in: str) -> None:
        self._stack, self._place, self._row = stack, place, WAYS[way_in]

    async def enter(self, name: str) -> Way:
        """Let a caller in."""
        return await self._stack.enter_async_context(self._row.enter(self._place, name))


async def outcome(started: Awaitable[Reading]) -> Any:  # noqa: ANN401 - JSON
    """Return the result of a run, or the error with which it was refused or has failed."""
    try:
        return await (await started).result()
    except Refused as refused:
        return refused.error


async def refusal(work: Awaitable[object]) -> dict[str, Any]:
    """Return the error with which something is refused."""
    with pytest.raises(Refused, match=r"[A-Z_]+: ") as caught:
        await work
    return caught.value.error
