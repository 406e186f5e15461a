"""A page with a list in React, and the action whose rows it shows. `BUNDLE` is its script."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Mount, Route

from yieldwire import Actions, Result

PAGE: Final = (
    '<!doctype html><title>Rows</title><div id="app"></div><script src="/rows.js"></script>'
)

actions = Actions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a list shows in one line."""

    number: int
    name: str
    type: Literal["row"] = "row"


@actions.action
async def rows(count: int) -> AsyncIterator[Row | Result[int]]:
    """Send rows as fast as they are read."""
    for number in range(1, count + 1):
        yield Row(number=number, name=f"Row {number} of {count}")
    yield Result(count)


async def page(_: Request) -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(PAGE)


async def script(_: Request) -> FileResponse:
    """Return the page's script."""
    return FileResponse(Path(os.environ["BUNDLE"]))


app = Starlette(
    routes=[Route("/", page), Route("/rows.js", script), Mount("/api/_actions", actions)],
    lifespan=actions.lifespan,
)
