"""What an author means to be trusted and a caller must never send.

Other frameworks inject values by a marker (``Depends``, ``Security``, ``Header``) or by a type
(``Request``, ``UploadFile``). Nothing here resolves them, so a parameter that carries one would
be a field of the input: the caller would fill in the signed-in user. Such a parameter is refused
when the action is declared. Foreign objects are known by the package of their class, so no
framework is imported. The module is apart from `yieldwire.schema`, which describes what is an
input, as this one says what is not.
"""

import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from annotated_types import BaseMetadata, GroupedMetadata
from pydantic import BaseModel

FRAMEWORKS: Final = frozenset(
    {
        "aiohttp",
        "blacksheep",
        "bottle",
        "dependency_injector",
        "dishka",
        "django",
        "falcon",
        "fast_depends",
        "fastapi",
        "faststream",
        "flask",
        "injector",
        "litestar",
        "ninja",
        "quart",
        "rest_framework",
        "sanic",
        "starlette",
        "svcs",
        "taskiq",
        "taskiq_dependencies",
        "that_depends",
        "tornado",
        "werkzeug",
        "wireup",
    }
)
"""Packages whose markers and request objects are never an input."""

_DESCRIBING: Final = frozenset(
    {
        "annotated_doc",
        "annotated_types",
        "pydantic",
        "pydantic_core",
        "pydantic_extra_types",
        "typing_extensions",
        "yieldwire",
    }
)
"""Packages whose objects in ``Annotated`` describe or constrain a value."""

_HOOKS: Final = ("__get_pydantic_core_schema__", "__get_pydantic_json_schema__")

_FROM_MIDDLEWARE: Final = (
    "resolve it in middleware and put it on ctx.state, or read ctx.owner from a Context parameter"
)
_PLAIN: Final = "a plain parameter is an input; request headers are in ctx.request.headers"
_INSTEAD: Final[Mapping[str, str]] = {
    "BackgroundTask": "start helpers with ctx.spawn",
    "BackgroundTasks": "start helpers with ctx.spawn",
    "Body": "write a plain parameter, or Annotated[Model, yieldwire.Body()] for the whole input",
    "Cookie": _PLAIN,
    "File": "take a yieldwire.Upload",
    "Form": "write a plain parameter: forms are read as they are",
    "Header": _PLAIN,
    "HTTPConnection": "take a yieldwire.Context; the request's facts are in ctx.request",
    "HttpRequest": "take a yieldwire.Context; the request's facts are in ctx.request",
    "Path": _PLAIN,
    "Query": _PLAIN,
    "Request": "take a yieldwire.Context; the request's facts are in ctx.request",
    "Response": "return or yield values; the transport makes the response",
    "UploadFile": "take a yieldwire.Upload",
    "UploadedFile": "take a yieldwire.Upload",
    "WebSocket": "yield chunks; the transport sends them",
}
"""What to write in place of a foreign object, by the name of its class."""


def refusal(annotation: object, default: object, empty: object) -> str | None:
    """Return why a parameter must not be an input and what to do; ``None`` if it may be one.

    Args:
        annotation: The parameter's type, with its extras.
        default: Its default.
        empty: What stands for no default.
    """
    if default is not empty and (found := _foreign(default)) is not None:
        return _advice(found)
    if default is not empty and _is_function(default):
        return f"its default is a function, which is not called here; {_FROM_MIDDLEWARE}"
    for part, is_own in _parts(annotation, set(), is_own=True):
        if (found := _foreign(part)) is not None:
            return _advice(found)
        if is_own and get_origin(part) is Annotated:
            for extra in get_args(part)[1:]:
                if (found := _foreign(extra)) is not None:
                    return _advice(found)
                if not _describes(extra):
                    return _unknown(extra)
    return None


def _advice(found: type) -> str:
    package = found.__module__.partition(".")[0]
    instead = _INSTEAD.get(found.__name__, _FROM_MIDDLEWARE)
    return (
        f"{found.__name__} of {package} is not injected here, so callers would send it; {instead}"
    )


def _unknown(extra: object) -> str:
    name = getattr(extra, "__name__", type(extra).__name__)
    return (
        f"{name!r} in Annotated is not a constraint of Pydantic's, so callers would send the "
        f"value; {_FROM_MIDDLEWARE}"
    )


def _parts(annotation: object, seen: set[int], *, is_own: bool) -> Iterator[tuple[object, bool]]:
    """Yield an annotation and all that it consists of, fields of models included.

    ``is_own`` says that a part is written at the parameter itself, not in a model that it names.
    """
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    yield annotation, is_own
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            yield extra, False
    for alias in ("__value__", "__supertype__"):  # `type X = …` and NewType
        if hasattr(annotation, alias):
            yield from _parts(getattr(annotation, alias), seen, is_own=is_own)
    for argument in get_args(annotation):
        if not isinstance(argument, (str, bytes, int)):  # what a Literal lists
            yield from _parts(argument, seen, is_own=is_own)
    if isinstance(annotation, type):
        for part in _of_fields(annotation):
            yield from _parts(part, seen, is_own=False)


def _of_fields(kind: type) -> Iterator[object]:
    if issubclass(kind, BaseModel):
        for field in kind.model_fields.values():
            yield from (field, field.annotation, field.default, *field.metadata)
        return
    is_record = dataclasses.is_dataclass(kind) or hasattr(kind, "__total__")
    if is_record or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        try:
            hints = get_type_hints(kind, include_extras=True)
        except NameError:
            hints = {}  # Pydantic says which name it does not know
        yield from hints.values()
        yield from (vars(kind).get(name) for name in hints)


def _foreign(value: object) -> type | None:
    """Return the class by which a value is another framework's, if it is."""
    kind = value if isinstance(value, type) else type(value)
    if issubclass(kind, BaseModel):
        return None  # django-ninja's schemas are Pydantic's models
    for each in kind.__mro__:
        if _package(each) in FRAMEWORKS:
            return each
    return None


def _is_function(value: object) -> bool:
    return isinstance(value, (types.FunctionType, types.MethodType, types.BuiltinFunctionType))


def _describes(extra: object) -> bool:
    """Whether an object in ``Annotated`` says something about the value that Pydantic reads."""
    if isinstance(extra, (BaseMetadata, GroupedMetadata)):
        return True
    if any(callable(getattr(extra, hook, None)) for hook in _HOOKS):
        return True
    return not _is_function(extra) and _package(extra) in _DESCRIBING


def _package(value: object) -> str:
    owner: Callable[..., Any] | object = value if isinstance(value, type) else type(value)
    return str(getattr(owner, "__module__", "")).partition(".")[0]
