"""Starts runs: guards, input, validation, idempotency key, creation, execution."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from yieldwire.actions.context import Context
from yieldwire.actions.guard import run_guards
from yieldwire.actions.registry import Registry
from yieldwire.app.lifetime import Lifetime
from yieldwire.app.opening import Opening
from yieldwire.app.working import Working
from yieldwire.errors import NotFound, ParseError, StoreError, Unavailable, YieldwireError
from yieldwire.executors import Executor
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.local import LocalExecutor
from yieldwire.hooks import Watch
from yieldwire.log.run import RunRecord, new_run_id
from yieldwire.runs.access import Caller
from yieldwire.runs.inputs import Inputs, NewRun
from yieldwire.runs.places import Places, UploadPlace
from yieldwire.runs.start import StartRequest, admission_of, close_uploads
from yieldwire.stores import Admission, RunStore
from yieldwire.stores.direct import NewFile
from yieldwire.webhooks.service import Webhooks

logger: Final = logging.getLogger("yieldwire.app")


class Startable(Protocol):
    """What a start needs of its application."""

    lifetime: Lifetime
    inputs: Inputs
    watch: Watch
    check: Callable[[Caller], None]
    max_runs: int | None
    claim_within: float | None
    lease: float | None
    executor: Executor

    @property
    def registry(self) -> Registry:
        """The actions, and the guards of each."""
        ...

    @property
    def webhooks(self) -> Webhooks:
        """Who is told about a run."""
        ...

    @property
    def store(self) -> RunStore:
        """Where the runs are created."""
        ...

    @property
    def places(self) -> Places:
        """Places for files that clients write themselves."""
        ...

    @property
    def working(self) -> Working:
        """Whether this process executes the runs of queues."""
        ...

    async def cancel(self, run_id: str, reason: str = ...) -> RunRecord:
        """Ask a run to stop."""
        ...


class Starts:
    """Starts the runs of one application."""

    def __init__(self, app: Startable) -> None:
        self._app = app

    async def begin(self, request: StartRequest, /) -> RunRecord:
        """Start a run: guards, input, validation, idempotency key, creation, execution.

        Every transport, dialect and Python start calls this. If an idempotency key was used
        before, its run is returned; for a shared feed, the feed's run. If the caller is cancelled
        while the store creates the run, that is completed: with a key, by which the caller can
        find the run, it continues, and so does a shared feed; any other run is cancelled.

        It closes every file in the input if it raises.

        Raises:
            Unavailable: If the server is stopping.
            ValidationFailed: If the input is invalid.
            KeyReused: If the key belongs to another input.
            RateLimited: If the caller has too many runs.
            ParseError: If no webhook can be sent to the URL that the caller names.
            Forbidden: If the caller is not allowed to name it.
            YieldwireError: Any error with which a guard refuses, or that reading the input raises.
        """
        try:
            return await self._begin(request)
        except Exception as exc:
            self._app.watch.start_refused(request.action.name, exc)
            raise

    async def _begin(self, request: StartRequest) -> RunRecord:
        app, data = self._app, None if request.read is not None else request.input
        try:
            ctx = await self._admit(request)
            urls: Mapping[str, Sequence[str]] = {}
            if request.webhook is not None or app.webhooks.is_used:
                urls = await self._urls_of(request, ctx)
            if request.read is not None:
                data = await request.read()
                app.check(request.caller)  # the input can have taken a while to arrive
        except BaseException:
            close_uploads(data)
            raise
        action = request.action
        start = await app.inputs.read(action, ctx, data, detached=request.detached)
        try:
            opening = app.lifetime.current
            claims = self._begins_here(request, start.record)
            admission = admission_of(
                request, start.record, app.max_runs, app.claim_within, claims=claims
            )
            times = request.not_before is not None or request.linger is not None
            if times or urls or app.watch.has_carried:
                start.record = start.record.changed(
                    **urls, **_times(request, start.record), **app.watch.carrying(start.record)
                )
            if start.has_files:
                await start.keep()
            if request.place is not None:
                start.is_repeated = await app.places.has_run(request.place)
        except BaseException:
            await start.drop()
            raise
        return await self._enter(opening, start, admission)

    async def reserve(self, request: StartRequest, files: Sequence[NewFile], /) -> UploadPlace:
        """Return a place for the files of a start, after the guards that the start has too.

        Raises:
            Unavailable: If the server is stopping.
            NotFound: If the server does not offer it.
            ParseError: If there is no idempotency key, or an anonymous one is too short.
            StoreError: If the object store fails.
            YieldwireError: Any error with which a guard refuses.
        """
        ctx = await self._admit(request)
        return await self._app.places.reserve(ctx.run_id, request, files)

    async def _urls_of(self, request: StartRequest, ctx: Context) -> Mapping[str, Sequence[str]]:
        named = request.webhook
        if named is not None and request.action.options.shared:
            raise ParseError(
                "All readers share the run of this feed: none of them can name a webhook."
            )
        return await self._app.webhooks.urls_of_start(ctx.action, ctx.owner, named)

    async def _admit(self, request: StartRequest) -> Context:
        if self._app.lifetime.is_closing:
            raise Unavailable
        opening = self._app.lifetime.here() or await self._app.lifetime.ready()
        action, caller = request.action, request.caller
        run_id = request.place or new_run_id()
        ctx = Context(run_id, action.name, caller.owner, caller.quota_key, request.facts)
        ctx.opened = opening.opened
        ctx.labels += request.labels
        if request.parent is not None:
            ctx.parent, ctx.depth = request.parent, request.depth
        if guards := self._app.registry.guards_of(action):
            await run_guards(guards, ctx)
        if action.signature.dependencies:
            ctx.dependencies = await request.dependencies()
        return ctx

    def _begins_here(self, request: StartRequest, run: RunRecord) -> bool:
        """Whether one step in the store creates and claims a run, which begins here at once.

        If the process dies before, the run is interrupted. So a run that nobody waits for is
        claimed when it begins: if its process dies before that, another one executes it. So is one
        with a place for uploads, whose id the start that repeats it has too. Where nothing is
        leased, a claim costs nothing.
        """
        if self._app.lease is None or run.detached or run.queue is not None:
            return False
        is_at_once = request.not_before is None and not request.action.signature.shape.is_blocking
        is_here = type(self._app.executor) is LocalExecutor
        return is_at_once and is_here and request.place is None

    async def _enter(self, opening: Opening, start: NewRun, admission: Admission) -> RunRecord:
        if admission.claims:
            start.asked_at = start.asked_at or opening.loop.time()
        try:
            kept = await self._app.store.create(start.record, admission)
        except asyncio.CancelledError:
            # The store can have the run, and executes requests in order.
            if not start.is_abandoned:
                start.is_abandoned = True
                opening.tasks.own(self._settle(opening, start, admission))
            raise
        except StoreError as exc:
            later = partial(self._begin_later, opening, start, exc) if admission.claims else None
            kept = await self._app.inputs.find_after(exc, start, later)
        except BaseException:  # a refusal: the run does not exist
            await start.drop()
            raise
        if kept.id == start.record.id and not start.is_repeated:
            self._app.watch.run_created(kept)
            start.own(kept, claims=admission.claims)
            if kept.queue is None and kept.not_before is None:
                await opening.enqueue(kept.id, start)
            else:
                self._leave_waiting(opening, start)
        else:
            await start.drop()
        return kept

    def _begin_later(self, opening: Opening, start: NewRun, failure: StoreError) -> None:
        """Begin a run that is claimed, once the store says that it has created it."""
        opening.tasks.own(self._find_and_begin(opening, start, failure))

    async def _find_and_begin(self, opening: Opening, start: NewRun, failure: StoreError) -> None:
        run_id, patience = start.record.id, self._app.lease or 0.0  # a claim is no longer valid
        find = partial(self._app.store.get, run_id)
        try:
            start.own(await with_backoff(find, patience, run_id, failure), claims=True)
            if start.claimed_at is not None:
                self._app.watch.run_created(start.record)
                await opening.enqueue(run_id, start)
        except NotFound:
            await start.drop()
        except StoreError:
            logger.warning("the run is left to a sweep, if it exists", extra={"run_id": run_id})
        finally:
            start.close()

    def _leave_waiting(self, opening: Opening, start: NewRun) -> None:
        start.close()  # a worker takes it from its queue, or a sweep begins it at its time
        if start.record.queue is not None:
            self._app.working.begin(opening)  # the action can have been declared since

    async def _settle(self, opening: Opening, start: NewRun, admission: Admission) -> None:
        """Complete a start whose caller was cancelled, or cancel its run if nobody can find it."""
        try:
            if admission.key is not None or admission.feed is not None:
                await self._enter(opening, start, admission)
                return
            with suppress(YieldwireError):  # NotFound, if the store does not have it
                kept = await self._app.cancel(start.record.id)
                if not kept.status.is_terminal:  # its attempt writes the end, here or elsewhere
                    start.own(kept, claims=admission.claims)
                    if start.claimed_at is not None:
                        self._app.watch.run_created(kept)
                        await opening.enqueue(kept.id, start)
                    return
            await start.drop()
        finally:
            start.close()


def _times(request: StartRequest, run: RunRecord) -> dict[str, float]:
    """Return when the run can start, and how long it waits for readers, as the request says."""
    times = dict[str, float]()
    if request.not_before is not None:
        times["not_before"] = request.not_before
    if request.linger is not None and run.linger is not None:
        times["linger"] = min(request.linger, run.linger)
    return times
