"""Shows a run until its end, and handles Ctrl-C meanwhile."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

from yieldwire.cli.asking import Answering, Asking
from yieldwire.cli.display import Display
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.stopping import on_signals
from yieldwire.cli.target import ShownRun
from yieldwire.errors import YieldwireError
from yieldwire.log.run import Status, advance
from yieldwire.log.waiting import described

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at where a run waits."""


class Interrupt:
    """Ctrl-C: the first one does what `first` says, the second exits at once."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self.first: Callable[[], object] = leave
        self._leave = leave
        self.restore: Callable[[], object] = lambda: None
        """Restores the terminal."""

    def press(self) -> None:
        """Handle the key."""
        first, self.first = self.first, self._quit
        first()

    def _quit(self) -> None:
        self.restore()
        # Nothing is awaited, neither a request nor a thread that does not check for it.
        os._exit(Outcome.CANCELLED)


def run_until_done(work: Callable[[Interrupt], Coroutine[Any, Any, Outcome]]) -> Outcome:
    """Run ``work`` in its own event loop, which handles Ctrl-C."""

    async def run() -> Outcome:
        task = asyncio.current_task()
        interrupt = Interrupt(leave=lambda: task and task.cancel())
        on_signals(interrupt.press, [signal.SIGINT])
        return await work(interrupt)

    try:
        return asyncio.run(run())
    except (asyncio.CancelledError, KeyboardInterrupt):
        return Outcome.CANCELLED


async def show_run(
    run: ShownRun,
    display: Display,
    interrupt: Interrupt,
    answering: Answering,
    *,
    cancels: bool,
) -> Outcome:
    """Show a run until its end; with ``cancels``, Ctrl-C stops the run rather than the display.

    Raises:
        YieldwireError: If the run cannot be read further.
    """
    failure: Exception | None = None
    outcome = Outcome.FAILED
    leave = interrupt.first
    interrupt.restore = display.close
    async with asyncio.TaskGroup() as tasks:
        asking = Asking(run, display, answering, tasks.create_task)
        waiting = tasks.create_task(_show_waiting(run, display))

        def cancel() -> None:
            asking.stop()
            tasks.create_task(_cancel(run, display))

        if cancels:
            interrupt.first = cancel
        try:
            outcome = await _show(run, asking, waiting)
        except Exception as exc:  # noqa: BLE001 - raised below, outside of the group
            failure = exc
        finally:
            waiting.cancel()
            asking.stop()
            display.close()
    interrupt.first = leave
    if failure is not None:
        raise failure
    return outcome


async def _show(run: ShownRun, asking: Asking, waiting: asyncio.Task[None]) -> Outcome:
    async for event in run.events():
        waiting.cancel()
        asking.show(event)
        if event.is_terminal:
            await asking.finish()
            return Outcome.of_status(advance(Status.RUNNING, event.type))
    waiting.cancel()
    # Everything had been read before; the snapshot says how it ended.
    return Outcome.of_status((await run.snapshot())["status"])


async def _show_waiting(run: ShownRun, display: Display) -> None:
    """Show where a run waits, until this is cancelled."""
    try:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            display.wait(described(await run.waiting()))
    except YieldwireError:
        return  # following it says the same
    finally:
        display.wait("")


async def _cancel(run: ShownRun, display: Display) -> None:
    display.note("Cancelling. Ctrl-C again exits at once.")
    try:
        await run.cancel()
    except YieldwireError as exc:
        display.note(f"The run could not be cancelled: {exc}")
