"""The ways in: each calls the story's actions by a transport or a client of its own.

A new transport or client is a module here that has a `Way`, and a row in `ways/table.py`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tests.conversation.ways.node import NodeClients
from tests.support.story import Log, Story
from yieldwire.errors import Json

TERMINAL: Final = frozenset({"done", "error", "cancelled"})
Shown = Log | str
"""What a way shows of a log: the events, or what a format without events makes of them."""


class Refused(Exception):
    """A call was refused, or its run has failed; ``error`` is the wire's error object."""

    def __init__(self, error: dict[str, Json]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error


class Reading(Protocol):
    """One reader of one run, which comes back by itself if its connection is lost."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    @property
    def cursor(self) -> str:
        """With what another reader continues after what this one has read."""
        ...

    async def read(self, log: Log) -> Shown:
        """Return the next part of what comes, as much of it as `Way.shows` of ``log``.

        Raises:
            Refused: If the caller is not allowed to read.
        """
        ...

    async def result(self) -> Json:
        """Read on to the run's end, and return its result.

        Raises:
            Refused: If the run has failed or was cancelled.
        """
        ...

    async def leave(self) -> None:
        """Read no more: disconnect, and cancel nothing."""
        ...


class Way(Protocol):
    """One caller, who has come in by one way."""

    def shows(self, log: Log) -> Shown:
        """Return what a reader sees of these events."""
        ...

    async def start(self, action: str, value: object = None, *, key: str | None = None) -> Reading:
        """Start a run.

        Raises:
            Refused: If it was refused, or has failed before its first event.
        """
        ...

    async def attach(self, action: str, run_id: str, cursor: str | None = None) -> Reading:
        """Return another reader of a run, from its start or from a cursor.

        Raises:
            Refused: If the caller is not allowed to read; some ways raise it when they read.
        """
        ...

    async def cancel(self, run_id: str) -> None:
        """Ask a run to stop."""
        ...

    async def answer(self, run_id: str, question: str, value: object) -> None:
        """Answer a question of a run."""
        ...

    async def send(self, run_id: str, message: object) -> None:
        """Send a message to a run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """A server."""

    url: str
    port: int
    node: NodeClients


@dataclass(frozen=True, kw_only=True)
class StoryPlace(Place):
    """The server of the story, in this process."""

    story: Story
    call: Callable[..., Any]
    """Runs a coroutine of the application in its event loop, from any other."""


Enter = Callable[[Place, str], AbstractAsyncContextManager[Way]]
"""Lets a caller with a name in."""
