"""A page without a script of its own: htmx shows the run, asks its question and stops it.

The page has one element for the action. It becomes the form, and then the run: a progress bar, the
guests as the action wants them to look, a question, and a letter that types itself. A reload or a
lost connection changes nothing. MarkupSafe, which comes with Jinja2, marks what is HTML::

    uvicorn examples.htmx:app
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from annotated_types import Ge, Le, Len
from markupsafe import Markup
from pydantic import BaseModel, Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from yieldwire import Actions, Context, Progress, Result, Text
from yieldwire.dialects import HTMX

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Invitations</title>
<link rel="stylesheet" href="/api/_actions/follow.css">
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
</style>
<script src="https://cdn.jsdelivr.net/npm/htmx.org@2.0.11/dist/htmx.min.js"
  integrity="sha384-2OatzQy1H+Zd/IIrjr1TcuDGqLXeHhbooAyJY1KdQMKnr4LZ22k31GBLdYKHmVjg"
  crossorigin="anonymous"></script>
<script src="https://cdn.jsdelivr.net/npm/htmx-ext-sse@2.2.4/dist/sse.min.js"
  integrity="sha384-A986SAtodyH8eg8x8irJnYUk7i9inVQqYigD6qZ9evobksGNIXfeFvDwLSHcp31N"
  crossorigin="anonymous"></script>
</head>
<body>
<main>
<h1>Invitations</h1>
<div hx-get="/api/_actions/invite" hx-trigger="load" hx-swap="outerHTML"></div>
<p><a href="/">Start again</a></p>
</main>
</body>
</html>
"""

NAMES = ("Ada", "Grace", "Linus", "Barbara", "Guido", "Margaret", "Dennis", "Radia")


class Guest(BaseModel):
    """Somebody who is invited."""

    name: str
    table: int


class Decision(BaseModel):
    """Whether to send the invitations."""

    send: bool = Field(title="Send them")
    note: str = Field(default="", max_length=100, description="Is added to the letter.")


def row(guest: Guest) -> Markup:
    """Say how a guest looks on the page."""
    return Markup("<p><b>{}</b> sits at table {}.</p>").format(guest.name, guest.table)


actions = Actions()
actions.mount(HTMX())


@actions.action(linger=60, asks=Decision, html=row)
async def invite(
    ctx: Context,
    party: Annotated[str, Len(3, 40), Field(description="What you celebrate.")],
    guests: Annotated[int, Ge(1), Le(50)] = 8,
    pause: Annotated[float, Ge(0), Le(2), Field(description="Seconds for each step.")] = 0.3,
) -> AsyncIterator[Progress | Guest | Text | Result[str]]:
    """Invite guests to a party."""
    for n in range(guests):
        await asyncio.sleep(pause)
        yield Guest(name=NAMES[n % len(NAMES)], table=n // 4 + 1)
        yield Progress(n + 1, total=guests, message=f"{n + 1} of {guests} guests")
    decision = await ctx.ask(Decision, "Send the invitations?", timeout=3600)
    if not decision.send:
        yield Result("Nobody was invited.")
        return
    letter = f"You are invited to {party}. Bring a friend! {decision.note}".strip()
    for word in letter.split():
        await asyncio.sleep(pause / 4)
        yield Text(f"{word} ")
    yield Result(f"{guests} guests are invited.")


async def page(_request: Request) -> HTMLResponse:
    """Show the page."""
    return HTMLResponse(PAGE)


app = Starlette(
    routes=[Route("/", page), Mount("/api/_actions", actions)],
    lifespan=actions.lifespan,
)
