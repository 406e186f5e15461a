"""The application of these files; replace it by yours."""

import asyncio
import os
from collections.abc import AsyncIterator

from yieldwire import Actions, Progress, Timing

actions = Actions(
    store=os.environ["STORE"],
    timing=Timing(grace=20),
    hosts=["*"],  # the names by which clients reach it
)


@actions.action(queue="reports", linger=None, retries=3)
async def build_report(pages: int = 10) -> AsyncIterator[Progress]:
    """Build a report, in a worker."""
    for page in range(1, pages + 1):
        await asyncio.sleep(1)
        yield Progress(page, total=pages)
