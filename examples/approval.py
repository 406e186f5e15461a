"""Ask a person: a draft is published when somebody has approved it.

The question is open for everyone who reads the run: on the developer page, on the run's page, in
the terminal (``yieldwire answer RUN approved=true``) and by a link that needs no account.
"""

import os
from collections.abc import AsyncIterator
from typing import Annotated

from annotated_types import Len
from pydantic import BaseModel, Field

from yieldwire import Actions, Context, Result, Text

actions = Actions(
    secret=os.environ.get("LINK_SECRET", "for the demo only, on this machine"),
    url=os.environ.get("DEMO_URL", "http://127.0.0.1:8000/api/_actions"),
)


class Decision(BaseModel):
    """Whether to publish a draft."""

    approved: bool = Field(title="Publish it")
    note: str = Field(default="", max_length=200, description="What the author is told.")


@actions.action(linger=None, retries=1, asks=Decision)
async def publish(
    ctx: Context, draft: Annotated[str, Len(1, 2000)]
) -> AsyncIterator[Text | Result[str]]:
    """Publish a draft, once a person has approved it."""
    link = ctx.link("approval", expires=3600)
    yield Text(f"Waiting for an approval. This link needs no account: {link}\n")
    decision = await ctx.ask(Decision, "Publish this?", id="approval", detail=draft, timeout=3600)
    if not decision.approved:
        yield Result(f"Not published. {decision.note}".strip())
        return
    yield Text("Published.\n")
    yield Result("Published.")
