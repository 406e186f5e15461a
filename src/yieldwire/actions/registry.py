"""An application's actions and resources, by name."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
)
from inspect import isasyncgenfunction
from typing import (
    Any,
    Final,
    ParamSpec,
    TypeVar,
)

from yieldwire.actions.action import Action
from yieldwire.actions.context import Resource
from yieldwire.actions.declare import Declare, DeclareFeed
from yieldwire.actions.function import name_of
from yieldwire.actions.guard import Guard
from yieldwire.actions.middleware import Middleware
from yieldwire.errors import InvalidAction, NotFound, UsageError
from yieldwire.setting import accepts

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
D = TypeVar("D")
G = TypeVar("G", bound=AsyncIterable[Any] | Iterator[Any])
T = TypeVar("T")
V = TypeVar("V")

NAME_SHOWN: Final = 100
"""How many characters of an unknown name are repeated: a caller can send any name."""


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
        return Declare(self.register, {})

    @property
    def feed(self) -> DeclareFeed:
        """Turn a function that streams into a feed: a read-only action that GET starts.

        As ``@actions.feed`` or with options: ``shared=True`` has one run for all readers with the
        same input, ``keep=100`` keeps that many of its newest events; see `DeclareFeed`.

        Raises:
            InvalidAction: If the function cannot be a feed, or its name is taken.
        """
        return DeclareFeed(self.register, {})

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

        Nothing else of the other application is included, so one that has guards or middleware for
        all of its actions is refused: they would run without what guards them.

        Raises:
            InvalidAction: If a name is taken, or the other application has guards or middleware.
        """
        if not isinstance(other, Registry):
            raise UsageError(f"{name_of(other)}: only an application's actions can be included.")
        if other._guards or other._middleware:  # noqa: SLF001 - of the same class
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
