"""Calls of actions whose types are known: what is called, and what of its runs is read."""

import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property
from types import TracebackType
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    Never,
    ParamSpec,
    cast,
    get_args,
    get_type_hints,
)

from typing_extensions import TypeVar

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.body import Input, OnUpload
from yieldwire.client.patience import Limit
from yieldwire.client.run import RemoteRun
from yieldwire.client.runtypes import RunTypes
from yieldwire.errors import ActionError, Json

P = ParamSpec("P")
C = TypeVar("C")
R = TypeVar("R")
A = TypeVar("A", default=Never)
M = TypeVar("M", default=Never)


class Default:
    """The place of a parameter that is not sent, so that the server's default counts."""

    def __init__(self, value: Json) -> None:
        self.value: Final = value

    def __repr__(self) -> str:
        return "default()" if self.value is None else f"default({self.value!r})"


def default(value: Json = None) -> Json:
    """Return what a parameter is set to if it is left out: it is not sent.

    Args:
        value: The server's default when the module was generated, for readers.
    """
    return Default(value)


class TypedCall(Generic[C, R, A, M]):
    """The input of a call, with the types of its run: chunks, result, answers, message."""

    def __init__(self, input: Input = None) -> None:
        self.input: Input = input
        if isinstance(input, Mapping):
            given: Mapping[str, object] = input
            self.input = {
                name: value for name, value in given.items() if not isinstance(value, Default)
            }


class Declaration(Generic[P, C, R, A, M]):
    """An action: the method that declares it, and the facts that its signature does not have."""

    def __init__(
        self,
        function: Callable[Concatenate[Any, P], TypedCall[C, R, A, M]],
        name: str,
        *,
        is_feed: bool,
        errors: Sequence[type[ActionError]],
    ) -> None:
        self.__doc__ = function.__doc__
        self.name: Final = name
        self.is_feed: Final = is_feed
        self._function, self._errors = function, errors

    def call(self, *args: P.args, **kwargs: P.kwargs) -> TypedCall[C, R, A, M]:
        """Return the call with this input."""
        return self._function(None, *args, **kwargs)

    @cached_property
    def types(self) -> RunTypes[C, R]:
        """The types of its runs."""
        chunk, result, *_ = get_args(get_type_hints(self._function)["return"])
        return RunTypes(self.name, chunk, result, self._errors)


class AsyncAction(Generic[P, C, R, A, M]):
    """An action, called by an `AsyncClient`."""

    def __init__(self, declared: Declaration[P, C, R, A, M], client: AsyncClient) -> None:
        self.__doc__ = declared.__doc__
        self._declared, self._client = declared, client

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> "AsyncCall[C, R, A, M]":
        """Return a call, which starts a run when it is awaited, iterated, entered or started."""
        declared = self._declared
        return AsyncCall(declared, self._client, declared.call(*args, **kwargs).input)

    def attach(self, run_id: str, after: str | None = None) -> RemoteRun[C, R, A, M]:
        """Return an existing run of the action. See `AsyncClient.attach`."""
        return self._client.attach(run_id, after).read_as(self._declared.types)

    async def cancel_start(self, key: str) -> dict[str, Json]:
        """Cancel the run that was started with ``key``. See `AsyncClient.cancel_start`."""
        return await self._client.cancel_start(self._declared.name, key)


class AsyncCall(Generic[C, R, A, M]):
    """A call of an action that is not made yet.

    Await it for the result, iterate it for the chunks, or enter it for the run, which is then
    attached: it stops if nobody reads it. `start` starts one that continues without readers. Each
    of these starts a run, and raises the action's own errors as the classes of its module.

    Example:
        >>> async for chunk in actions.count(to=3):
        ...     ...
    """

    def __init__(
        self, declared: Declaration[..., C, R, A, M], client: AsyncClient, input: Input
    ) -> None:
        self._declared, self._client, self._input = declared, client, input
        self._entered: RemoteRun[C, R, A, M] | None = None
        self._is_made = False

    def __del__(self) -> None:
        """Warn if nothing was called, as Python does of a coroutine."""
        if not self._is_made and not sys.is_finalizing():
            warnings.warn(
                f"The call of {self._declared.name} was never made: await it, iterate it, or use "
                "its result() or start().",
                RuntimeWarning,
                source=self,
                stacklevel=2,
            )

    async def start(
        self,
        *,
        key: str | None = None,
        detached: bool = True,
        webhook: str | None = None,
        on_upload: OnUpload | None = None,
    ) -> RemoteRun[C, R, A, M]:
        """Start a run, and return it when the server has it. See `AsyncClient.start`.

        A feed is opened, as `AsyncClient.open` does: it is always attached, and has no key.

        Raises:
            ActionError: If the action refused the input.
            YieldwireError: If the call was refused, or the run failed before its first event.
        """
        self._is_made = True
        name, client, given = self._declared.name, self._client, self._input
        with self._declared.types.own_errors():
            if self._declared.is_feed:
                run = await client.open(name, cast("Mapping[str, object]", given), webhook=webhook)
            else:
                run = await client.start(
                    name, given, key=key, detached=detached, webhook=webhook, on_upload=on_upload
                )
        return run.read_as(self._declared.types)

    def __await__(self) -> Generator[Any, None, R]:
        """Start an attached run, and return its result."""
        return self.result().__await__()

    async def result(self, *, timeout: float | None = None) -> R:
        """Start an attached run, and return its result.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            ActionError: If the action refused the input, or failed on purpose.
            YieldwireError: If the call was refused, or the run failed or was cancelled.
            TimedOut: If the time is over; the run then waits for a reader for its action's
                ``linger``.
        """
        limit = Limit(timeout, f"The call of {self._declared.name}")
        run = await limit.of(self.start(detached=False))
        async with run:
            return await limit.of(run.result(), run.id)

    async def __aiter__(self) -> AsyncGenerator[C, None]:
        """Start an attached run, and yield its chunks."""
        async with self as run, aclosing(aiter(run)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def __aenter__(self) -> RemoteRun[C, R, A, M]:
        self._entered = await self.start(detached=False)
        return self._entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._entered is not None:
            await self._entered.aclose()
