"""An application that asks, for servers that are killed before the answer is used."""

import os
from pathlib import Path

from yieldwire import Actions, Context, Timing, Upload


def made(folder: Path) -> Actions:
    """Return the application with its runs in a folder."""
    actions = Actions(
        store=f"sqlite:///{folder / 'runs.db'}",
        timing=Timing(lease=1.0, sweep_every=0.1, grace=0.1),
    )

    @actions.action(asks=(Upload, int), retries=1)
    async def ask(ctx: Context) -> list[int]:
        """Ask for two numbers, the first of them in a file."""
        first = await ctx.ask(Upload, "First?")
        second = await ctx.ask(int, "Second?")
        return [int(await first.read()), second, ctx.attempt]

    return actions


actions = made(Path(os.environ.get("RUNS", ".")))
