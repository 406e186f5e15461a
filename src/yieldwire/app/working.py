"""Which runs of an application's queues this process executes, and how many at a time."""

from collections.abc import Collection, Coroutine, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from yieldwire.app.opening import Opening
from yieldwire.app.relaying import SENDS, Relay, Relayable
from yieldwire.errors import UsageError
from yieldwire.executors.engine import Engine
from yieldwire.executors.queueing import QueueWorker
from yieldwire.log.run import RunRecord
from yieldwire.stores.queue import Slots

CONCURRENCY: Final = 10
"""How many runs of queues a process executes at a time, if nothing else was said."""


class Depth(NamedTuple):
    """How many runs wait in a queue, without those that are to start later.

    ``oldest`` is for how many seconds the one that was started first has waited; 0.0: none waits.
    """

    waiting: int
    oldest: float


class Workable(Relayable, Protocol):
    """What the work needs of its application."""

    @property
    def engine(self) -> Engine | None:
        """What carries the runs of queues to workers; ``None``: they take them themselves."""
        ...


class Working:
    """Whether this process executes runs of queues, from which, and how many.

    With a store that is lost with its process it takes from all of them, as nobody else can. With
    an engine, every process gives runs to the engine, and workers execute what that delivers.
    """

    def __init__(self, app: Workable) -> None:
        self._app = app
        self._queues: Collection[str] | None = None
        self._concurrency = CONCURRENCY
        self._is_working = app.store.reach == "process"
        self._opening: Opening | None = None
        """Where it works."""
        self._relay = None if app.engine is None else Relay(app, app.engine, self._slots)
        if self._relay is not None:
            app.registry.at_add.append(self._relay.schedule)

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
        is_working = self._is_working or self._relay is not None
        if not is_working or self._opening is opening or not self.queues():
            return
        self._opening = opening
        work = opening.tasks.own(self._work(opening))
        opening.at_drain.append(work.cancel)
        opening.ending.add(work)

    def check(self) -> None:
        """Check whether the store and the executor have what the actions need.

        Raises:
            UsageError: If an action needs an engine, or the engine another store.
        """
        if self._relay is not None and self._app.store.reach == "process":
            raise UsageError(
                "The workers of an engine cannot share this store, which lives in one process: use "
                "one that they can reach, such as Actions(store='redis://localhost')."
            )
        scheduled = [each.name for each in self._app.registry.actions if each.options.schedule]
        if self._relay is None and scheduled:
            raise UsageError(
                f"{scheduled[0]}: schedule= needs an engine that knows the time: write "
                "Actions(executor=Docket(...)) or Actions(executor=Procrastinate(...)), or let "
                "cron start the run."
            )

    def _work(self, opening: Opening) -> Coroutine[Any, Any, None]:
        def execute(run: RunRecord) -> Coroutine[Any, Any, None]:
            return opening.worker.execute(run.id)

        takes = partial(QueueWorker, self._app.store, slots=self._slots)
        if self._relay is None:
            worker = takes(execute, queues=self._mine, concurrency=self._concurrency)
            return worker.work(opening.tasks)
        lease = self._relay.claim_within
        sender = takes(self._relay.send, queues=self.queues, concurrency=SENDS, lease=lease)
        return self._relay.work(sender, self._mine() if self._is_working else (), self._concurrency)

    def _mine(self) -> Collection[str]:
        return self._queues or self.queues()

    def _slots(self) -> Mapping[str, Slots]:
        options = {action.name: action.options for action in self._app.registry.actions}
        return {
            name: Slots(each.slots, each.slots_per_caller)
            for name, each in options.items()
            if each.slots is not None or each.slots_per_caller is not None
        }
