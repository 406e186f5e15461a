"""What an action can use of its run."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from yieldwire.actions.parameter import Injected
from yieldwire.actions.resource import Resource
from yieldwire.errors import Json, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """Plain facts about the request that started a run; they also reach a worker.

    ``headers`` has lower-case names and leaves out every header that carries a secret.
    """

    method: str = ""
    path: str = ""
    client: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Return the facts as plain JSON."""
        headers = dict(self.headers)
        return {"method": self.method, "path": self.path, "client": self.client, "headers": headers}


class RunningAttempt(Protocol):
    """The part of a running attempt that its action uses."""

    @property
    def cancel_reason(self) -> str | None:
        """Why the run must stop, or ``None``."""
        ...

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        """Run a helper in the run's own group."""
        ...


def _no_link(*_: object, **__: object) -> str:
    raise UsageError("Links need an application: write Actions(secret=..., url=...).")


@dataclass(slots=True, kw_only=True)
class Context(Injected):
    """One attempt at a run, as its action, its guards and its middleware see it.

    ``state`` is plain JSON: what guards put there reaches the action, wherever it runs.
    ``labels`` added by guards are put on the run, for lists, each once. In guards no attempt
    has started: ``attempt`` is 0.
    """

    run_id: str
    action: str
    owner: str | None
    quota_key: str
    request: RequestFacts
    attempt: int = 0
    state: dict[str, Json] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    running: RunningAttempt | None = field(default=None, repr=False)
    opened: Mapping[Resource[Any], Any] = field(default_factory=dict, repr=False)
    answer_link: Callable[..., str] = field(default=_no_link, repr=False)

    def _needed(self) -> RunningAttempt:
        if self.running is None:
            raise UsageError("This needs a running attempt; guards run before there is one.")
        return self.running

    def link(self, question: str, *, expires: float, name: str | None = None) -> str:
        """Return the URL of a page on which somebody without an account answers a question.

        Send it by mail or chat, before or after the question is asked. Opening it answers nothing,
        it allows nothing else, and only the first answer to the question counts.

        Args:
            question: The question's id, as in `ask`.
            expires: After how many seconds the link is no longer accepted.
            name: Who answers with it, as the ``answer`` event tells; readers of the run see it.

        Raises:
            UsageError: If no attempt is running, or the application has no ``secret=`` or
                ``url=``.
        """
        self._needed()
        return self.answer_link(self.run_id, question, expires=expires, name=name)

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self.running is not None and self.running.cancel_reason is not None

    def check_cancelled(self) -> None:
        """Raise if the run was asked to stop: for blocking code between two yields.

        Raises:
            asyncio.CancelledError: If it was. Do not catch it.
        """
        if self.is_cancelled:
            raise asyncio.CancelledError

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        """Run a helper in the run's own group: the run waits for it, and fails if it does.

        Raises:
            UsageError: If no attempt is running, or the action is blocking code.
        """
        return self._needed().spawn(coroutine)
