"""A function's parameters: which are inputs, which are injected, and the model of the input."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, is_dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Final, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, PydanticUndefined, from_json

from yieldwire.actions.dependency import Dependency, asks_for_dependency
from yieldwire.actions.jsonschema import WireSchema, reason_of
from yieldwire.actions.marker import Body, every_part, refusal
from yieldwire.actions.resource import Resource, mentions_use, resource_of
from yieldwire.errors import InvalidAction
from yieldwire.setting import shown

PREFIX: Final = "arg-"
"""Keeps parameters apart from BaseModel's own names; none of those starts like this."""

_BY_TYPE: Final = frozenset({"context", "ctx", "request"})
"""Names that suggest the context, which is found by its type."""

_SCALARS: Final = (str, bytes, int, float)


class Injected:
    """Base class of parameter types that are injected, not sent."""

    carries: ClassVar[str | None] = None
    """``"stream"`` or ``"value"`` if the type's argument is what the action emits."""


@dataclass(slots=True)
class Parameters:
    """A function's parameters, sorted into inputs and injected ones."""

    function: str
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    injected: dict[str, type[Injected]] = field(default_factory=dict)
    resources: dict[str, Resource[Any]] = field(default_factory=dict)
    dependencies: dict[str, Dependency] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    emits: object = None
    carries: str | None = None

    def add(self, parameter: inspect.Parameter, hint: object) -> None:
        """Add a parameter.

        Raises:
            InvalidAction: If it can be neither an input nor injected.
        """
        name = parameter.name
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise self._refused(
                name,
                "cannot be given by name; an action's input is an object, so *args, **kwargs and "
                "/ do not fit",
            )
        target = get_origin(hint) or hint
        if isinstance(target, type) and issubclass(target, Injected):
            self._inject(name, target, hint)
            return
        if (resource := resource_of(hint)) is not None:
            self.resources[name] = resource
            return
        if asks_for_dependency(hint, parameter.default):
            typed = parameter.annotation is not parameter.empty
            one = parameter.replace(annotation=hint) if typed else parameter
            self.dependencies[name] = Dependency(self.function, one)
            return
        if any(mentions_use(part) for part in every_part(hint)):
            raise self._refused(
                name, "has Use() where it is ignored; write `Annotated[Pool, Use(pool)]`"
            )
        if (mistake := _mistake(parameter, hint)) is not None:
            raise self._refused(name, mistake)
        if _is_body(hint):
            self.bodies.append(name)
        self.fields[name] = (
            hint,
            ... if parameter.default is parameter.empty else parameter.default,
        )

    def _refused(self, name: str, mistake: str) -> InvalidAction:
        return InvalidAction(f"{self.function}: the parameter {name!r} {mistake}.")

    def _inject(self, name: str, target: type[Injected], hint: object) -> None:
        if Injected not in target.__bases__:
            base = next(each for each in target.__mro__ if Injected in each.__bases__)
            raise self._refused(
                name,
                f"has the type {target.__name__}, which is never made; write {base.__name__}, and "
                "keep values of your own on ctx.state",
            )
        self.injected[name] = target
        if target.carries is None:
            return
        if self.carries is not None:
            raise self._refused(name, "is one too many; take one Stream or one StreamableValue")
        self.carries, self.emits = target.carries, next(iter(get_args(hint)), Any)

    def model(self, title: str) -> type[BaseModel]:
        """Return the model of the input.

        Raises:
            InvalidAction: If a parameter's type cannot be described, or it refuses its default.
        """
        if self.bodies:
            model = self._whole()
            self._check_described(self.bodies[0], lambda: model)
            return model
        try:
            model = _model_of(title, self.fields)
            _describe(model)
        except Exception as exc:
            for name, each in self.fields.items():
                self._check_described(name, partial(_model_of, title, {name: each}))
            raise InvalidAction(
                f"{self.function}: its parameters cannot be described together: {reason_of(exc)}."
            ) from exc
        for name, (_, default) in self.fields.items():
            self._check_default(model, name, default)
        return model

    def _whole(self) -> type[BaseModel]:
        name, *others = self.bodies
        if others:
            raise self._refused(
                others[0], f"is the second that is marked Body(), after {name!r}; mark one"
            )
        if len(self.fields) > 1:
            other = next(each for each in self.fields if each != name)
            raise self._refused(
                name,
                f"is marked Body(), so it is the only input; make {other!r} a field of its model",
            )
        if self.fields[name][1] is not ...:
            raise self._refused(
                name,
                "is marked Body(), so its default is ignored; give its model's fields defaults",
            )
        model = get_args(self.fields[name][0])[0]
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise self._refused(name, "is marked Body(), so its type must be a Pydantic model")
        return model

    def _check_described(self, name: str, make: Callable[[], type[BaseModel]]) -> None:
        try:
            _describe(make())
        except Exception as exc:
            raise self._refused(
                name,
                f"has a type that cannot be an input: {reason_of(exc)}; write JSON types, or a "
                "Pydantic model, dataclass or TypedDict defined above the action",
            ) from exc

    def _check_default(self, model: type[BaseModel], name: str, default: object) -> None:
        default = default.default if isinstance(default, FieldInfo) else default
        if default is ... or default is PydanticUndefined:
            return
        hint = self.fields[name][0]
        if (mistake := _mistake_of_default(model, PREFIX + name, hint, default)) is not None:
            raise self._refused(name, f"has the default {shown(default)}, which {mistake}")


def _describe(model: type[BaseModel]) -> None:
    model.model_json_schema(by_alias=True, mode="validation", schema_generator=WireSchema)


def _model_of(title: str, fields: dict[str, tuple[Any, Any]]) -> type[BaseModel]:
    aliased = {
        PREFIX + name: (Annotated[hint, Field(alias=name)], default)
        for name, (hint, default) in fields.items()
    }
    # JSON has no NaN and no infinity, so a stored input with one could not be read again.
    config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())
    make: Callable[..., type[BaseModel]] = create_model
    return make(title, __config__=config, **aliased)


def _mistake(parameter: inspect.Parameter, hint: object) -> str | None:
    """Return why a parameter that is not injected cannot be an input either."""
    if any(_is_injected(part) for part in every_part(hint)):
        return (
            "is injected by its type alone; write Context, Stream[…] or StreamableValue[…] "
            "without a union, a container, an alias or Annotated around it"
        )
    if parameter.annotation is parameter.empty and parameter.name in _BY_TYPE:
        return (
            "has no type, so it would be an input; "
            f"write `{parameter.name}: Context` for the context"
        )
    if isinstance(parameter.default, Body) or parameter.default is Body or _hides_body(hint):
        return "has Body() where it is ignored; write `Annotated[Model, Body()]` around its type"
    if (reason := refusal(hint, parameter.default)) is not None:
        return f"cannot be an input: {reason}"
    if (ignored := next(_ignored_defaults(hint), None)) is not None:
        return (
            f"has its default in Field(default={shown(ignored)}), where it is ignored; write "
            f"`{parameter.name}: ... = {shown(ignored)}`"
        )
    return None


def _is_injected(part: object) -> bool:
    return isinstance(part, type) and issubclass(part, Injected)


def _ignored_defaults(hint: object) -> Iterator[object]:
    for part in every_part(hint):
        for extra in get_args(part)[1:] if get_origin(part) is Annotated else ():
            if isinstance(extra, FieldInfo) and extra.default not in (..., PydanticUndefined):
                yield extra.default


def _is_body(hint: object) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(extra, Body) or extra is Body for extra in get_args(hint)[1:]
    )


def _hides_body(hint: object) -> bool:
    return not _is_body(hint) and any(map(_is_body, every_part(hint)))


def _mistake_of_default(
    model: type[BaseModel], name: str, hint: object, default: object
) -> str | None:
    """Return why a default cannot be stored with a run and read again as this input."""
    try:
        value = _read(model, name, hint, default)
    except PydanticSerializationError as exc:
        return f"cannot be written as JSON ({reason_of(exc)}); write one that can"
    except ValidationError as exc:
        told = exc.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
        cure = "write its type with `| None`" if default is None else "write one that fits"
        return f"its type refuses ({shown(told)}); {cure}"
    except Exception:  # noqa: BLE001 - a custom validator, which can need something not ready yet
        return None
    is_other = isinstance(default, _SCALARS) and value != default
    is_made = isinstance(value, BaseModel) or is_dataclass(value)  # of a dict, or of attributes
    if (is_other or is_made) and not _is_of(hint, value, default):
        kind = type(value).__name__
        return f"is of the type {type(default).__name__} and not {kind}; write it as {kind}"
    return None


def _read(model: type[BaseModel], name: str, hint: object, default: object) -> object:
    """Return the value of a default after a round trip through JSON.

    Some classes can only be read from JSON, and not from their own objects.
    """
    blank = model.model_construct(None, **{name: default})
    encode = model.__pydantic_serializer__.to_json
    data = encode(blank, include={name}, by_alias=True, warnings=False)
    try:
        return _validated(model, name, default)
    except ValidationError:
        if not _is_own(hint, default):
            raise
        return _validated(model, name, from_json(data.partition(b":")[2].removesuffix(b"}")))


def _is_own(hint: object, default: object) -> bool:
    """Whether a default is an object of a custom class that Pydantic reads from JSON."""
    kinds = [part for part in every_part(hint) if hasattr(part, "__get_pydantic_core_schema__")]
    return any(isinstance(kind, type) and isinstance(default, kind) for kind in kinds)


def _is_of(hint: object, value: object, default: object) -> bool:
    """Whether a default already has the parameter's type, and is not only converted to it."""
    said = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    is_said = isinstance(said, type) and isinstance(default, said)
    return is_said or isinstance(value, type(default))


def _validated(model: type[BaseModel], name: str, value: object) -> object:
    blank = model.model_construct()
    checked = model.__pydantic_validator__.validate_assignment(blank, name, value)
    return cast("BaseModel", checked).__dict__[name]
