"""Split a large piece of work: each chapter of a report is a run of its own.

The report's run shows the progress of the whole. Its children, three at a time, are below it on the
developer page, and each can be followed alone. Stop the report, and its unfinished chapters stop
too; kill the server, and only unfinished chapters are written again.

    yieldwire dev examples/report.py
    yieldwire runs http://127.0.0.1:8000/api/_actions --parent RUN
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final

from pydantic import Field

from yieldwire import Actions, Context, Progress, Result, Text

CHAPTERS: Final = (
    "Summary",
    "Markets",
    "Customers",
    "Products",
    "Suppliers",
    "Finances",
    "Risks",
    "Outlook",
)
SENTENCES: Final = (
    "went well",
    "was harder than planned",
    "is better than last year",
    "needs care",
)

Pause = Annotated[float, Field(ge=0, le=5, description="Seconds for each sentence.")]

actions = Actions()


@actions.action(linger=None, retries=3)
async def write_report(
    ctx: Context,
    chapters: Annotated[Sequence[str], Field(min_length=1, max_length=100)] = CHAPTERS,
    pause: Pause = 0.5,
) -> AsyncIterator[Progress | Result[str]]:
    """Write a report, three chapters at a time."""
    words = 0
    work = ctx.map(
        write_chapter, [{"title": title, "pause": pause} for title in chapters], concurrency=3
    )
    async for written in work:
        words += written
        yield work.progress
    yield Result(f"{len(chapters)} chapters, {words} words")


@actions.action(result=int, retries=3)
async def write_chapter(title: str, pause: Pause = 0.5) -> AsyncIterator[Text | Result[int]]:
    """Write one chapter, and return its number of words."""
    text = [f"{title} {sentence}.\n" for sentence in SENTENCES]
    for sentence in text:
        yield Text(sentence)
        await asyncio.sleep(pause)
    yield Result(len(" ".join(text).split()))
