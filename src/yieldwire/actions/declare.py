"""`@actions.action` and `@actions.feed`: they turn functions into actions."""

from collections.abc import (
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
)
from typing import (
    Any,
    Concatenate,
    Final,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from yieldwire.actions.action import Action, Errors, Options, QueueName, Times
from yieldwire.actions.context import Context
from yieldwire.actions.function import name_of
from yieldwire.actions.guard import Guards
from yieldwire.actions.look import Look
from yieldwire.actions.middleware import Middlewares
from yieldwire.actions.retry import Retries
from yieldwire.actions.stream import StreamableValue
from yieldwire.errors import InvalidAction
from yieldwire.setting import (
    ANYTHING,
    Count,
    Rules,
    Seconds,
    SomeSeconds,
    Whole,
    fault_of,
    rules_of,
    sentence,
)

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G", bound=AsyncIterable[Any] | Iterator[Any])
T = TypeVar("T")
V = TypeVar("V")

Register: TypeAlias = Callable[[Action[..., Any, Any]], None]
"""Adds an action to an application."""


class ActionOptions(TypedDict, total=False):
    """The keywords of ``@actions.action(...)``; `Options` explains them."""

    linger: Seconds | None
    timeout: SomeSeconds | None
    retries: Retries
    retention: Seconds
    concurrency: Count | None
    queue: QueueName | None
    priority: Whole
    slots: Count | None
    slots_per_caller: Count | None
    schedule: Times | None
    labels: tuple[str, ...]
    guards: Guards
    middleware: Middlewares
    errors: Errors
    asks: object
    inbox: object
    html: Look


class FeedOptions(ActionOptions, total=False):
    """The keywords of ``@actions.feed(...)``; `Options` explains them."""

    shared: bool
    keep: Count | None


KEYWORDS: Final[Rules] = {**rules_of(FeedOptions), "result": ANYTHING}
"""The rules for the keywords; `Action` reports those that are only for feeds."""


class DeclareResult(Protocol[D]):
    """Turns a function into an action whose result has the type given by ``result=``."""

    def __call__(self, function: Callable[P, R], /) -> Action[P, R, D]:
        """Turn ``function`` into an action."""
        ...


class Declare:
    """Turns functions into actions, as ``@actions.action`` or with options.

    Type checkers infer the type of a run's result from the function: what it returns, what its
    generator returns, and the value's type if a `StreamableValue` is the first parameter, or
    follows a `Context`. They cannot infer a yielded result; ``result=`` declares it::

        @actions.action(result=Report)
        async def report(month: str) -> AsyncIterator[Text | Result[Report]]: ...
    """

    def __init__(self, register: Register, options: Mapping[str, Any]) -> None:
        self._register, self._options = register, options

    @overload
    def __call__(
        self, function: Callable[P, Generator[C, Any, T]], /
    ) -> Action[P, Generator[C, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, G], /) -> Action[P, G, Any]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[StreamableValue[V], P], Coroutine[Any, Any, None]],
        /,
    ) -> Action[Concatenate[StreamableValue[V], P], Coroutine[Any, Any, None], V]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[Context, StreamableValue[V], P], Coroutine[Any, Any, None]],
        /,
    ) -> Action[Concatenate[Context, StreamableValue[V], P], Coroutine[Any, Any, None], V]: ...
    @overload
    def __call__(  # for a value that comes later, so nothing is known
        self, function: Callable[P, Coroutine[Any, Any, None]], /
    ) -> Action[P, Coroutine[Any, Any, None], Any]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Action[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> Action[P, T, T]: ...
    @overload
    def __call__(
        self, /, *, result: type[D], **options: Unpack[ActionOptions]
    ) -> DeclareResult[D]: ...
    @overload
    def __call__(self, /, **options: Unpack[ActionOptions]) -> "Declare": ...
    def __call__(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Turn a function into an action, or return a decorator with these options.

        Raises:
            InvalidAction: If the function cannot be an action, or its name is taken.
        """
        if function is None:
            return Declare(self._register, {**self._options, **options})
        return _declared(self._register, function, {**self._options, **options})


class DeclareFeed:
    """Turns functions that stream into feeds, as ``@actions.feed`` or with options.

    A feed is a read-only action that GET starts. Type checkers infer the type of a run's result
    as `Declare` says.
    """

    def __init__(self, register: Register, options: Mapping[str, Any]) -> None:
        self._register, self._options = register, options

    @overload
    def __call__(
        self, function: Callable[P, Generator[C, Any, T]], /
    ) -> Action[P, Generator[C, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, G], /) -> Action[P, G, Any]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[StreamableValue[V], P], Coroutine[Any, Any, None]],
        /,
    ) -> Action[Concatenate[StreamableValue[V], P], Coroutine[Any, Any, None], V]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[Context, StreamableValue[V], P], Coroutine[Any, Any, None]],
        /,
    ) -> Action[Concatenate[Context, StreamableValue[V], P], Coroutine[Any, Any, None], V]: ...
    @overload
    def __call__(  # for a value that comes later, so nothing is known
        self, function: Callable[P, Coroutine[Any, Any, None]], /
    ) -> Action[P, Coroutine[Any, Any, None], Any]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Action[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(
        self, /, *, result: type[D], **options: Unpack[FeedOptions]
    ) -> DeclareResult[D]: ...
    @overload
    def __call__(self, /, **options: Unpack[FeedOptions]) -> "DeclareFeed": ...
    def __call__(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Turn a function into a feed, or return a decorator with these options.

        Raises:
            InvalidAction: If the function cannot be a feed, or its name is taken.
        """
        if function is None:
            return DeclareFeed(self._register, {**self._options, **options})
        return _declared(self._register, function, {**self._options, **options}, is_feed=True)


def _declared(
    register: Register,
    function: Callable[..., Any],
    options: Mapping[str, Any],
    *,
    is_feed: bool = False,
) -> Action[..., Any, Any]:
    if (fault := fault_of(options, KEYWORDS)) is not None:
        raise InvalidAction(sentence(name_of(function), fault))
    action: Action[..., Any, Any] = Action(function, Options(**options, is_feed=is_feed))
    register(action)
    return action
