"""What an action can use of its run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar, overload

from yieldwire.actions.blocking import Blocking
from yieldwire.actions.parameter import Injected
from yieldwire.actions.resource import Resource
from yieldwire.actions.retry import Retries
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.step import Step
from yieldwire.errors import Json, UsageError

P = ParamSpec("P")
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

    # What a later attempt does not do again.

    @property
    def saved(self) -> Json:
        """The value of the last `save`, in this attempt or an earlier one; ``None`` without one.

        Raises:
            UsageError: If no attempt is running.
        """
        return self._needed().checkpoints.saved

    def save(self, value: object) -> None:
        """Declare that everything up to here is done, and where a later attempt must continue.

        The value becomes `saved` of later attempts, and the chunks before it keep counting: only
        later ones are dropped when the run is restarted. It does not wait: the value is stored
        after the chunks before it, soon, and only the newest one. It is in the store before the
        next attempt starts if this one is stopped or fails; if its process is killed, the value
        stored last counts.

        Args:
            value: Plain JSON, or something that Pydantic writes as JSON.

        Raises:
            InvalidOutput: If it cannot be written as JSON.
            LimitExceeded: If the run's checkpoints would take more than ``max_saved_bytes``.
            UsageError: If no attempt is running, or this is a thread that the action started.
        """
        self._needed().checkpoints.save(value)

    @overload
    def step(
        self,
        name: str,
        function: Callable[..., Awaitable[T]],
        /,
        *args: object,
        retries: Retries,
        **kwargs: object,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(
        self,
        name: str,
        function: Callable[..., T],
        /,
        *args: object,
        retries: Retries,
        **kwargs: object,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(
        self, name: str, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(
        self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]: ...
    def step(
        self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Coroutine[Any, Any, Any]:
        """Call ``function`` once in all attempts: its result is recorded, for later ones.

        A call whose result is in the store is never made again in this run; one that was cut off
        before can be. The result is recorded as JSON by the function's return type, and what is
        returned was read back from that, in the first attempt as in later ones. A normal function
        runs in a thread.

        Args:
            name: What identifies the step in later attempts. A name that is used again gets a
                number, in the order of the calls: ``row``, ``row#2``.
            function: What to call. An error that it raises is not recorded.
            *args: Its positional arguments.
            retries: How often it is called again after an error, at once in this attempt.
            **kwargs: Its keyword arguments.

        Raises:
            UsageError: If no attempt is running; if the action is blocking code, which has
                ``ctx.blocking.step``; if the result would not be the same when it is read back;
                or if the name was used before the last `save`, which a later attempt could not
                tell apart.
            LimitExceeded: If the run's checkpoints would take more than ``max_saved_bytes``.
            Exception: Any error of the function.
        """
        step = Step(name, function, args, kwargs)
        return self._needed().checkpoints.step(step)

    @property
    def blocking(self) -> Blocking:
        """The methods that wait, for blocking actions."""
        return Blocking(self._needed())
