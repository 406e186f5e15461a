"""Starts and finds runs for Python code of the server."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, overload

from yieldwire.actions.action import Action
from yieldwire.actions.context import RequestFacts
from yieldwire.actions.registry import Registry
from yieldwire.actions.run import Following, Run
from yieldwire.actions.start import StartOptions
from yieldwire.errors import NotFound
from yieldwire.executors import RunLimits
from yieldwire.log.run import RunRecord, Verb
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query, RunStore

T = TypeVar("T")


class Verbs(Following, Protocol):
    """What these need of the application."""

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    @property
    def registry(self) -> Registry:
        """The application's actions."""
        ...

    @property
    def run_limits(self) -> RunLimits:
        """The limits for one run."""
        ...

    async def get(self, run_id: str, caller: Caller, verb: Verb = ...) -> RunRecord:
        """Return a run if ``caller`` is allowed to do ``verb`` to it."""
        ...

    async def find(self, query: Query) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        ...

    async def delete(self, run_id: str) -> None:
        """Delete a run that has ended."""
        ...

    async def begin(self, request: StartRequest, /) -> RunRecord:
        """Start a run."""
        ...


async def start_detached(
    app: Verbs, action: Action[..., Any, T], data: object, options: StartOptions, /
) -> Run[T]:
    """Start a detached run for Python code of the server."""
    request = StartRequest(
        action=action,
        caller=Caller(owner=options.owner),
        facts=RequestFacts(method="PYTHON"),
        data=data,
        key=options.key,
        detached=True,
        webhook=options.webhook,
        not_before=options.not_before(app.clock.now()),
    )
    return Run(app, await app.begin(request), action)


class Runs:
    """The runs of an application, for code in the server's process."""

    def __init__(self, app: Verbs) -> None:
        self._app = app

    @overload
    async def get(self, run_id: str, /, *, caller: Caller | None = None) -> Run[Any]: ...
    @overload
    async def get(
        self, run_id: str, action: Action[..., Any, T], /, *, caller: Caller | None = None
    ) -> Run[T]: ...
    async def get(
        self,
        run_id: str,
        action: Action[..., Any, Any] | None = None,
        /,
        *,
        caller: Caller | None = None,
    ) -> Run[Any]:
        """Return the run with this id, no matter who started it or where it is executed.

        Args:
            run_id: The run's id.
            action: The action of the run, so that type checkers know the result.
            caller: Who must be allowed to read the run. ``None``: access is not checked, as code
                in the server's process can attach to every run.

        Raises:
            NotFound: If the run does not exist, or belongs to another action.
            Unauthorized: If ``caller`` is anonymous and the run has an owner.
            Forbidden: If the run is another owner's.
        """
        app = self._app
        await app.ready()
        record = await (app.store.get(run_id) if caller is None else app.get(run_id, caller))
        if action is not None and record.action != action.name:
            raise NotFound(f"The run {run_id} is not one of {action.name}, but of {record.action}.")
        return Run(app, record, action or app.registry.find(record.action))

    async def find(self, query: Query) -> Sequence[RunRecord]:
        """Return the records of the matching runs, newest first."""
        return await self._app.find(query)

    async def delete(self, run_id: str) -> None:
        """Delete a run that has ended, and its log.

        Raises:
            NotFound: If the run does not exist.
            Conflict: If it has not ended.
        """
        await self._app.delete(run_id)
