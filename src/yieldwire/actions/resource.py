"""A resource, and the mark of a parameter that gets its value."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin

from yieldwire.errors import UsageError
from yieldwire.setting import shown

T = TypeVar("T")


class Resource(Generic[T]):
    """Something opened once per process: a pool, an HTTP client.

    Created by ``@actions.resource`` from an async generator that yields it once; the code after
    the ``yield`` closes it.
    """

    def __init__(self, opener: Callable[[], AsyncIterator[T]]) -> None:
        self.opener: Final = opener
        self.name: Final = getattr(opener, "__name__", "resource")


def value_of(resource: Resource[T], opened: Mapping[Resource[Any], Any]) -> T:
    """Return the value of a resource among those that are ``opened``.

    Raises:
        UsageError: If it is not among them.
    """
    try:
        value: T = opened[resource]
    except KeyError:
        raise UsageError(
            f"The resource {resource.name!r} is not one of this application's; "
            "declare it with @actions.resource."
        ) from None
    return value


class Use:
    """Marks a parameter that gets what a resource opened: ``pool: Annotated[Pool, Use(pool)]``."""

    def __init__(self, resource: Resource[Any]) -> None:
        if not isinstance(resource, Resource):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
            raise UsageError(
                f"Use: {shown(resource)} is not a resource; declare it with @actions.resource."
            )
        self.resource: Final = resource


def resource_of(hint: object) -> Resource[Any] | None:
    """Return the resource that a parameter's type asks for with `Use`, if it does."""
    extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((extra.resource for extra in extras if isinstance(extra, Use)), None)


def mentions_use(part: object) -> bool:
    """Return whether a part of a parameter's type is, or has, the mark."""
    return resource_of(part) is not None or part is Use or isinstance(part, Use)
