"""The application: its actions, what they need, and the verbs that every transport uses."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.guard import Guards
from yieldwire.actions.middleware import Middlewares
from yieldwire.actions.registry import Registry
from yieldwire.actions.resource import Resource, value_of
from yieldwire.actions.start import Starter
from yieldwire.app.blocking import BlockingProducing
from yieldwire.app.configuration import (
    EXECUTOR,
    STORE,
    claim_within,
    engine_of,
    open_executor,
    open_store,
)
from yieldwire.app.lifetime import Lifetime
from yieldwire.app.opening import Opening
from yieldwire.app.producing import Producing
from yieldwire.app.starting import Starts
from yieldwire.app.sweeping import Sweeping
from yieldwire.app.working import Working
from yieldwire.clock import CLOCK, Clock, SystemClock, Timing
from yieldwire.errors import Json
from yieldwire.executors import Executor, RunLimits, Work
from yieldwire.executors.engine import Engine
from yieldwire.executors.services import Services
from yieldwire.executors.worker import Worker
from yieldwire.hooks import HOOKS, Hooks, RunLogging, Watch
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status, Verb
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Access, Caller, Grant, authorize, check_expiry
from yieldwire.runs.family import Family
from yieldwire.runs.files import RunFiles
from yieldwire.runs.handle import Runs, start_detached
from yieldwire.runs.inbox import Inboxes
from yieldwire.runs.inputs import Inputs
from yieldwire.runs.places import Places
from yieldwire.runs.reader import Reader
from yieldwire.runs.signing import Signer
from yieldwire.runs.standing import Standings
from yieldwire.runs.start import scoped_key
from yieldwire.runs.state import States
from yieldwire.setting import Count, settings
from yieldwire.stores import Query, RunStore
from yieldwire.stores.timed import timed
from yieldwire.webhooks import WEBHOOKS, Webhook, WebhookFor
from yieldwire.webhooks.service import Webhooks

T = TypeVar("T")

logger: Final = logging.getLogger("yieldwire.app")


@settings
class App:
    """Actions, the store that keeps their runs, and the executor that decides where they run.

    It opens itself at the first call, in the event loop of that call. `close` ends that, and
    `open` opens it again, in any event loop.

    Args:
        store: Where runs are kept: ``"memory"``, ``"sqlite:///runs.db"``, or your own store.
        executor: Decides where runs are executed, by default in the process that starts them; or
            an engine, which carries the runs of queues to workers; or a function that starts a job
            for a run's id, which uses `produce` or `produce_blocking`.
        signer: Makes and reads links for people without an account; by default there are none.
        access: Widens who can see a run beyond its owner.
        guards: Runs once at each start, in order.
        middleware: Wraps every attempt, in order.
        run_limits: The limits for one run.
        timing: How long things can take.
        max_runs: Runs that one caller can have at a time, over all actions.
        hooks: Watch what happens to runs; see `Hooks`.
        webhooks: Tell other services about runs, by signed requests.
        webhook_for: Says to which other URLs the start of a run can have a webhook sent.
        debug: Whether errors show details of an unexpected exception. For development only.
        checks_chunks: Whether each chunk is checked against its declared type.
        clock: The source of time; tests pass one that they control.
    """

    executor: Executor
    engine: Engine | None
    timing: Timing
    watch: Watch
    checks_chunks: bool
    debug: bool
    max_runs: Count | None
    signer: Signer
    files: RunFiles
    inputs: Inputs
    places: Places
    runs: Runs
    family: Family

    def __init__(  # noqa: PLR0913 - settings, passed by name
        self,
        *,
        store: Annotated[str | RunStore, STORE] = "memory",
        executor: Annotated[Executor | Engine | Callable[[str], object], EXECUTOR] | None = None,
        signer: Signer | None = None,
        access: Access | None = None,
        guards: Guards = (),
        middleware: Middlewares = (),
        run_limits: RunLimits | None = None,
        timing: Timing | None = None,
        max_runs: Count | None = 1000,
        hooks: Annotated[Sequence[Hooks], HOOKS] = (),
        webhooks: Annotated[Sequence[Webhook], WEBHOOKS] = (),
        webhook_for: WebhookFor | None = None,
        debug: bool = False,
        checks_chunks: bool = False,
        clock: Annotated[Clock, CLOCK] | None = None,
    ) -> None:
        self.registry: Final = Registry(guards, middleware)
        self.action: Final = self.registry.action
        self.feed: Final = self.registry.feed
        self.clock: Final = clock or SystemClock()
        self.timing, self._hooks, self.watch = timing or Timing(), hooks, Watch(hooks)
        self.store: Final = timed(open_store(store, clock), self.watch)
        self.executor, self.engine = open_executor(executor), engine_of(executor)
        self.run_limits: Final = run_limits or RunLimits()
        self.checks_chunks, self.debug, self.max_runs = checks_chunks, debug, max_runs
        self.signer, self._access = signer or Signer(None, None), access
        # A store that is lost with its process needs no leases.
        self.lease: float | None = None if self.store.reach == "process" else self.timing.lease
        self.claim_within: float | None = claim_within(self.executor, self.lease)
        self.files, self._cancelling = RunFiles(self.store, self.clock), set[str]()
        self.inputs, self.places = Inputs(self.files), Places(self.files, self.signer, self.clock)
        self.standings: Final = Standings(self.store, self.clock)
        self._states = States(self.store, self.standings, self.run_limits.max_event_bytes)
        self.check: Callable[[Caller], None] = check_expiry  # raises if the access has ended
        self.at_opening: Final[list[Callable[[Opening], object]]] = []  # called when it is complete
        self.at_sweep: Final[list[Callable[[], Awaitable[object]]]] = []  # called by each sweep
        self.webhooks: Final = Webhooks(self.store, self.clock, webhooks, webhook_for)
        if self.webhooks.is_used:
            self._hooks = [*hooks, *self.webhooks.hooks]
            self.at_opening.append(lambda opening: self.webhooks.begin(opening.tasks))
            self.at_sweep.append(self.webhooks.look)
        self.working: Final = Working(self)
        self.at_opening.append(self.working.begin)
        self.lifetime: Lifetime = Lifetime(self)
        # Every transport, dialect and Python start calls this.
        starts, producing = Starts(self), Producing(self)
        self.begin: Final = starts.begin
        self.reserve: Final = starts.reserve
        self.inboxes: Final = Inboxes(self)
        self.tell: Final = self.inboxes.tell
        self.runs, self.family, self._sweeping = Runs(self), Family(self), Sweeping(self)
        self.produce: Final = producing.produce
        blocking = BlockingProducing(producing, open=self.open, close=self.close)
        self.produce_blocking: Final = blocking.produce
        self.start: Final = Starter[Context](self.registry.own, partial(start_detached, self))

    async def open(self) -> None:
        """Open resources and start time-based maintenance; if it is open, this does nothing.

        An application can be opened again after a close, also in another event loop.

        Raises:
            StoreError: If the store cannot be used; a later call tries again.
            UsageError: If it is open in another event loop, which is running.
        """
        await self.lifetime.open()

    async def ready(self) -> Opening:
        """Return the current opening. The first call opens the application.

        Raises:
            StoreError: If the store cannot be used; a later call tries again.
            Unavailable: If it is closed.
            UsageError: If it is open in another event loop, which is running.
        """
        return await self.lifetime.ready()

    @property
    def is_closing(self) -> bool:
        """Whether it accepts no new runs: it is stopping, or is closed."""
        return self.lifetime.is_closing

    def new_worker(self, resources: Mapping[Resource[Any], Any]) -> Worker:
        """Return a worker for this application's runs in the running loop."""
        self.watch = Watch([*RunLogging.if_logged(), *self._hooks])
        services = Services(
            store=self.store,
            limits=self.run_limits,
            middleware_of=self.registry.middleware_of,
            resources=resources,
            answer_link=self.answer_link,
            families=self.family,
            reopen=self.files.reopen,
            checks_chunks=lambda: self.checks_chunks,
            shows_debug=lambda: self.debug,
            watch=self.watch,
        )
        return Worker(services, self.load, self.ended, lease=self.lease)

    async def prepare(self) -> None:
        """Check whether the store can be used, and delete files that a crash has left.

        Raises:
            StoreError: If the store cannot be used.
            UsageError: If an action needs what the store or the executor does not have.
        """
        self.files.check(self.registry.actions)
        self.working.check()
        await self.store.find(Query(everyone=True, limit=1))  # it is better to fail here
        await self.files.remove_leftovers()

    def enter(self, opening: Opening, /) -> None:
        """Add what lives as long as ``opening``."""
        self.standings.begin(opening.tasks)
        for add in self.at_opening:
            add(opening)

    async def sweep(self) -> None:
        """Run time-based maintenance: stop unread runs, recover lost ones, delete old ones.

        Raises:
            Unavailable: If the application is closed.
        """
        try:
            for maintain in self.at_sweep:
                await maintain()
        finally:
            await self._sweeping.sweep()

    async def forget(self, purged: Sequence[str], /) -> None:
        """Forget what is kept of deleted runs: their state, and their files."""
        for run_id in purged:
            self._states.forget(run_id)
        await self.files.forget(purged)

    async def close(self) -> None:
        """Let running actions finish, and close everything, all within the grace time.

        Every verb then raises `Unavailable`, until the application is opened again.
        """
        await self.lifetime.close()

    async def resource(self, resource: Resource[T], /) -> T:
        """Return the value of a resource, outside of actions: in an ordinary route, a script."""
        return value_of(resource, (await self.ready()).opened)

    # The verbs.

    def load(self, run: RunRecord, /) -> Work:
        """Return what an attempt at a run needs: its action, and its arguments."""
        return self.inputs.load(run, self.registry.action_named(run.action))

    async def ended(self, run: RunRecord, /) -> None:
        """Delete the files of a run that has ended."""
        action = self.registry.find(run.action)
        if action is None or action.has_files:
            await self.files.forget([run.id])

    async def get(self, run_id: str, caller: Caller, verb: Verb = "read") -> RunRecord:
        """Return a run if ``caller`` is allowed to do ``verb`` to it. All transports use this.

        Raises:
            NotFound: If there is no such run.
            Unauthorized: If the caller is anonymous and the run has an owner.
            Forbidden: If the run is another owner's.
        """
        await self.ready()
        run = await self.store.get(run_id)
        await authorize(caller, run, verb, self._access)
        return run

    def reader(self, run_id: str, *, is_needed: bool = True) -> Reader:
        """Return a new reader of a run; the store is told about it if it ``is_needed``."""
        opening = self.lifetime.current
        return Reader(
            self.store,
            opening.worker.audience(run_id),
            self.clock,
            run_id,
            opening.readers,
            is_needed=is_needed,
            shows_debug=self.debug,
            watch=self.watch,
        )

    async def fold(self, run_id: str) -> Fold:
        """Return the state of the run's log at this moment."""
        await self.ready()
        return await self._states.fold(run_id, shows_debug=self.debug)

    async def snapshot(self, run_id: str, *, with_text: bool = True) -> dict[str, Json]:
        """Return the run's state in one object."""
        await self.ready()
        return await self._states.snapshot(run_id, with_text=with_text, shows_debug=self.debug)

    async def answer(
        self, run_id: str, question: str, value: object, caller: Caller, *, key: str | None = None
    ) -> Message:
        """Answer a run's question, and return the accepted answer. All transports use this.

        Raises:
            NotFound: If there is no such run or question.
            CallError: As `Inboxes.question` and `Inboxes.put` say.
        """
        address = await self.inboxes.question(run_id, question, caller)
        return await self.inboxes.put(address, value, key=key)

    async def send(
        self, run_id: str, value: object, caller: Caller, *, key: str | None = None
    ) -> Message:
        """Send a message to a run's action, and return it as accepted. All transports use this.

        Raises:
            NotFound: If there is no such run, or its action takes no messages.
            CallError: As `Inboxes.messages` and `Inboxes.put` say.
        """
        address = await self.inboxes.messages(run_id, caller)
        return await self.inboxes.put(address, value, key=key)

    async def cancel(self, run_id: str, reason: str = "requested") -> RunRecord:
        """Ask a run to stop, and return its current record. It is idempotent."""
        opening = await self.ready()
        is_only = run_id not in self._cancelling
        self._cancelling.add(run_id)
        try:
            before = await self.store.get(run_id)
            run = await self.store.request_cancel(run_id, reason)
        finally:
            self._cancelling.discard(run_id)
        if run.status.is_terminal:
            if is_only and before.status is Status.PENDING and before.attempt == run.attempt:
                self.watch.run_ended(run)  # else its attempt, or another call, has ended it
            opening.worker.drop(run.id)
            await self.ended(run)
            if run.attempt and not before.status.is_terminal:
                await self.family.end(run.id)
        else:
            opening.worker.nudge(run_id, run.cancel_reason or reason)
        return run

    def answer_link(
        self, run_id: str, question: str, *, expires: float, name: str | None = None
    ) -> str:
        """Return the URL of a page on which somebody without an account answers a question.

        Args:
            run_id: The run that asks.
            question: The question's id.
            expires: After how many seconds the link is no longer accepted.
            name: Who answers with it, as the ``answer`` event will tell.

        Raises:
            UsageError: If the application has no secret, or no URL.
        """
        until = self.clock.now() + expires
        verbs = frozenset[Verb]({"answer"})
        return self.signer.answer_url(
            Grant(run_id=run_id, verbs=verbs, expires_at=until, question=question, name=name)
        )

    async def cancel_start(
        self, action: Action[..., Any, Any], caller: Caller, key: str
    ) -> RunRecord | None:
        """Cancel the run that ``caller`` started with ``key``, and return its current record.

        If there is none, a start with the key that arrives later is refused, for as long as the
        action's runs are kept after their end. This never starts anything.

        Raises:
            ParseError: If an anonymous caller's key could be somebody else's too.
            Forbidden: If the run is a feed that all readers share.
        """
        await self.ready()
        scoped = scoped_key(action, caller.owner, key)
        run = await self.store.refuse(scoped, seconds=action.options.retention)
        if run is None:
            return None
        await authorize(caller, run, "cancel", self._access)
        return await self.cancel(run.id)

    async def delete(self, run_id: str) -> None:
        """Delete a run that has ended.

        Raises:
            Conflict: If it has not.
        """
        await self.ready()
        await self.forget(await self.store.purge(run_id))

    async def find(self, query: Query) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        await self.ready()
        return await self.store.find(query)
