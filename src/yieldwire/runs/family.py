"""Parents and children: runs that other runs start, and that do not outlive their failure."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from yieldwire.actions.action import Action
from yieldwire.actions.run import Run
from yieldwire.errors import KeyReused, NotFound, RunCancelled, UsageError
from yieldwire.executors.services import NewChild
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.access import Caller
from yieldwire.runs.handle import Verbs
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query

ORPHANED: Final = "parent"
"""The reason of a cancellation that comes from the parent."""
_AT_ONCE: Final = 1_000
"""How many children are requested from the store at a time."""


class Family:
    """Starts children, and asks them to stop when their parent has ended.

    Theory of operation. A child's record names its parent. When a run has failed or was
    cancelled, the process that wrote this asks all unfinished children to stop. A child whose
    parent ends at this moment is not missed: its start looks at the parent once the store has the
    child. If a process dies in between, the child's own process notices at its next heartbeat, or
    the one that recovers the child, because both look at the parent too.
    """

    def __init__(self, app: Verbs) -> None:
        self._app = app

    def own(self, action: Any, /) -> Action[..., Any, Any]:  # noqa: ANN401 - anything can be passed
        """Return ``action``; raise `UsageError` if it is not one of the application's."""
        return self._app.registry.own(action)

    async def begin(self, parent: RunRecord, child: NewChild, /) -> Run[Any]:
        """Start a child, or return the one that has its name already.

        Raises:
            RunCancelled: If the parent has ended meanwhile.
            UsageError: If the name was used with another input.
            YieldwireError: Any error of a start.
        """
        action = self.own(child.action)
        life = 0
        run = await self._begun(parent, child, life)
        while run.parent == parent.id and run.cancel_reason == ORPHANED:
            life += 1  # an earlier attempt, or this one, has left it
            run = await self._begun(parent, child, life)
        if run.parent == parent.id and not run.status.is_terminal and await self.stop_orphan(run):
            raise RunCancelled(ORPHANED)
        return Run(self._app, run, action)

    async def _begun(self, parent: RunRecord, child: NewChild, life: int) -> RunRecord:
        request = StartRequest(
            action=self.own(child.action),
            caller=_caller_of(parent),
            facts=child.facts,
            data=child.data,
            key=f"child {parent.id} {child.name} {life}",
            detached=True,
            parent=parent.id,
            depth=child.depth,
        )
        try:
            return await self._app.begin(request)
        except KeyReused as exc:
            raise UsageError(
                f"{parent.action} has already started {child.action.name} in this place with "
                "another input. Start the same runs in the same order in each attempt, or give "
                "each a key= of its own."
            ) from exc

    async def stop(self, parent_id: str, run_id: str, /) -> None:
        """Ask a run to stop if it is a child of the parent and has not ended."""
        with suppress(NotFound):
            run = await self._app.store.get(run_id)
            if run.parent == parent_id and not run.status.is_terminal:
                await self._app.cancel(run_id, ORPHANED)

    async def end(self, parent_id: str, /) -> None:
        """Ask all unfinished children of a run to stop."""
        # In this order, as a pending run can start in between.
        for status in (Status.PENDING, Status.RUNNING):
            query = Query(everyone=True, parent=parent_id, status=status, limit=_AT_ONCE)
            for run in await self._all(query):
                if run.cancel_reason is None:
                    await self.stop(parent_id, run.id)

    async def _all(self, query: Query) -> Sequence[RunRecord]:
        found: list[RunRecord] = []
        while page := await self._app.store.find(query):
            found += page
            query = replace(query, before=page[-1].id)
        return found

    async def stop_orphan(self, run: RunRecord, /) -> bool:
        """Ask a run to stop if its parent has failed or was cancelled; return whether it has."""
        if run.parent is None:
            return False
        try:
            parent = await self._app.store.get(run.parent)
        except NotFound:
            return False  # it ended long ago
        is_orphan = parent.status in {Status.FAILED, Status.CANCELLED}
        if is_orphan:
            await self.stop(parent.id, run.id)
        return is_orphan


def _caller_of(parent: RunRecord) -> Caller:
    """Return the caller for whom a child is started: its limits are those of the parent's."""
    return Caller(owner=parent.owner, address=parent.quota_key.removeprefix("address:"))
