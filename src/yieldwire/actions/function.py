"""Checks whether a function can be an action, and resolves its annotations."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, get_type_hints

from yieldwire.errors import InvalidAction
from yieldwire.setting import shown

_SELVES: Final = frozenset({"self", "cls"})
FROM_FUTURE: Final = (
    "define it at the top level of its module, or remove `from __future__ import annotations`; "
    "what is imported under TYPE_CHECKING must be imported at run time"
)


def name_of(function: object) -> str:
    """Return the function's name for messages."""
    name = getattr(function, "__qualname__", None)
    if isinstance(name, str):
        return name
    return f"{type(function).__name__}(…)" if callable(function) else shown(function)


def check_function(function: Callable[..., object]) -> None:
    """Return if ``function`` is a function that can become an action.

    Raises:
        InvalidAction: If it is not; the message says what to write.
    """
    if (mistake := _not_a_function(function)) is not None:
        raise InvalidAction(f"{name_of(function)}: {mistake}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as exc:
        raise InvalidAction(f"{name_of(function)}: its parameters are not known: {exc}.") from exc
    first = next(iter(signature.parameters.values()), None)
    if first is not None and _is_self(function, first):
        raise InvalidAction(
            f"{name_of(function)}: the parameter {first.name!r} would be an input, because a "
            "method is decorated in its class; decorate a function, or register an object's: "
            f"actions.action(thing.{getattr(function, '__name__', 'method')})."
        )


def _not_a_function(function: Any) -> str | None:  # noqa: ANN401 - any decorated object
    kind = type(function).__name__
    match function:
        case partial():
            of = name_of(function.func)
            return f"a functools.partial has no name; write a function that calls {of}"
        case staticmethod() | classmethod():
            return f"a {kind} is not a function yet; write @{kind} above @actions.action"
        case type():
            return "a class is not a function; write a function that makes one"
        case _ if not callable(function):
            return "this is not a function; options have names, as in @actions.action(linger=60)"
        case _ if inspect.isfunction(inspect.getattr_static(type(function), "__call__")):
            return f"an object of the class {kind} is not a function; write one that calls it"
        case _:
            return None


def _is_self(function: Callable[..., object], first: inspect.Parameter) -> bool:
    if first.name not in _SELVES or inspect.ismethod(function):
        return False
    if first.annotation is first.empty:
        return True
    scope = name_of(function).rpartition(".")[0]
    return bool(scope) and not scope.endswith("<locals>")


def hints_of(function: Callable[..., object]) -> Mapping[str, Any]:
    """Return the types in the function's annotations, by parameter and ``return``.

    Raises:
            InvalidAction: If one is not known where the function is defined.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as exc:
        place = _place_of(function, exc.name or "")
        raise InvalidAction(
            f"{name_of(function)}: {place} names {exc.name!r}, which is not known where the "
            f"function is defined; {FROM_FUTURE}."
        ) from exc
    except Exception as exc:
        raise InvalidAction(
            f"{name_of(function)}: its annotations cannot be read: {shown(str(exc))}."
        ) from exc


def _place_of(function: Callable[..., object], name: str) -> str:
    """Return which annotation contains a name."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for parameter, annotation in inspect.get_annotations(inspect.unwrap(function)).items():
        if word.search(annotation if isinstance(annotation, str) else repr(annotation)):
            return "its return type" if parameter == "return" else f"the parameter {parameter!r}"
    return "an annotation"


def written(function: Any) -> tuple[Any, Any]:  # noqa: ANN401 - any given value
    """Return the functions that run when ``function`` is called, as far as known."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function), inspect.getattr_static(type(function), "__call__", None)


def promises(function: Callable[..., object], *names: str) -> bool:
    """Whether the function's return annotation mentions one of ``names``."""
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    return any(name in returned for name in names)
