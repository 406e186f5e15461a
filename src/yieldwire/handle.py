"""A run as Python code holds it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from yieldwire.actions import Action
from yieldwire.errors import ErrorObject, Json
from yieldwire.events import Event, EventType
from yieldwire.failure import error_from
from yieldwire.reading import Reader
from yieldwire.run import RunRecord
from yieldwire.snapshot import Fold

T = TypeVar("T")

_TICK: Final = 15.0
"""Seconds between two signs that a waiting reader is still there."""


class Verbs(Protocol):
    """What a handle needs of the application."""

    async def ready(self) -> object:
        """Open the application at its first call."""
        ...

    def reader(self, run_id: str) -> Reader:
        """Return a new reader of a run."""
        ...

    async def fold(self, run_id: str) -> Fold:
        """Return what the run's log adds up to."""
        ...

    async def cancel(self, run_id: str, reason: str = ...) -> RunRecord:
        """Ask a run to stop."""
        ...

    async def snapshot(self, run_id: str) -> dict[str, Json]:
        """Return the run's state in one object."""
        ...


class Run(Generic[T]):
    """A run as Python code holds it: iterate it for its events, await its result."""

    def __init__(self, app: Verbs, run_id: str, action: Action[..., Any, T]) -> None:
        self._app, self._action = app, action
        self.id: Final = run_id

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self._action.name}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    async def events(self, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yield the events behind ``after``, as they come, up to the terminal one."""
        await self._app.ready()
        async with aclosing(self._app.reader(self.id).pages(after, tick=_TICK)) as pages:
            async for page in pages:
                for block in page:
                    for event in block.events():
                        yield event

    async def chunks(self) -> AsyncGenerator[Json, None]:
        """Yield what the action yields, as plain JSON values.

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
        """Return the result when the run has completed.

        Raises:
            ActionError: If the run failed with an error of the action's own.
            RunError: If it was cancelled, or failed for another reason.
        """
        async for _ in self.events():
            pass
        outcome = (await self._app.fold(self.id)).outcome()
        if outcome["error"] is not None:
            raise error_from(ErrorObject.from_dict(outcome["error"]))
        return cast("T", self._action.signature.result.read(outcome["result"]))

    async def cancel(self) -> None:
        """Ask the run to stop. Asking again changes nothing."""
        await self._app.cancel(self.id)

    async def snapshot(self) -> dict[str, Json]:
        """Return the run's state in one object."""
        return await self._app.snapshot(self.id)
