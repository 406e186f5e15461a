"""Detects parameters that callers must not fill in.

Other frameworks inject values into parameters. They find them by a marker (``Depends``,
``Security``, ``Header``) or by a type (``Request``, ``UploadFile``). Except for a
parameter's own ``Depends``, which `yieldwire.actions.dependency` recognizes, Yieldwire does not
resolve these, so such a parameter would be an ordinary input, and a caller could send the
signed-in user. It is refused when the action is declared.

A parameter is refused if one of these is in its annotation, in its default, or in a field of a
model, dataclass, ``TypedDict`` or named tuple in its annotation:

- a class or an object of another framework, recognized by the name of its package, so that no
  framework is imported; or a class of this package that only the server creates.
- a callable, or a context variable, as a default or in ``Annotated``. It looks like a
  dependency, but Yieldwire does not ask it for a value.
- in the parameter's own ``Annotated``, anything else that Pydantic does not read.
- for a parameter that accepts anything, a default that is not plain JSON.
"""

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from enum import Enum
from inspect import Parameter
from itertools import chain
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import BaseMetadata, GroupedMetadata
from pydantic import BaseModel
from pydantic.dataclasses import is_pydantic_dataclass, rebuild_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from yieldwire.log.jsonvalue import json_fault

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
        "pydantic_settings",
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
        "_py_warnings",  # `deprecated`, from Python 3.14
        "annotated_doc",
        "annotated_types",
        "pydantic",
        "pydantic_core",
        "pydantic_extra_types",
        "typing_extensions",
        "warnings",  # `deprecated`, in Python 3.13
    }
)
"""Packages whose objects in ``Annotated`` describe or constrain a value."""

_OURS: Final = frozenset({"Action", "Caller", "Identity", "RequestFacts", "Resource", "Run"})
"""Classes of this package that only the server creates."""
_INHERITED: Final = frozenset({"pydantic_settings"})
"""Packages of `FRAMEWORKS` whose subclassed models can still be ordinary inputs."""

_HOOKS: Final = ("__get_pydantic_core_schema__", "__get_pydantic_json_schema__")

_FROM_GUARD: Final = (
    "resolve it in a guard and put it on ctx.state, or read ctx.owner from a Context parameter"
)
_PLAIN: Final = "a plain parameter is an input; request headers are in ctx.request.headers"
_FACTS: Final = "take a yieldwire.Context; the request's facts are in ctx.request"
_WHO: Final = "take a yieldwire.Context; ctx.owner is who started the run"
_INSTEAD: Final[Mapping[str, str]] = {
    "Action": "name it in the function's body",
    "BackgroundTask": "start helpers with ctx.spawn",
    "BackgroundTasks": "start helpers with ctx.spawn",
    "Body": "write a plain parameter, or Annotated[Model, yieldwire.Body()] for the whole input",
    "BaseSettings": "read settings outside of the action",
    "BodyKwarg": "write a plain parameter, or Annotated[Model, yieldwire.Body()]",
    "Caller": _WHO,
    "Cookie": _PLAIN,
    "Depends": "write it at the parameter itself, as `user: Annotated[User, Depends(...)]`",
    "File": "take a yieldwire.Upload",
    "Form": "write a plain parameter: forms are read as they are",
    "Header": _PLAIN,
    "HTTPConnection": _FACTS,
    "HttpRequest": _FACTS,
    "Identity": _WHO,
    "ParameterKwarg": _PLAIN,
    "Path": _PLAIN,
    "Query": _PLAIN,
    "Request": _FACTS,
    "RequestFacts": _FACTS,
    "Resource": "write Annotated[Pool, Use(pool)], with the type that the resource yields",
    "Response": "return or yield values; the transport makes the response",
    "UploadFile": "take a yieldwire.Upload",
    "UploadedFile": "take a yieldwire.Upload",
    "WebSocket": "yield chunks; the transport sends them",
}
"""What to write instead of a foreign object, by the name of its class."""


class Body:
    """Marks a parameter that takes the whole input: ``chat: Annotated[Chat, Body()]``."""


def refusal(annotation: object, default: object = Parameter.empty) -> str | None:
    """Return why a parameter must not be an input and what to do; ``None`` if it can be one.

    Args:
        annotation: The parameter's type, with its extras.
        default: Its default; ``Parameter.empty`` if it has none.
    """
    reasons = chain(
        _of_default(default),
        _of_default_of_anything(annotation, default),
        _Search().reasons(annotation, is_own=True),
    )
    return next(reasons, None)


def parts_of(annotation: object) -> Iterator[object]:
    """Yield the direct parts of an annotation: its arguments, or the target of an alias."""
    for alias in ("__value__", "__supertype__", "__bound__", "__default__"):
        # For `type X = …`, NewType and TypeVar. Python 3.12 evaluates an alias late.
        with suppress(NameError):
            if (meant := getattr(annotation, alias, None)) is not None:
                yield _resolved(meant, annotation) if alias == "__value__" else meant
    yield from getattr(annotation, "__constraints__", ())
    if isinstance(annotation, dataclasses.InitVar):
        yield annotation.type
    if get_origin(annotation) is Literal:
        return
    arguments = get_args(annotation)
    yield from arguments[:1] if get_origin(annotation) is Annotated else arguments


def _resolved(annotation: object, alias: object) -> object:
    """Return the target of an alias, with the names in its strings looked up."""
    scope = {"__module__": getattr(alias, "__module__", ""), "__annotations__": {"": annotation}}
    try:
        return get_type_hints(type("Scope", (), scope), include_extras=True)[""]
    except Exception:  # noqa: BLE001 - Pydantic reports what it does not understand
        return annotation


def takes_anything(annotation: object) -> bool:
    """Return whether a parameter of this type accepts any JSON, unchecked."""
    if annotation is Any or annotation is object:
        return True
    if isinstance(annotation, TypeVar) and annotation.__bound__ is None:
        return not annotation.__constraints__
    is_transparent = get_origin(annotation) in {Annotated, Union, types.UnionType}
    is_name = hasattr(annotation, "__value__") or hasattr(annotation, "__supertype__")
    return (is_transparent or is_name) and any(map(takes_anything, parts_of(annotation)))


def every_part(annotation: object) -> Iterator[object]:
    """Yield an annotation and all of its parts, but not the fields of models."""
    seen: dict[int, object] = {}
    waiting = [annotation]
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen[id(part)] = part
            yield part
            waiting.extend(parts_of(part))
            if (origin := get_origin(part)) is not None:
                waiting.append(origin)


class _Search:
    """Searches an annotation for reasons to refuse a parameter."""

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}
        """Kept alive, so that no other part gets the id of one that was seen."""

    def reasons(self, annotation: object, *, is_own: bool) -> Iterator[str]:
        """Yield why ``annotation`` cannot be an input.

        ``is_own`` says that it is written at the parameter, not in a model that it names.
        """
        if id(annotation) in self._seen:
            return
        self._seen[id(annotation)] = annotation
        if found := _foreign(annotation) or _foreign(get_origin(annotation)):
            yield _advice(found)
        if get_origin(annotation) is Annotated:
            for extra in get_args(annotation)[1:]:
                yield from _of_extra(extra, is_own=is_own)
        for part in parts_of(annotation):
            yield from self.reasons(part, is_own=is_own)
        kind = get_origin(annotation) or annotation
        if isinstance(kind, type) and (kind is annotation or not issubclass(kind, BaseModel)):
            yield from self._of_fields(kind)

    def _of_fields(self, kind: type) -> Iterator[str]:
        if (fields := _fields_of(kind)) is not None:
            for field in fields.values():
                yield from _of_default(field)
                yield from self.reasons(field.annotation, is_own=False)
                for extra in field.metadata:
                    yield from _of_extra(extra, is_own=False)
            yield from self.reasons(_extra_values(kind), is_own=False)
            return
        for hint in _hints(kind).values():
            yield from self.reasons(hint, is_own=False)
        for default in _defaults(kind):
            yield from _of_default(default)


def _fields_of(kind: type) -> Mapping[str, FieldInfo] | None:
    """Return the fields of a model or of a Pydantic dataclass, if it is one."""
    if issubclass(kind, BaseModel):
        if not kind.__pydantic_complete__:  # it names something that was defined later
            with suppress(Exception):  # Pydantic reports what it does not understand
                kind.model_rebuild(_types_namespace={})
        return kind.model_fields
    if is_pydantic_dataclass(kind):
        if not kind.__pydantic_complete__:
            with suppress(Exception):
                rebuild_dataclass(kind, _types_namespace={})
        return kind.__pydantic_fields__
    return None


def _extra_values(kind: type) -> object:
    """Return the annotation of a model's extra fields; ``None`` if it has none."""
    if not issubclass(kind, BaseModel) or kind.model_config.get("extra") != "allow":
        return None
    with suppress(NameError, TypeError):  # Pydantic reports what it does not understand
        return get_type_hints(kind, include_extras=True).get("__pydantic_extra__")
    return None


def _hints(kind: type) -> Mapping[str, object]:
    is_record = dataclasses.is_dataclass(kind) or hasattr(kind, "__total__")  # a TypedDict
    if not is_record and not (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return {}
    try:
        hints = get_type_hints(kind, include_extras=True)
    except (NameError, TypeError):
        return {}  # Pydantic reports what it does not understand
    return {name: hint for name, hint in hints.items() if get_origin(hint) is not ClassVar}


def _defaults(kind: type) -> Iterator[object]:
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if field.default is not dataclasses.MISSING:
                yield field.default
    yield from getattr(kind, "_field_defaults", {}).values()  # a named tuple


def _of_extra(extra: object, *, is_own: bool) -> Iterator[str]:
    if (found := _foreign(extra)) is not None:
        yield _advice(found)
    elif isinstance(extra, FieldInfo):
        yield from _of_default(extra)
    elif not _describes(extra) and (is_own or _gives_values(extra)):
        yield (
            f"{_name(extra)!r} in Annotated is not a constraint that Pydantic reads, so callers "
            f"would send the value; {_FROM_GUARD}"
        )


def _of_default(default: object) -> Iterator[str]:
    if (found := _foreign(default)) is not None:
        yield _advice(found)
    elif isinstance(default, FieldInfo):
        if (found := _foreign(default.default_factory)) is not None:
            yield _advice(found)
        yield from _of_default(default.default)
    elif isinstance(default, Mapping):
        yield from _of_each(default.values())
    elif isinstance(default, (list, tuple, set, frozenset)):
        yield from _of_each(default)
    elif isinstance(default, ContextVar):
        yield (
            f"its default {default.name!r} is a context variable, which Yieldwire does not read; "
            f"{_FROM_GUARD}"
        )
    elif not _is_absent(default) and callable(default) and not _is_data(default):
        yield (
            f"its default {_name(default)!r} is a callable, which Yieldwire does not call; "
            f"{_FROM_GUARD}"
        )


def _of_default_of_anything(annotation: object, default: object) -> Iterator[str]:
    if isinstance(default, FieldInfo):
        default = default.default
    if _is_absent(default) or not takes_anything(annotation):
        return
    if (fault := json_fault(default, "its default")) is not None:
        yield f"{fault}, which is not plain JSON; annotate the parameter, or {_FROM_GUARD}"


def _of_each(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield from _of_default(value)


def _advice(found: type) -> str:
    names = (each.__name__ for each in found.__mro__)
    instead = next((_INSTEAD[name] for name in names if name in _INSTEAD), _FROM_GUARD)
    package, name = _package(found), found.__name__
    shown = f"yieldwire.{name}" if package == "yieldwire" else f"{name} of {package}"
    return f"{shown} is not injected here, so callers would send it; {instead}"


def _foreign(value: object) -> type | None:
    """Return the class by which a value belongs to another framework, if any."""
    kind = value if isinstance(value, type) else type(value)
    packages = FRAMEWORKS
    if issubclass(kind, (BaseModel, Enum)) and _package(kind) not in FRAMEWORKS:
        packages = _INHERITED  # schemas of django-ninja are models, Django's choices are enums
    return next((each for each in kind.__mro__ if _is_of(each, packages)), None)


def _is_of(kind: type, packages: frozenset[str]) -> bool:
    package = _package(kind)
    return package in packages or (package == "yieldwire" and kind.__name__ in _OURS)


def _describes(extra: object) -> bool:
    """Whether an object in ``Annotated`` tells Pydantic something about the value."""
    if extra is None or isinstance(extra, (BaseMetadata, GroupedMetadata, FieldInfo)):
        return True  # `conint(ge=1)` and similar have `None` for omitted constraints
    kind = extra if isinstance(extra, type) else type(extra)
    if kind is Body:
        return True
    if issubclass(kind, BaseModel):
        return False  # it has the hooks, but for its own value
    if any(callable(getattr(extra, hook, None)) for hook in _HOOKS):
        return True
    return _package(kind) in _DESCRIBING


def _is_absent(default: object) -> bool:
    return default is Parameter.empty or default is PydanticUndefined or default is ...


def _gives_values(extra: object) -> bool:
    """Whether the value looks like something that produces the real value."""
    return callable(extra) or isinstance(extra, ContextVar)


def _is_data(value: object) -> bool:
    """Whether a callable is nevertheless a value."""
    if isinstance(value, type):
        return False
    has_hooks = any(hasattr(value, hook) for hook in _HOOKS)
    return has_hooks or isinstance(value, Enum) or dataclasses.is_dataclass(value)


def _name(value: object) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


def _package(kind: type) -> str:
    return str(getattr(kind, "__module__", "")).partition(".")[0]
