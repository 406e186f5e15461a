"""The part of a running attempt that its action uses through the context."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from yieldwire.actions.batch import Batch, Spawner
from yieldwire.actions.question import Inquiry
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.start import Starter
from yieldwire.actions.step import Step
from yieldwire.errors import Json

T = TypeVar("T")


class Thread(Protocol):
    """The thread that drives blocking code."""

    def put(self, chunk: object, /) -> None:
        """Hand over a chunk; wait for space first."""
        ...

    def call(self, call: Callable[[], None], /) -> None:
        """Make the loop call ``call`` after the chunks that were put before."""
        ...

    def wait_for(self, start: Callable[[], Awaitable[T]], /) -> T:
        """Run a coroutine in the loop after the chunks put before, and return its result."""
        ...

    def iterate(self, items: AsyncGenerator[T, None], /) -> Iterator[T]:
        """Yield what a generator of the loop yields, and close it when the loop is left."""
        ...


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


class Talk(Protocol):
    """What an attempt asks and receives."""

    def ask(self, question: Inquiry, /) -> Coroutine[Any, Any, Any]:
        """Ask, and return the answer."""
        ...

    def receive(self, kind: object, timeout: float | None) -> Coroutine[Any, Any, Any]:
        """Return the next message, or ``None``."""
        ...

    def inbox(self, kind: object) -> AsyncGenerator[Any, None]:
        """Yield every message."""
        ...

    def blocking_inbox(self, kind: object) -> Iterator[Any]:
        """Do the same in the thread of a blocking action."""
        ...


class Calls(Protocol):
    """Starts other runs for a run."""

    @property
    def start(self) -> Starter[Any]:
        """Starts one that nobody needs to read."""
        ...

    @property
    def run(self) -> Starter[Any]:
        """Starts one that is stopped when it is left before its end."""
        ...

    def map(
        self,
        action: Runnable[..., Any, T],
        inputs: Iterable[object],
        *,
        concurrency: int,
        spawn: Spawner,
    ) -> Batch[T]:
        """Return a batch of them, one for each input; ``spawn`` owns their tasks."""
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

    @property
    def conversation(self) -> Talk:
        """What it asks and receives."""
        ...

    @property
    def children(self) -> Calls:
        """Starts other runs for this one."""
        ...

    def thread(self, name: str, /) -> Thread:
        """Return the thread of a blocking action, in which ``ctx.blocking.name`` is called."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        """Run a helper in the run's own group."""
        ...
