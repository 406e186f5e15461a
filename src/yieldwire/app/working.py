"""Which runs of an application's queues this process executes, and how many at a time."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

from yieldwire.actions.registry import Registry
from yieldwire.app.opening import Opening
from yieldwire.clock import Clock
from yieldwire.errors import UsageError
from yieldwire.executors.queueing import QueueWorker
from yieldwire.stores import RunStore
from yieldwire.stores.queue import Slots

CONCURRENCY: Final = 10
"""How many runs of queues a process executes at a time, if nothing else was said."""


class Depth(NamedTuple):
    """How many runs wait in a queue, without those that are to start later.

    ``oldest`` is for how many seconds the one that was started first has waited; 0.0: none waits.
    """

    waiting: int
    oldest: float


class Workable(Protocol):
    """What the work needs of its application."""

    @property
    def clock(self) -> Clock:
        """The source of time."""
        ...

    @property
    def store(self) -> RunStore:
        """Where the runs wait."""
        ...

    @property
    def registry(self) -> Registry:
        """Its actions, each with its queue and its slots."""
        ...


class Working:
    """Whether this process takes runs from queues, from which, and how many.

    With a store that is lost with its process it takes from all of them, as nobody else can.
    """

    def __init__(self, app: Workable) -> None:
        self._app = app
        self._queues: Collection[str] | None = None
        self._concurrency = CONCURRENCY
        self._is_working = app.store.reach == "process"
        self._opening: Opening | None = None
        """Where it works."""

    def take_from(self, queues: Collection[str] | None, *, concurrency: int = CONCURRENCY) -> None:
        """Let this process take runs when it is opened: from these queues, or from all.

        Raises:
            UsageError: If no action has one of the queues.
        """
        unknown = sorted({*(queues or ())} - {*self.queues()})
        if unknown:
            known = ", ".join(self.queues()) or "none"
            raise UsageError(
                f"No action has the queue {unknown[0]!r}; the queues of this application are: "
                f"{known}."
            )
        self._queues, self._concurrency, self._is_working = queues, concurrency, True

    def queues(self) -> list[str]:
        """Return the queues of all actions, each once."""
        names = [action.options.queue for action in self._app.registry.actions]
        return sorted({name for name in names if name is not None})

    async def depths(self) -> Mapping[str, Depth]:
        """Return the depth of each queue, also of those in which no run waits.

        Raises:
            StoreError: If the store failed.
        """
        lines = {name: await self._app.store.line(name, ()) for name in self.queues()}
        now = self._app.clock.now()
        return {
            name: Depth(line.depth, 0.0 if line.since is None else max(0.0, now - line.since))
            for name, line in lines.items()
        }

    def begin(self, opening: Opening) -> None:
        """Take runs while ``opening`` is open, if this process is to do so and there is a queue.

        Calling it again has no effect, unless an action with a queue was declared since.
        """
        if not self._is_working or self._opening is opening or not self.queues():
            return
        self._opening = opening
        worker = QueueWorker(
            self._app.store,
            opening.worker,
            queues=lambda: self._queues or self.queues(),
            slots=self._slots,
            concurrency=self._concurrency,
        )
        opening.at_drain.append(opening.tasks.own(worker.work(opening.tasks)).cancel)

    def _slots(self) -> Mapping[str, Slots]:
        options = {action.name: action.options for action in self._app.registry.actions}
        return {
            name: Slots(each.slots, each.slots_per_caller)
            for name, each in options.items()
            if each.slots is not None or each.slots_per_caller is not None
        }
