"""Passes runs between an application's queues and an engine.

Every process of the application takes runs from the queues and gives them to the engine. What
the engine delivers is executed in workers, or starts the runs of schedules.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Protocol

from yieldwire.actions.action import Action
from yieldwire.actions.context import RequestFacts
from yieldwire.actions.registry import Registry
from yieldwire.app.opening import Opening
from yieldwire.clock import Clock
from yieldwire.errors import NotFound
from yieldwire.executors.engine import AGAIN, Engine, Schedule
from yieldwire.executors.queueing import FIRST_PAUSE, LONGEST_PAUSE, QueueWorker
from yieldwire.log.run import RunRecord
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import RunStore
from yieldwire.stores.queue import Slots
from yieldwire.tasks import Tasks

SENDS: Final = 10
"""How many runs a process gives to the engine at a time."""
SENT_WITHIN: Final = 1.0
"""Seconds that a process which stops has for those that it has taken already."""
LATEST: Final = 600.0
"""Seconds after which the time of a schedule is missed."""

logger: Final = logging.getLogger("yieldwire.worker")


class Relayable(Protocol):
    """What the relay needs of its application."""

    @property
    def clock(self) -> Clock:
        """The source of time."""
        ...

    @property
    def registry(self) -> Registry:
        """Its actions."""
        ...

    @property
    def store(self) -> RunStore:
        """Where the runs wait."""
        ...

    @property
    def begin(self) -> Callable[[StartRequest], Awaitable[RunRecord]]:
        """Start a run."""
        ...

    async def ready(self) -> Opening:
        """Return the current opening. The first call opens the application."""
        ...


class Relay:
    """Gives the runs of an application's queues to an engine, and does what that delivers."""

    def __init__(
        self, app: Relayable, engine: Engine, slots: Callable[[], Mapping[str, Slots]]
    ) -> None:
        self._app, self._engine, self._slots = app, engine, slots
        self.claim_within: Final = engine.claim_within
        engine.bind(self)

    def schedule(self, action: Action[..., object, object]) -> None:
        """Tell the engine when runs of an action start by themselves, if they do.

        Raises:
            InvalidAction: If the engine does not understand the times.
        """
        options = action.options
        if options.schedule is not None and options.queue is not None:
            self._engine.schedule(
                Schedule(action=action.name, queue=options.queue, cron=options.schedule)
            )

    async def execute(self, run_id: str, /) -> None:
        """Execute a run that the engine delivers, unless it waits for a slot again.

        It does if no worker has claimed it in time, and comes again when there is a slot.
        """
        opening = await self._app.ready()
        if not await self._waits_for_slot(run_id):
            await opening.worker.execute(run_id)

    async def _waits_for_slot(self, run_id: str) -> bool:
        if not (slots := self._slots()):
            return False
        store = self._app.store
        try:
            run = await store.get(run_id)
        except NotFound:
            return True
        if run.action not in slots or run.queue is None:
            return False
        return run_id in (await store.line(run.queue, [run_id])).places

    async def tick(self, action: str, at: float, /) -> None:
        """Start the run of a scheduled action for the time ``at``, unless that is missed."""
        await self._app.ready()
        found = self._app.registry.find(action)
        if found is None or self._app.clock.now() - at > LATEST:
            why = "there is no such action" if found is None else "it is too late"
            logger.warning("no run of %s was started by its schedule: %s", action, why)
            return
        facts = RequestFacts(method="SCHEDULE")
        request = StartRequest(action=found, caller=Caller(), facts=facts, data={}, detached=True)
        request.tick = at
        try:
            await self._app.begin(request)
        except AGAIN:
            raise
        except Exception as exc:  # noqa: BLE001 - a guard's, for example; the engine cannot cure it
            logger.warning("no run of %s was started by its schedule: %s", action, exc)

    async def send(self, run: RunRecord) -> None:
        """Give a run to the engine, however often that must be tried."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._engine.send(run)
                return
            except Exception as exc:  # noqa: BLE001 - whatever its client library raises
                logger.warning("a run is given to the engine later: %s", exc)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def work(self, queue: QueueWorker, queues: Collection[str], concurrency: int) -> None:
        """Give runs to the engine, and execute what it delivers from ``queues``, if any.

        It ends when it is cancelled, and when what was delivered is done.
        """
        pause = FIRST_PAUSE
        while not _is_cancelled():
            try:
                async with self._engine.connected(), asyncio.TaskGroup() as group:
                    sending = group.create_task(_send_all(queue))
                    if queues:
                        await self._engine.work(queues, concurrency)
                        sending.cancel()
            except Exception as exc:  # noqa: BLE001 - whatever its client library raises
                logger.warning("the engine is connected to again: %s", _text_of(exc))
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _send_all(queue: QueueWorker) -> None:
    sends = Tasks()
    try:
        await queue.work(sends)
    finally:
        await sends.wait(SENT_WITHIN)
        await sends.cancel()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _text_of(exc: Exception) -> str:
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    return f"{type(exc).__name__}: {exc}"
