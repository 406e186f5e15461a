"""An application's actions and resources, by name."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from inspect import isasyncgenfunction
from typing import (
    Any,
    Concatenate,
    Final,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from yieldwire.actions.action import OPTIONS, Action, Options
from yieldwire.actions.context import Context, Resource, StreamableValue
from yieldwire.actions.function import name_of
from yieldwire.actions.guard import Guard
from yieldwire.actions.middleware import Middleware
from yieldwire.errors import ActionError, InvalidAction, NotFound, UsageError
from yieldwire.setting import accepts, fault_of, sentence

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G", bound=AsyncIterable[Any] | Iterator[Any])
T = TypeVar("T")
V = TypeVar("V")

NAME_SHOWN: Final = 100
"""How many characters of an unknown name are repeated: a caller can send any name."""


class ActionOptions(TypedDict, total=False):
    """The keywords of ``@actions.action(...)``; `Options` explains them."""

    method: Literal["POST", "GET"]
    linger: float | None
    timeout: float | None
    retries: int
    retention: float
    concurrency: int | None
    labels: tuple[str, ...]
    guards: Sequence[Guard]
    middleware: Sequence[Middleware]
    shared: bool
    keep: int | None
    errors: Sequence[type[ActionError] | str]


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

    def __init__(self, registry: "Registry", options: Mapping[str, Any]) -> None:
        self._registry, self._options = registry, options

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
            return Declare(self._registry, {**self._options, **options})
        chosen = {**self._options, **options}
        if (fault := fault_of(chosen, OPTIONS)) is not None:
            raise InvalidAction(sentence(name_of(function), fault))
        action: Action[..., Any, Any] = Action(function, Options(**chosen))
        self._registry.register(action)
        return action


class Registry:
    """Actions by their name and by its camelCase form; there is no other way to find one."""

    def __init__(self) -> None:
        self._actions: dict[str, Action[..., Any, Any]] = {}
        self._names: dict[str, Action[..., Any, Any]] = {}
        self._guards: tuple[Guard, ...] = ()
        self._middleware: tuple[Middleware, ...] = ()
        self.declared_resources: list[Resource[Any]] = []

    @property
    def actions(self) -> Iterable[Action[..., Any, Any]]:
        """Every action, in the order of registration."""
        return self._actions.values()

    def action_named(self, name: str) -> Action[..., Any, Any]:
        """Return the action of that name, Python's or camelCase.

        Raises:
            NotFound: If there is none.
        """
        try:
            return self._names[name]
        except KeyError:
            raise NotFound(
                f"There is no action {name[:NAME_SHOWN]!r}; manifest.json lists the actions."
            ) from None

    @property
    def action(self) -> Declare:
        """Turn a function into an action, as ``@actions.action`` or with options; see `Declare`.

        The function still works as before: calling the action calls it.

        Raises:
            InvalidAction: If the function cannot be an action, or its name is taken.
        """
        return Declare(self, {})

    def register(self, action: Action[..., Any, Any]) -> None:
        """Add an action.

        Raises:
            InvalidAction: If its name, in either form, is taken.
        """
        for name in {action.name, action.alias}:
            if name in self._names:
                raise InvalidAction(f"Two actions answer to {name!r}; rename one of them.")
        self._actions[action.name] = action
        self._names[action.name] = self._names[action.alias] = action

    def own(self, action: Action[P, R, T], /) -> Action[P, R, T]:
        """Return ``action``, which must belong to this application.

        Raises:
            UsageError: If it does not.
        """
        if not isinstance(action, Action) or self._actions.get(action.name) is not action:
            raise UsageError(
                f"{name_of(action)}: it is not an action of this application; decorate the "
                "function with @actions.action, and start what that returns."
            )
        return action

    def include(self, other: "Registry") -> None:
        """Add the actions and resources of another application, each with its own options.

        Nothing else of the other one comes along, so one that has guards or middleware for
        all of its actions is refused: they would run without what guards them.

        Raises:
            InvalidAction: If a name is taken, or the other application has guards or middleware.
        """
        if not isinstance(other, Registry):
            raise UsageError(f"{name_of(other)}: only an application's actions can be included.")
        if other._guards or other._middleware:  # noqa: SLF001 - the same class's own
            raise InvalidAction(
                "An application with guards or middleware of its own cannot be included; give "
                "them to each action, or to the application that includes it."
            )
        for action in other.actions:
            self.register(action)
        self.declared_resources.extend(other.declared_resources)

    def resource(self, opener: Callable[[], AsyncIterator[T]]) -> Resource[T]:
        """Declare an async generator that opens something once per process, and closes it.

        Raises:
            UsageError: If it is not an async generator without parameters.

        Example:
            >>> @actions.resource  # doctest: +SKIP
            ... async def pool() -> AsyncIterator[Pool]:
            ...     async with Pool() as opened:
            ...         yield opened
        """
        if not isasyncgenfunction(opener) or not accepts(opener, 0):
            raise UsageError(
                f"{name_of(opener)}: it is not an async generator without parameters, which a "
                "resource is; write `async def` with one `yield`, without @asynccontextmanager."
            )
        resource = Resource(opener)
        self.declared_resources.append(resource)
        return resource
