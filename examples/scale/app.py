"""Reports that workers build, for two servers and three workers that share one store.

``make demo-scale`` starts all of them. ``STORE`` says where the runs are kept.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from typing import Annotated

from pydantic import Field

from yieldwire import Actions, Context, Progress, Result

actions = Actions(store=os.environ.get("STORE", "memory"))


@actions.action(queue="reports", linger=None, retries=3, slots_per_caller=4)
async def build_report(
    ctx: Context,
    pages: Annotated[int, Field(ge=1, le=500)] = 40,
    pause: Annotated[float, Field(ge=0, le=5, description="Seconds for each page.")] = 0.25,
) -> AsyncIterator[Progress | Result[str]]:
    """Build a report, page by page; kill its worker, and another one continues at its page."""
    first = int(ctx.saved or 0) + 1
    for page in range(first, pages + 1):
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
        yield Progress(page, total=pages, message=f"Page {page}, by process {os.getpid()}")
        ctx.save(page)
    yield Result(f"{pages} pages, in attempt {ctx.attempt}")


@actions.action
async def which_server() -> int:
    """Return the process id of the server that answers."""
    return os.getpid()
