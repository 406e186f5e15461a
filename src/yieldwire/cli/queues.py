"""The work of ``queues``: how many runs wait in each queue of an application."""

import asyncio
from collections.abc import Mapping, Sequence

from yieldwire.app.working import Depth
from yieldwire.asgi import Actions
from yieldwire.cli.display import show_table
from yieldwire.cli.output import show_json
from yieldwire.cli.source import load_source
from yieldwire.errors import Json, UsageError


def show_queues(target: str, *, as_json: bool) -> None:
    """Print the queues of an application's file: a table, or JSON.

    Raises:
        UsageError: If no other process can share the application's store.
        StoreError: If the store cannot be used.
    """
    applications = [each for each in load_source(target).actions if each.app.working.queues()]
    for actions in applications:
        if actions.app.store.reach == "process":
            raise UsageError(
                f"The queues of {target} are in the process that serves it: its store cannot be "
                "shared. Use one such as Actions(store='sqlite:///runs.db')."
            )
    depths = asyncio.run(_looked_up(applications))
    if as_json:
        show_json(described(depths))
        return
    rows = [
        [name, str(depth.waiting), f"{depth.oldest:.0f} s" if depth.waiting else ""]
        for name, depth in depths.items()
    ]
    show_table(["queue", "waiting", "oldest"], rows)


async def _looked_up(applications: Sequence[Actions]) -> Mapping[str, Depth]:
    opened = list[Actions]()
    try:
        for actions in applications:
            await actions.app.store.open()
            opened.append(actions)
        return await depths_of(applications)
    finally:
        for actions in opened:
            await actions.app.store.close()


async def depths_of(applications: Sequence[Actions]) -> Mapping[str, Depth]:
    """Return the depths of all queues of some applications.

    Raises:
        StoreError: If a store failed.
    """
    depths = dict[str, Depth]()
    for actions in applications:
        for name, depth in (await actions.app.working.depths()).items():
            waiting, oldest = depths.get(name, Depth(0, 0.0))
            depths[name] = Depth(waiting + depth.waiting, max(oldest, depth.oldest))
    return dict(sorted(depths.items()))


def described(depths: Mapping[str, Depth]) -> Json:
    """Return the depths of queues as JSON."""
    return {
        name: {"waiting": depth.waiting, "oldestSeconds": round(depth.oldest, 3)}
        for name, depth in depths.items()
    }
