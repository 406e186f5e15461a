"""Starting a run from Python code, with the action's own parameters as the input."""

import inspect
import math
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from types import TracebackType
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    NamedTuple,
    ParamSpec,
    TypeVar,
    overload,
)

from yieldwire.actions.run import Run
from yieldwire.actions.runnable import Runnable
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.errors import Json, UsageError
from yieldwire.setting import is_number

K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


class Given(NamedTuple):
    """What Python code gives a start of an action that has dependencies.

    Only code can give it: what a request brings is JSON.
    """

    input: object
    dependencies: Mapping[str, object]


Leave = Callable[[str], object]
"""Called with the id of a run that is left before its end."""


class StartOptions(NamedTuple):
    """What a start has in addition to its input; see `Starter.with_options`."""

    owner: str | None = None
    key: str | None = None
    webhook: str | None = None
    delay: float | timedelta | None = None
    start_at: datetime | None = None

    def not_before(self, now: float) -> float | None:
        """Return the time before which the run does not start, if it is later than ``now``.

        Both are in seconds since the epoch.

        Raises:
            UsageError: If the delay or the time is invalid, or if both are given.
        """
        delay, start_at = self.delay, self.start_at
        if delay is not None and start_at is not None:
            raise UsageError("Pass delay= or start_at=, not both.")
        if start_at is not None:
            return _later(_seconds_at(start_at), now)
        if delay is None:
            return None
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        if not (is_number(seconds) and 0 <= seconds < math.inf):
            raise UsageError(f"delay is a number of seconds or a timedelta, not {delay!r:.100}.")
        return _later(now + seconds, now)


def _seconds_at(time: Any) -> float:  # noqa: ANN401 - anything can be passed
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise UsageError(
            f"start_at is a datetime with a time zone, as datetime.now(UTC) has, not {time!r:.99}."
        )
    return time.timestamp()


def _later(time: float, now: float) -> float | None:
    return time if time > now else None


class Call(Coroutine[Any, Any, Run[T]]):
    """The call of an action. It starts one run, and is used once, in one of three ways.

    ``run = await call`` returns the run, ``async for chunk in call`` yields its chunks, and
    ``await call.result()`` returns its result.
    """

    def __init__(
        self,
        start: Coroutine[Any, Any, Run[T]],
        leave: Leave | None = None,
    ) -> None:
        self._start, self._leave = start, leave

    def __await__(self) -> Generator[Any, Any, Run[T]]:
        return self._start.__await__()

    async def __aiter__(self) -> AsyncGenerator[Json, None]:
        """Yield the chunks of the action, as plain JSON values.

        Raises:
            ActionError: If the run fails with an error of the action's own.
            RunError: If it is cancelled, or fails for another reason.
            YieldwireError: If it cannot be started.
        """
        run = await self._start
        async with aclosing(followed(aiter(run), run, self._leave)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def result(self) -> T:
        """Return the result when the run has completed, as the type that the action declares.

        Raises:
            ActionError: If the run fails with an error of the action's own.
            RunError: If it is cancelled, or fails for another reason.
            YieldwireError: If it cannot be started.
        """
        return await result_of(await self._start, self._leave)

    # What makes it a coroutine, of which a task can be made.

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 - as the base class
        """Continue the start, as a coroutine's."""
        return self._start.send(value)

    def throw(
        self,
        kind: Any,  # noqa: ANN401 - as the base class
        value: BaseException | object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> Any:  # noqa: ANN401 - as the base class
        """Raise in the start, as a coroutine's."""
        start = self._start
        # From Python 3.12, a second argument is deprecated.
        return start.throw(kind) if value is None else start.throw(kind, value, traceback)

    def close(self) -> None:
        """Drop the start, as a coroutine's."""
        self._start.close()


async def followed(
    items: AsyncGenerator[U, None], run: Run[Any], leave: Leave | None
) -> AsyncGenerator[U, None]:
    """Yield what there is of a run; `leave` it if this ends before the run does, or by an error."""
    try:
        async with aclosing(items):
            async for item in items:
                yield item
    except BaseException:
        if leave is not None:
            leave(run.id)
        raise


async def result_of(run: Run[T], leave: Leave | None) -> T:
    """Return the result of a run; `leave` it if this ends before the run does, or by an error."""
    try:
        return await run.result()
    except BaseException:
        if leave is not None:
            leave(run.id)
        raise


class Starter(Generic[K]):
    """Starts detached runs from Python: ``run = await actions.start(count, to=3)``.

    A detached run continues with or without readers. Pass the input as the action's own
    parameters, without the injected ones; type checkers know them if the injected ones come
    first::

        async def report(ctx: Context, month: str) -> Report: ...


        run = await actions.start(report, month="May")

    Otherwise, and if the input is one object, pass that; it is checked when the run starts:
    ``await actions.start(report, {"month": "May"}, owner="ada")``.

    The call can also be iterated for the run's chunks, and has the run's ``result()``; see `Call`.
    """

    def __init__(
        self,
        own: Callable[[Any], Runnable[..., Any, Any]],
        start: Callable[[Any, object, StartOptions], Coroutine[Any, Any, Run[Any]]],
        options: StartOptions | None = None,
        *,
        leave: Leave | None = None,
    ) -> None:
        """Take what starts a detached run of an action that ``own`` accepts.

        ``own`` raises `UsageError` if the action is not one of the application's.
        """
        self._own, self._start, self._options = own, start, options
        self.leave: Final = leave
        """What is done about a run that is left before its end."""

    def with_options(
        self,
        *,
        owner: str | None = None,
        key: str | None = None,
        webhook: str | None = None,
        delay: float | timedelta | None = None,
        start_at: datetime | None = None,
    ) -> "Starter[K]":
        """Return a starter with an owner, an idempotency key, a webhook or a time.

        Args:
            owner: The run's owner; ``None``: no owner, so anyone with its id can read it.
            key: The same owner, action, key and input give the same run, however often started.
            webhook: A URL that is told about the run, if ``Actions(webhook_for=…)`` allows the
                owner to name it.
            delay: The run starts this much later: seconds, or a `timedelta`.
            start_at: The run starts at this time, which has a time zone; at once if it is over.

        Example:
            >>> start = actions.start.with_options(owner="ada")  # doctest: +SKIP
            >>> run = await start(report, month="May")  # doctest: +SKIP
        """
        options = StartOptions(owner, key, webhook, delay, start_at)
        return Starter(self._own, self._start, options, leave=self.leave)

    @overload
    def __call__(
        self, action: Runnable[P, Any, T], /, *args: P.args, **input: P.kwargs
    ) -> Call[T]: ...
    @overload
    def __call__(
        self, action: Runnable[Concatenate[K, P], Any, T], /, *args: P.args, **input: P.kwargs
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[K, Stream[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[K, StreamableValue[Any], P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[Stream[Any], K, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[Concatenate[StreamableValue[Any], K, P], Any, T],
        /,
        *args: P.args,
        **input: P.kwargs,
    ) -> Call[T]: ...
    @overload
    def __call__(
        self,
        action: Runnable[..., Any, T],
        input: Mapping[str, object],
        /,
        *,
        owner: str | None = None,
        key: str | None = None,
        webhook: str | None = None,
        delay: float | timedelta | None = None,
        start_at: datetime | None = None,
    ) -> Call[T]: ...
    def __call__(self, action: Any, /, *args: Any, **input: Any) -> Call[Any]:
        """Call an action: await the call to start a run, and to get it.

        Raises:
            ValidationFailed: If the input is invalid.
            KeyReused: If the key belongs to another input.
            ParseError: If no webhook can be sent to the URL ``webhook``.
            Forbidden: If the owner is not allowed to name it.
            UsageError: If ``action`` is not one of the application's, input and options cannot be
                told apart, or a delay or time is invalid.
            YieldwireError: Any error with which a guard refuses.
        """
        return Call(self._begin(action, args, input), self.leave)

    async def _begin(self, action: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Run[Any]:  # noqa: ANN401 - anything can be passed
        action = self._own(action)
        options = self._options
        if options is None:
            options = _options_in(action, args, named)
        return await self._start(action, input_of(action, args, named), options)


def _options_in(
    action: Runnable[..., Any, Any], args: tuple[Any, ...], named: dict[str, Any]
) -> StartOptions:
    """Take the options out of the named arguments of a call."""
    options = {name: named.pop(name) for name in StartOptions._fields if name in named}
    unclear = set() if _is_object(args) else options.keys() & set(_inputs_of(action))
    if unclear:
        raise UsageError(
            f"{action.name} has an input called {min(unclear)!r}, which is also an option "
            "of start(): write start.with_options(owner=…, key=…)(…), whose arguments are all "
            "input."
        )
    return StartOptions(**options)


def input_of(
    action: Runnable[..., Any, Any], args: tuple[Any, ...], named: Mapping[str, Any]
) -> object:
    """Return the input of a call, not validated yet; of an action with dependencies a `Given`.

    Raises:
        UsageError: If there are more arguments than inputs.
    """
    dependencies = action.signature.dependencies
    if dependencies:
        values = {name: value for name, value in named.items() if name in dependencies}
        rest = {name: value for name, value in named.items() if name not in values}
        return Given(_input_of(action, args, rest), values)
    return _input_of(action, args, named)


def _input_of(
    action: Runnable[..., Any, Any], args: tuple[Any, ...], named: Mapping[str, Any]
) -> object:
    if _is_object(args) and not named:
        return args[0]
    names = _inputs_of(action)
    if len(args) > len(names):
        raise UsageError(f"{action.name} has {len(names)} inputs, and {len(args)} were given.")
    given = {**dict(zip(names, args, strict=False)), **named}
    body = action.signature.body
    return given.get(body, given) if body is not None else given


def _is_object(args: tuple[Any, ...]) -> bool:
    return len(args) == 1 and isinstance(args[0], Mapping)


def _inputs_of(action: Runnable[..., Any, Any]) -> list[str]:
    """Return the names of the parameters that are input, in their order."""
    signature = action.signature
    injected = {**signature.injected, **signature.resources, **signature.dependencies}
    return [name for name in inspect.signature(action.function).parameters if name not in injected]
