"""An application's actions and resources, by name."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import isasyncgenfunction
from typing import Any, Final, ParamSpec, TypeVar

from yieldwire.actions.action import Action
from yieldwire.actions.declare import Declare, DeclareFeed
from yieldwire.actions.function import name_of
from yieldwire.actions.guard import Guard
from yieldwire.actions.injection import injected
from yieldwire.actions.middleware import Middleware
from yieldwire.actions.resource import Resource
from yieldwire.errors import InvalidAction, NotFound, UsageError
from yieldwire.setting import accepts

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

NAME_SHOWN: Final = 100
"""How many characters of an unknown name are repeated: a caller can send any name."""


@dataclass(frozen=True, slots=True)
class _Registered:
    """An action, with the guards and the middleware of its runs, the outermost first."""

    action: Action[..., Any, Any]
    guards: tuple[Guard, ...]
    middleware: tuple[Middleware, ...]


class Registry:
    """Actions by their name and by its camelCase form; there is no other way to find one.

    Args:
        guards: Run for every action, before its own.
        middleware: Wraps every attempt, outside the action's own.
    """

    def __init__(self, guards: Sequence[Guard] = (), middleware: Sequence[Middleware] = ()) -> None:
        self._entries: dict[str, _Registered] = {}
        self._names: dict[str, Action[..., Any, Any]] = {}
        self._guards = tuple(map(injected, guards))
        self._middleware = tuple(map(injected, middleware))
        self.outermost: Final[list[Middleware]] = []
        """Wraps every attempt outside all other middleware; an integration adds its own."""
        self.at_add: Final[list[Callable[[Action[..., Any, Any]], object]]] = []
        """Called with each action before it is added."""
        self.resources: Final[list[Resource[Any]]] = []
        """What is opened with the application, in order."""

    @property
    def actions(self) -> Iterable[Action[..., Any, Any]]:
        """Every action, in the order of registration."""
        return [entry.action for entry in self._entries.values()]

    def find(self, name: str) -> Action[..., Any, Any] | None:
        """Return the action of that name, if there is one."""
        return self._names.get(name)

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
        guards, middleware = action.options.guards, action.options.middleware
        self._add(
            _Registered(action, tuple(map(injected, guards)), tuple(map(injected, middleware)))
        )

    def _add(self, entry: _Registered) -> None:
        action = entry.action
        for name in {action.name, action.alias}:
            if name in self._names:
                raise InvalidAction(f"Two actions answer to {name!r}; rename one of them.")
        for see in self.at_add:
            see(action)
        guards = (*self._guards, *entry.guards)
        middleware = (*self._middleware, *entry.middleware)
        self._entries[action.name] = _Registered(action, guards, middleware)
        self._names[action.name] = self._names[action.alias] = action

    def guards_of(self, action: Action[..., Any, Any]) -> tuple[Guard, ...]:
        """Return the guards of an action's runs, in order: the application's, then its own."""
        return self._entries[action.name].guards

    def middleware_of(self, action: Action[..., Any, Any]) -> tuple[Middleware, ...]:
        """Return the middleware of an action's runs, the outermost first."""
        return (*self.outermost, *self._entries[action.name].middleware)

    def own(self, action: Action[P, R, T], /) -> Action[P, R, T]:
        """Return ``action``, which must belong to this application.

        Raises:
            UsageError: If it does not.
        """
        if not isinstance(action, Action) or self._names.get(action.name) is not action:
            raise UsageError(
                f"{name_of(action)}: it is not an action of this application; decorate the "
                "function with @actions.action, and start what that returns."
            )
        return action

    def include(self, other: "Registry") -> None:
        """Add the actions and resources of another application.

        Each action keeps its options. The other application's guards and middleware stay with its
        actions: they run inside this application's, and outside the action's own.

        Raises:
            InvalidAction: If a name is taken.
        """
        for entry in other._entries.values():  # noqa: SLF001 - the same class's own
            self._add(entry)
        self.resources.extend(each for each in other.resources if each not in self.resources)

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
        self.resources.append(resource)
        return resource
