"""What guards and middleware are called with: the context, then resources by their type."""

from collections.abc import Callable
from contextlib import suppress
from functools import update_wrapper
from inspect import Parameter, signature
from typing import Any, Final, TypeVar

from yieldwire.actions.context import Context
from yieldwire.actions.function import FROM_FUTURE, name_of
from yieldwire.actions.marker import every_part
from yieldwire.actions.resource import Resource, mentions_use, resource_of, value_of

T = TypeVar("T")

_TAKES: Final = "must take the Context, and then only resources, as Annotated[Pool, Use(pool)]"


def injected(function: Callable[..., T]) -> Callable[[Context], T]:
    """Return a guard or a middleware as a function of the context, which gets its resources.

    A function that takes no resources is returned unchanged, so that they cost it nothing.
    """
    resources = _resources(_parameters(function))
    if not resources:
        return function

    def call(ctx: Context) -> T:
        values = {name: value_of(resource, ctx.opened) for name, resource in resources.items()}
        return function(ctx, **values)

    return update_wrapper(call, function)


def hint_of(value: object) -> str:
    """Return what to write instead of a guard or a middleware; ``""`` if its parameters fit."""
    if isinstance(value, type):
        return f"write {value.__name__}(...)"
    if not callable(value):
        return ""
    try:
        parameters = _parameters(value)
        signature(value).bind(None, **_resources(parameters))
    except NameError as exc:
        return (
            f"{name_of(value)} names {exc.name!r}, which is not known where it is defined; "
            f"{FROM_FUTURE}"
        )
    except (TypeError, ValueError):
        return f"{name_of(value)} {_TAKES}"
    for parameter in parameters:
        if resource_of(parameter.annotation) is None and _hides_use(parameter):
            return (
                f"the parameter {parameter.name!r} has Use() where it is ignored; "
                "write `Annotated[Pool, Use(pool)]`"
            )
    return "" if _takes_context(parameters[0].annotation) else f"{name_of(value)} {_TAKES}"


def _parameters(function: Callable[..., object]) -> list[Parameter]:
    return list(signature(function, eval_str=True).parameters.values())


def _resources(parameters: list[Parameter]) -> dict[str, Resource[Any]]:
    found = {each.name: resource_of(each.annotation) for each in parameters}
    return {name: resource for name, resource in found.items() if resource is not None}


def _hides_use(parameter: Parameter) -> bool:
    return any(map(mentions_use, every_part(parameter.annotation)))


def _takes_context(annotation: object) -> bool:
    with suppress(TypeError):  # a protocol, which the context can match
        if isinstance(annotation, type) and annotation is not Parameter.empty:
            return issubclass(Context, annotation)
    return True
