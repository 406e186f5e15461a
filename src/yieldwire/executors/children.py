"""The runs that one attempt starts: they are found again by later attempts, and end with it."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar

from yieldwire.actions.batch import Batch, CallOutcome, Spawner, outcome_of
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.run import Run
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.start import Starter, StartOptions, input_of, result_of
from yieldwire.errors import LimitExceeded, UsageError
from yieldwire.executors import Holder
from yieldwire.executors.services import NewChild, Services

T = TypeVar("T")


class ChildRuns:
    """Starts the children of one run for one attempt at it."""

    def __init__(self, services: Services, parent: Holder, facts: Mapping[str, Any]) -> None:
        self._families, self._parent, self._limits = services.families, parent, services.limits
        self._facts: RequestFacts = facts["request"]
        self._depth: int = facts.get("depth", 0)
        self._places = count(1)
        self._begun = 0
        self.start: Final = Starter[Context](self._families.own, self._start)
        """Starts a child that nobody needs to read."""
        self.run: Final = Starter[Context](self._families.own, self._follow, leave=self._leave)
        """Starts a child that is stopped when the call is left before its end."""

    async def _start(
        self, action: Runnable[..., Any, T], data: object, options: StartOptions
    ) -> Run[T]:
        return await self._begin(action, data, self._name_for(options), is_followed=False)

    async def _follow(
        self, action: Runnable[..., Any, T], data: object, options: StartOptions
    ) -> Run[T]:
        return await self._begin(action, data, self._name_for(options), is_followed=True)

    def _name_for(self, options: StartOptions) -> str:
        """Return a child's name: its key, or its place in the order of starts."""
        if options.owner is not None:
            raise UsageError("A child has the owner of its parent: leave out owner=.")
        if options.webhook is not None:
            raise UsageError("A child cannot name a webhook: leave out webhook=.")
        if options.delay is not None or options.start_at is not None:
            raise UsageError("A child starts at once: leave out delay= and start_at=.")
        return self._next_place() if options.key is None else f":{options.key}"

    def _next_place(self) -> str:
        """Return the place of the next start in the order of starts, as a child's name."""
        return str(next(self._places))

    async def _begin(
        self, action: Runnable[..., Any, T], data: object, name: str, *, is_followed: bool
    ) -> Run[T]:
        """Start a child.

        If this call is cancelled, the start is completed. A child that should be followed is then
        stopped; any other continues, and a later attempt or the end of this one finds it.

        Raises:
            LimitExceeded: If the run has too many children, or is too deep.
            YieldwireError: Any error of a start.
        """
        self._check_limits(action)
        child = NewChild(
            action=action, data=data, name=name, facts=self._facts, depth=self._depth + 1
        )
        begin = partial(self._families.begin, self._parent.run, child)
        starting: asyncio.Task[CallOutcome[Run[Any]]] = self._parent.own(outcome_of(begin))
        try:
            outcome = await asyncio.shield(starting)
        except asyncio.CancelledError:
            if is_followed:
                starting.add_done_callback(self._leave_started)
            raise
        return outcome.get()

    def _check_limits(self, action: Runnable[..., Any, Any]) -> None:
        self._begun += 1
        most, deepest = self._limits.max_children, self._limits.max_depth
        if self._begun > most:
            raise LimitExceeded(
                f"A run can start at most {most} other runs (RunLimits.max_children)."
            )
        if self._depth >= deepest:
            raise LimitExceeded(
                f"{action.name} is called {deepest + 1} levels deep, and {deepest} are allowed "
                "(RunLimits.max_depth); does an action call itself without an end?"
            )

    def _leave_started(self, starting: "asyncio.Task[CallOutcome[Run[Any]]]") -> None:
        if not starting.cancelled() and (run := starting.result().result) is not None:
            self._leave(run.id)

    def _leave(self, run_id: str) -> None:
        # If the attempt is lost, another one continues with the child.
        if not self._parent.is_lost:
            self._parent.own(self._families.stop(self._parent.run.id, run_id))

    def map(
        self,
        action: Runnable[..., Any, T],
        inputs: Iterable[object],
        *,
        concurrency: int,
        spawn: Spawner,
    ) -> Batch[T]:
        """Return a batch of children, one for each input; ``spawn`` owns their tasks."""
        action, place = self._families.own(action), self._next_place()
        calls = [
            partial(self._run, action, given, f"{place}.{n}") for n, given in enumerate(inputs, 1)
        ]
        return Batch(calls, spawn, concurrency)

    async def _run(self, action: Runnable[..., Any, T], given: object, name: str) -> T:
        data = input_of(action, (given,), {})
        run = await self._begin(action, data, name, is_followed=True)
        return await result_of(run, self._leave)
