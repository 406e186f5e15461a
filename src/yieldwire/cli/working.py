"""The work of ``worker``: a process that takes runs from queues and executes them."""

import asyncio
import socket
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

from yieldwire.asgi import Actions
from yieldwire.cli.health import health_app
from yieldwire.cli.output import note
from yieldwire.cli.server import SideServer, listen, url_of
from yieldwire.cli.source import load_source
from yieldwire.cli.stopping import on_signals
from yieldwire.errors import UsageError


def work(
    target: str, *, queues: Collection[str], concurrency: int, health: tuple[str, int] | None
) -> None:
    """Execute runs until a signal says to stop; then let those that are running finish.

    Args:
        target: The application's file.
        queues: The queues to take runs from; none: all that the application has.
        concurrency: How many runs are executed at a time.
        health: Where to tell a supervisor how this process is, if at all.

    Raises:
        UsageError: If the application has no such queue, or no other process can share its store.
        StoreError: If the store cannot be used.
    """
    applications = [*load_source(target).actions]
    taken = _assign(target, applications, queues, concurrency)
    listener = None if health is None else listen(*health)
    told = f"A worker takes runs of {target} from {', '.join(taken)}, {concurrency} at a time"
    if listener is not None:
        place = url_of(listener, "")
        told += f"; its health is at {place}live and {place}ready, its queues at {place}queues"
    side = SideServer(health_app(applications))
    with side.runner() as runner:
        runner.run(_work(applications, side, listener, told))


def _assign(
    target: str, applications: Sequence[Actions], queues: Collection[str], concurrency: int
) -> list[str]:
    """Tell each application which queues to take from, and return all of them."""
    known = {queue for actions in applications for queue in actions.app.working.queues()}
    if not known:
        raise UsageError(
            f"No action of {target} has a queue: declare those that workers execute with "
            "@actions.action(queue='default')."
        )
    if unknown := sorted({*queues} - known):
        raise UsageError(
            f"No action of {target} has the queue {unknown[0]!r}; "
            f"its queues are: {', '.join(sorted(known))}."
        )
    for actions in applications:
        app = actions.app
        if app.store.reach == "process" and app.working.queues():
            raise UsageError(
                f"A worker cannot share the store of {target}: it lives in one process, which "
                "executes its runs itself. Use a store that more than one process can reach, such "
                "as Actions(store='sqlite:///runs.db')."
            )
        mine = [queue for queue in app.working.queues() if not queues or queue in queues]
        if mine:
            app.working.take_from(mine, concurrency=concurrency)
    return sorted(known & {*queues} or known)


async def _work(
    applications: Sequence[Actions],
    side: SideServer,
    listener: socket.socket | None,
    told: str,
) -> None:
    stop = asyncio.Event()

    def end() -> None:
        if stop.is_set():  # the second signal
            for actions in applications:
                actions.app.lifetime.force_shutdown()
        stop.set()

    on_signals(end)
    async with AsyncExitStack() as stack:
        for actions in applications:
            await stack.enter_async_context(actions.app.lifetime.held())
        if listener is not None:
            await stack.enter_async_context(side.serve(listener))
        note(told)
        await stop.wait()
        for actions in applications:
            actions.app.lifetime.drain()
