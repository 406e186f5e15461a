"""The part of a running attempt that its action uses through the context."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from yieldwire.actions.step import Step
from yieldwire.errors import Json

T = TypeVar("T")


class Records(Protocol):
    """What attempts at a run record for later ones: steps, and the saved place."""

    @property
    def saved(self) -> Json:
        """The value of the saved place, or ``None``."""
        ...

    def save(self, value: object, /) -> None:
        """Replace the saved place; chunks before it stay when the run is restarted."""
        ...

    def step(self, step: Step, /) -> Coroutine[Any, Any, Any]:
        """Return the step's recorded result, or make the call and record its result."""
        ...

    def blocking_step(self, step: Step, /) -> Any:  # noqa: ANN401 - the function's own type
        """Do the same in the thread of a blocking action."""
        ...


class RunningAttempt(Protocol):
    """A running attempt."""

    @property
    def cancel_reason(self) -> str | None:
        """Why the run must stop, or ``None``."""
        ...

    @property
    def checkpoints(self) -> Records:
        """What it records for later attempts."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        """Run a helper in the run's own group."""
        ...
