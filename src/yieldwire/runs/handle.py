"""Starts, finds and holds runs from Python code."""

import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context, RequestFacts, Stream, StreamableValue
from yieldwire.actions.registry import Registry
from yieldwire.clock import Clock
from yieldwire.errors import ErrorObject, Json, NotFound, StoreError, Unavailable, UsageError
from yieldwire.errors.lookup import error_from
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Caller, Grant, Verb
from yieldwire.runs.reader import Reader
from yieldwire.runs.signing import Signer, verbs_of
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query, RunStore

P = ParamSpec("P")
T = TypeVar("T")

_TICK: Final = 15.0
"""Seconds between two signals that a waiting reader is still present."""


class Verbs(Protocol):
    """What a handle needs of the application."""

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    @property
    def clock(self) -> Clock:
        """The source of time."""
        ...

    @property
    def signer(self) -> Signer:
        """Makes links for people without an account."""
        ...

    @property
    def is_closing(self) -> bool:
        """Whether it accepts no new runs."""
        ...

    async def ready(self) -> object:
        """Open the application at its first call."""
        ...

    @property
    def registry(self) -> Registry:
        """The application's actions."""
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

    def reader(self, run_id: str) -> Reader:
        """Return a new reader of a run."""
        ...

    async def fold(self, run_id: str) -> Fold:
        """Return the state of the run's log."""
        ...

    async def cancel(self, run_id: str, reason: str = ...) -> RunRecord:
        """Ask a run to stop."""
        ...

    async def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return the run's state in one object."""
        ...


class Run(Generic[T]):
    """A run in Python code: iterate it for its chunks, await its result."""

    def __init__(self, app: Verbs, record: RunRecord, action: Action[..., Any, T] | None) -> None:
        self._app, self._action = app, action
        self._name = record.action
        self.id: Final = record.id

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self._name}>"

    async def events(self, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events after ``after``, as they come, up to the terminal one.

        Raises:
            StoreError: If the store failed.
            Unavailable: If the application is closed before the run has ended.
        """
        await self._app.ready()
        try:
            async with aclosing(self._app.reader(self.id).pages(after, tick=_TICK)) as pages:
                async for page in pages:
                    for block in page:
                        for event in block.events():
                            yield event
        except StoreError as exc:
            if self._app.is_closing:
                raise Unavailable from exc
            raise

    async def __aiter__(self) -> AsyncGenerator[Json, None]:
        """Yield the chunks of the action, as plain JSON values.

        Raises:
            ActionError: If the run fails with an error of the action's own.
            RunError: If it is cancelled, or fails for another reason.
        """
        async with aclosing(self.events()) as events:
            async for event in events:
                if event.type is EventType.CHUNK:
                    yield event.value
                elif event.is_terminal and event.type is not EventType.DONE:
                    raise error_from(ErrorObject.from_dict(event.value))

    async def result(self) -> T:
        """Return the result when the run has completed, as the type that the action declares.

        If the run's action is not one of this application's, the result is plain JSON.

        Raises:
            ActionError: If the run failed with an error of the action's own.
            RunError: If it was cancelled, or failed for another reason.
        """
        async for _ in self.events():
            pass
        outcome = (await self._app.fold(self.id)).outcome()
        if outcome["error"] is not None:
            raise error_from(ErrorObject.from_dict(outcome["error"]))
        result = outcome["result"]
        if self._action is not None:
            result = self._action.signature.result.read(result)
        return cast("T", result)

    async def cancel(self) -> None:
        """Ask the run to stop. Calling it again has no effect."""
        await self._app.cancel(self.id)

    async def snapshot(self) -> dict[str, Json]:
        """Return the run's state in one object."""
        return await self._app.snapshot(self.id)

    def share(self, *, expires: float, verbs: Iterable[Verb] = ("read",)) -> str:
        """Return the URL of the run's page for somebody without an account.

        Everyone who has it can do what ``verbs`` say to this run, and nothing else.

        Args:
            expires: After how many seconds it is no longer accepted.
            verbs: Some of ``"read"``, ``"answer"``, ``"send"`` and ``"cancel"``.

        Raises:
            UsageError: If the application has no ``secret=`` or no ``url=``.
        """
        until = self._app.clock.now() + expires
        return self._app.signer.share_url(
            Grant(run_id=self.id, verbs=verbs_of(verbs), expires_at=until)
        )


class Starter:
    """Starts detached runs from Python: ``run = await actions.start(count, to=3)``.

    A detached run continues with or without readers. Pass the input as the action's own
    parameters, without the injected ones; type checkers know them if the injected ones come
    first::

        async def report(ctx: Context, month: str) -> Report: ...


        run = await actions.start(report, month="May")

    Otherwise, and if the input is one object, pass that; it is checked when the run starts:
    ``await actions.start(report, {"month": "May"}, owner="ada")``.
    """

    def __init__(self, app: Verbs, options: Mapping[str, str | None] | None = None) -> None:
        self._app, self._options = app, options

    def with_options(self, *, owner: str | None = None, key: str | None = None) -> "Starter":
        """Return a starter with an owner or an idempotency key.

        Args:
            owner: The run's owner; ``None``: no owner, so anyone with its id can read it.
            key: The same owner, action, key and input give the same run, however often started.

        Example:
            >>> start = actions.start.with_options(owner="ada")  # doctest: +SKIP
            >>> run = await start(report, month="May")  # doctest: +SKIP
        """
        return Starter(self._app, {"owner": owner, "key": key})

    @overload
    async def __call__(
        self, action: Action[P, Any, T], /, *args: P.args, **input: P.kwargs
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self, action: Action[Concatenate[Context, P], Any, T], /, *args: P.args, **input: P.kwargs
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[Context, Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[Context, StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[Stream[Any], Context, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[Concatenate[StreamableValue[Any], Context, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Run[T]: ...
    @overload
    async def __call__(
        self,
        action: Action[..., Any, T],
        input: Mapping[str, object],
        /,
        *,
        owner: str | None = None,
        key: str | None = None,
    ) -> Run[T]: ...
    async def __call__(self, action: Any, /, *args: Any, **input: Any) -> Run[Any]:
        """Start a run, and return it.

        Raises:
            ValidationFailed: If the input is invalid.
            KeyReused: If the key belongs to another input.
            UsageError: If ``action`` is not one of the application's, or input and options
                cannot be told apart.
            YieldwireError: Any error with which a guard refuses.
        """
        action = self._app.registry.own(action)
        options, data = self._parted(action, args, input)
        request = StartRequest(
            action=action,
            caller=Caller(owner=options.get("owner")),
            facts=RequestFacts(method="PYTHON"),
            data=data,
            key=options.get("key"),
            detached=True,
        )
        record = await self._app.begin(request)
        return Run(self._app, record, action)

    def _parted(
        self, action: Action[..., Any, Any], args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Mapping[str, str | None], object]:
        """Return the options and the input of a call."""
        names = _inputs_of(action)
        has_object = len(args) == 1 and isinstance(args[0], Mapping)
        options = self._options
        if options is None:
            options = {name: named.pop(name) for name in ("owner", "key") if name in named}
            unclear = set() if has_object else options.keys() & set(names)
            if unclear:
                raise UsageError(
                    f"{action.name} has an input called {min(unclear)!r}, which is also an option "
                    "of start(): write actions.start.with_options(owner=…, key=…)(…), whose "
                    "arguments are all input."
                )
        if has_object and not named:
            return options, args[0]
        if len(args) > len(names):
            raise UsageError(f"{action.name} has {len(names)} inputs, and {len(args)} were given.")
        given = {**dict(zip(names, args, strict=False)), **named}
        body = action.signature.body
        return options, given.get(body, given) if body is not None else given


def _inputs_of(action: Action[..., Any, Any]) -> list[str]:
    """Return the names of the parameters that are input, in their order."""
    injected = {**action.signature.injected, **action.signature.resources}
    return [name for name in inspect.signature(action.function).parameters if name not in injected]


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
