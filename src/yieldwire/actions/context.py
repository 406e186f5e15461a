"""What an action can use of its run."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, ParamSpec, TypeVar, overload

from yieldwire.actions.batch import Batch
from yieldwire.actions.blocking import Blocking
from yieldwire.actions.parameter import Injected
from yieldwire.actions.question import UNSET, Inquiry
from yieldwire.actions.resource import Resource
from yieldwire.actions.retry import Retries
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.running import RunningAttempt
from yieldwire.actions.start import Starter
from yieldwire.actions.step import Step
from yieldwire.errors import Json, UsageError

P = ParamSpec("P")
T = TypeVar("T")


# Neither frozen nor by keyword only: both take longer to create, for each request.
@dataclass(slots=True)
class RequestFacts:
    """Plain facts about the request that started a run; they also reach a worker.

    ``headers`` has lower-case names and leaves out every header that carries a secret.
    """

    method: Final[str] = ""
    path: Final[str] = ""
    client: Final[str | None] = None
    headers: Final[Mapping[str, str]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Return the facts as plain JSON."""
        headers = dict(self.headers)
        return {"method": self.method, "path": self.path, "client": self.client, "headers": headers}


def _no_link(*_: object, **__: object) -> str:
    raise UsageError("Links need an application: write Actions(secret=..., url=...).")


@dataclass(slots=True)
class Context(Injected):
    """One attempt at a run, as its action, its guards and its middleware see it.

    ``state`` is plain JSON: what guards put there reaches the action, wherever it runs.
    ``labels`` added by guards are put on the run, for lists, each once. In guards no attempt
    has started: ``attempt`` is 0. ``parent`` is the id of the run that started this one from its
    action, and ``depth`` is how many such runs are above it.
    """

    run_id: str
    action: str
    owner: str | None
    quota_key: str
    request: RequestFacts
    _: KW_ONLY
    parent: str | None = None
    depth: int = 0
    attempt: int = 0
    state: dict[str, Json] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    running: RunningAttempt | None = field(default=None, repr=False)
    opened: Mapping[Resource[Any], Any] = field(default_factory=dict, repr=False)
    dependencies: Mapping[str, Json] = field(default_factory=dict, repr=False)
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

    # Other runs.

    @property
    def start(self) -> Starter["Context"]:
        """Start a run of another action: ``run = await ctx.start(report, month="May")``.

        The new run is this run's child. It has the same owner and counts against the same limits,
        and it is detached. If this run fails or is cancelled, its unfinished children are
        cancelled too; if it completes, they continue. A child that fails only ends this run if its
        error is raised here, by ``await run.result()`` for example.

        A later attempt finds the children of the earlier ones: the n-th start gives the same
        child. If an action does not start the same runs in the same order in each attempt, give
        each a key: ``ctx.start.with_options(key="first")(report, month="May")``.

        Raises:
            UsageError: If no attempt is running. Blocking code has ``ctx.blocking.start``, and so
                it is with `run` and `map`.
        """
        return self._needed().children.start

    @property
    def run(self) -> Starter["Context"]:
        """Run another action as a part of this one, as `start` does, and follow it to its end.

        Iterate the call for the chunks of the child, or await its result::

            async for chunk in ctx.run(report, month="May"):
                ...
            letter = await ctx.run(report, month="May").result()

        The child's error is raised here. If the loop or the wait is left early, the child is
        cancelled.

        Raises:
            UsageError: If no attempt is running.
        """
        return self._needed().children.run

    def map(
        self, action: Runnable[..., Any, T], inputs: Iterable[object], *, concurrency: int = 8
    ) -> Batch[T]:
        """Run another action once for each input, some at a time.

        Iterate it for the results, as they come::

            work = ctx.map(report, ["May", "June"])
            async for letter in work:
                yield work.progress

        The runs are children, as with `run`. The first to fail raises its error here, and the
        others are cancelled, as when the loop is left early.

        Args:
            action: The action.
            inputs: For each run its input object, or the value of its first input.
            concurrency: How many of them run at a time.

        Raises:
            UsageError: If no attempt is running.
        """
        running = self._needed()
        return running.children.map(action, inputs, concurrency=concurrency, spawn=running.spawn)

    # What others say.

    @overload
    def ask(
        self,
        kind: type[T],
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: T = ...,
        id: str | None = None,
        detail: Json = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def ask(
        self,
        kind: object,
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: object = ...,
        id: str | None = None,
        detail: Json = None,
    ) -> Coroutine[Any, Any, Any]: ...
    def ask(
        self,
        kind: object,
        prompt: str,
        /,
        *,
        timeout: float | None = None,
        default: object = UNSET,
        id: str | None = None,
        detail: Json = None,
    ) -> Coroutine[Any, Any, Any]:
        """Ask the run's readers, and return the answer. The first valid answer counts.

        Everybody who can read the run sees the question. Meanwhile the run needs no reader. A
        later attempt that asks a question with the same id gets the answer that was given. If the
        wait is cancelled, by `asyncio.timeout` for example, the question stays open, and can be
        asked again with the same id.

        Args:
            kind: The type of the answer, declared with ``@actions.action(asks=kind)``.
            prompt: For people.
            timeout: Seconds until it is too late for an answer; ``None``: never. A later attempt
                that asks again does not extend it.
            default: What to return if it is too late.
            id: What identifies the question in the run; by default a number, in the order of the
                questions: ``1``, ``2``.
            detail: Plain JSON that helps to answer.

        Raises:
            AnswerTimedOut: If it is too late, and there is no default.
            UsageError: If the type is not declared, the id was used before, or an argument is
                invalid; and in blocking code, which has ``ctx.blocking.ask``.
            ValidationFailed: If the answer was accepted by another version of the action, and
                does not match this one.
            LimitExceeded: If the question is too large, or the log has no space for it.
        """
        question = Inquiry(
            kind=kind, prompt=prompt, timeout=timeout, default=default, id=id, detail=detail
        )
        return self._needed().conversation.ask(question)

    @overload
    def inbox(self, kind: type[T], /) -> AsyncGenerator[T, None]: ...
    @overload
    def inbox(self, kind: object, /) -> AsyncGenerator[Any, None]: ...
    def inbox(self, kind: object, /) -> AsyncGenerator[Any, None]:
        """Iterate over the messages to the run, as they come, in the order of acceptance.

        Each message is received once in an attempt. A later attempt receives again what came after
        the last `save`. The iteration ends when the action's function has ended.

        Args:
            kind: The type of the messages, declared with ``@actions.action(inbox=kind)``.

        Raises:
            UsageError: If the type is not declared; and in blocking code, which has
                ``ctx.blocking.inbox``.
        """
        return self._needed().conversation.inbox(kind)

    @overload
    def receive(
        self, kind: type[T], /, *, timeout: float | None = None
    ) -> Coroutine[Any, Any, T | None]: ...
    @overload
    def receive(
        self, kind: object, /, *, timeout: float | None = None
    ) -> Coroutine[Any, Any, Any]: ...
    def receive(self, kind: object, /, *, timeout: float | None = None) -> Coroutine[Any, Any, Any]:
        """Return the next message to the run, as `inbox` does, or ``None`` if there is none.

        Args:
            kind: The type of the messages, declared with ``@actions.action(inbox=kind)``.
            timeout: How many seconds to wait for a message; 0: only look. ``None``: until the
                action's function has ended.

        Raises:
            UsageError: If the type is not declared; and in blocking code, which has
                ``ctx.blocking.receive``.
        """
        return self._needed().conversation.receive(kind, timeout)

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

    # With `retries=` the arguments are not checked: no type can describe a function's parameters
    # together with a keyword of the method's own (PEP 612).
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
        runs in a thread. ``retries=`` says how often it is called again after an error, at once in
        this attempt.

        Args:
            name: What identifies the step in later attempts. A name that is used again gets a
                number, in the order of the calls: ``row``, ``row#2``.
            function: What to call. An error that it raises is not recorded.
            *args: Its positional arguments.
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
    def blocking(self) -> Blocking["Context"]:
        """The methods that wait, for blocking actions."""
        return Blocking(self._needed())
