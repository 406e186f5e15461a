"""An application that asks, for servers that are killed before the answer is used."""

import os
from pathlib import Path

from yieldwire import Actions, Context, Timing


def made(folder: Path) -> Actions:
    """Return the application with its runs in a folder."""
    actions = Actions(
        store=f"sqlite:///{folder / 'runs.db'}",
        timing=Timing(lease=1.0, sweep_every=0.1, grace=0.1),
    )

    @actions.action(asks=int, retries=1)
    async def ask(ctx: Context) -> list[int]:
        """Ask for two numbers."""
        return [await ctx.ask(int, "First?"), await ctx.ask(int, "Second?"), ctx.attempt]

    return actions


actions = made(Path(os.environ.get("RUNS", ".")))
