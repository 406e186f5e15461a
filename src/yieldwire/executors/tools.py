"""What an attempt gives its action, through the context: each part is made at its first use."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, TypeVar

from yieldwire.actions.running import Thread
from yieldwire.errors import UsageError, YieldwireError
from yieldwire.executors import Work
from yieldwire.executors.checkpoints import Recorder
from yieldwire.executors.children import ChildRuns
from yieldwire.executors.conversation import Conversation
from yieldwire.executors.past import Past
from yieldwire.executors.services import Own, Services
from yieldwire.executors.stepper import Stepped, Stepper
from yieldwire.executors.writer import LogWriter
from yieldwire.log.run import RunRecord

T = TypeVar("T")


class Tools(ABC):
    """The part of an attempt that its action uses.

    It is a base class and not an object of its own, as most runs use none of it, and each object
    costs.
    """

    __slots__ = (
        "_checkpoints",
        "_children",
        "_conversation",
        "_group",
        "_own",
        "_past",
        "_services",
        "_work",
        "_writer",
        "cancel_reason",
        "run",
    )

    is_lost: bool
    """Whether another attempt continues the run."""

    def __init__(
        self, services: Services, run: RunRecord, work: Work, writer: LogWriter, own: Own
    ) -> None:
        self._services, self._work, self._writer, self._own = services, work, writer, own
        self.run: RunRecord = run
        self._group: asyncio.TaskGroup | None = None
        self._past: Past | None = None
        self._checkpoints: Recorder | None = None
        self._conversation: Conversation | None = None
        self._children: ChildRuns | None = None
        self.cancel_reason: str | None = None

    def own(self, coroutine: Coroutine[Any, Any, Any], /) -> "asyncio.Task[Any]":
        """Run a coroutine in a task that outlives the action."""
        return self._own(coroutine)

    @abstractmethod
    def stop_by(self, error: YieldwireError, /) -> None:
        """Stop the action: something of it cannot be written."""

    @property
    def checkpoints(self) -> Recorder:
        """What the attempt records, and finds of earlier ones."""
        if self._checkpoints is None:
            past = self._past or Past()
            self._checkpoints = Recorder(self, self._services, self._writer, past.recorded)
        return self._checkpoints

    @property
    def conversation(self) -> Conversation:
        """What the action asks and receives."""
        if self._conversation is None:
            action, asked = self._work.action, (self._past or Past()).questions
            self._conversation = Conversation(
                self, self._services, action, self._writer, asked, self.checkpoints
            )
        return self._conversation

    @property
    def children(self) -> ChildRuns:
        """Starts other runs for this one."""
        if self._children is None:
            self._children = ChildRuns(self._services, self, self._work.context)
        return self._children

    def thread(self, name: str, /) -> Thread:
        """Return the thread of a blocking action, in which ``ctx.blocking.name`` is called."""
        return self._writer.thread(name)

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        """Run a helper in the run's own group; its output is written when it waits."""
        if self._group is None or asyncio._get_running_loop() is None:  # noqa: SLF001
            coroutine.close()
            raise UsageError("spawn() needs a running loop: blocking actions have no helpers.")

        async def helper() -> T:
            result: T = await Stepped(coroutine, self._writer)
            return result

        task = self._group.create_task(Stepper(helper()))
        task.add_done_callback(lambda _: coroutine.close())  # it can be cancelled before it starts
        return task
