"""What an application consists of: its actions and resources, by name."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, Final, Literal, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from yieldwire.actions import Action, Options
from yieldwire.context import Resource
from yieldwire.errors import ActionError, InvalidAction, NotFound
from yieldwire.middleware import Around, Middleware

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
T = TypeVar("T")

NAME_SHOWN: Final = 100
"""How much of an unknown name is repeated, in characters: a caller may send any."""


class ActionOptions(TypedDict, total=False):
    """What ``@actions.action(...)`` takes; `Options` says what each is for."""

    method: Literal["POST", "GET"]
    linger: float | None
    timeout: float | None
    retries: int
    retention: float
    concurrency: int | None
    labels: tuple[str, ...]
    middleware: Sequence[Middleware]
    around: Sequence[Around]
    shared: bool
    keep: int | None
    errors: Sequence[type[ActionError] | str]


class Declare(Protocol):
    """Makes an action of a function.

    The type of a run's result is known of functions and of generators that ``return`` it. Of
    a result that is yielded, ``Result[T]``, type checkers do not agree, so it is ``Any``.
    """

    @overload
    def __call__(
        self, function: Callable[P, Generator[C, Any, T]], /
    ) -> Action[P, Generator[C, Any, T], T]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Action[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Action[P, R, Any]: ...


class Registry:
    """Actions by their name and by its camelCase form; nothing is found in any other way."""

    def __init__(self) -> None:
        self._actions: dict[str, Action[..., Any, Any]] = {}
        self._names: dict[str, Action[..., Any, Any]] = {}
        self._middleware: tuple[Middleware, ...] = ()
        self._around: tuple[Around, ...] = ()
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
                f"There is no action {name[:NAME_SHOWN]!r}; manifest.json lists what there is."
            ) from None

    @overload
    def action(
        self, function: Callable[P, Generator[C, Any, T]], /
    ) -> Action[P, Generator[C, Any, T], T]: ...
    @overload
    def action(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> Action[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def action(self, function: Callable[P, R], /) -> Action[P, R, Any]: ...
    @overload
    def action(self, /, **options: Unpack[ActionOptions]) -> Declare: ...
    def action(
        self, function: Callable[..., Any] | None = None, /, **options: Unpack[ActionOptions]
    ) -> Any:
        """Make an action of a function, as ``@actions.action`` or with options.

        The function stays what it was: calling the action calls it.

        Raises:
            InvalidAction: If the function cannot be an action, or its name is taken.
        """

        def declare(function: Callable[..., Any], /) -> Action[..., Any, Any]:
            action: Action[..., Any, Any] = Action(function, Options(**options))
            self.register(action)
            return action

        return declare if function is None else declare(function)

    def register(self, action: Action[..., Any, Any]) -> None:
        """Add an action.

        Raises:
            InvalidAction: If its name, in either form, is taken.
        """
        for name in {action.name, action.alias}:
            if name in self._names:
                raise InvalidAction(f"Two actions answer to {name!r}; give one another name.")
        self._actions[action.name] = action
        self._names[action.name] = self._names[action.alias] = action

    def include(self, other: "Registry") -> None:
        """Add the actions and resources of another application, each with its own options.

        Nothing else of the other one comes along, so one that has middleware or arounds for
        all of its actions is refused: they would run without what guards them.

        Raises:
            InvalidAction: If a name is taken, or the other application has middleware or arounds.
        """
        if other._middleware or other._around:  # noqa: SLF001 - the same class's own
            raise InvalidAction(
                "An application with middleware or arounds of its own cannot be included; give "
                "them to each action, or to the application that includes it."
            )
        for action in other.actions:
            self.register(action)
        self.declared_resources.extend(other.declared_resources)

    def resource(self, opener: Callable[[], AsyncIterator[T]]) -> Resource[T]:
        """Declare an async generator that opens something once per process, and closes it.

        Example:
            >>> @actions.resource  # doctest: +SKIP
            ... async def pool() -> AsyncIterator[Pool]:
            ...     async with Pool() as opened:
            ...         yield opened
        """
        resource = Resource(opener)
        self.declared_resources.append(resource)
        return resource
