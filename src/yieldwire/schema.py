"""From a function's signature to types, to JSON Schema, to its arguments.

An action's parameters are the fields of its input object, except those whose type is
*injected*. Its return type, or its `Stream` or `StreamableValue` parameter, says what its
chunks are, and where its result is.
"""

import collections.abc
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import (
    MISSING,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from yieldwire.chunks import Append, Result, Value
from yieldwire.errors import InvalidAction, Json, ValidationFailed
from yieldwire.marker import refusal


class Injected:
    """Base class of what an action is handed, rather than sent."""

    carries: ClassVar[str | None] = None
    """``"stream"`` or ``"value"`` where the type's argument is what the action emits."""


class Body:
    """Marks a parameter that takes the whole input: ``chat: Annotated[Chat, Body()]``."""


class Shape(StrEnum):
    """How an action is written."""

    ASYNC_GENERATOR = "async generator"
    GENERATOR = "generator"
    STREAM = "stream"
    VALUE = "value"
    ASYNC_FUNCTION = "async function"
    FUNCTION = "function"

    @property
    def is_blocking(self) -> bool:
        """Whether the function runs in a thread of its own."""
        return self in {Shape.GENERATOR, Shape.FUNCTION}

    @property
    def streams(self) -> bool:
        """Whether the action has chunks."""
        return self not in {Shape.ASYNC_FUNCTION, Shape.FUNCTION}


_ITERATORS: Final = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)
_RETURN: Final = 2  # of Generator[Y, S, R]
_PREFIX: Final = "arg-"
"""Keeps parameters apart from the names that BaseModel itself has; none begins so."""


class Wire(GenerateJsonSchema):
    """Describes a type as it is on the wire.

    Pydantic calls a field with a default optional, which it is for those who send it; those who
    get it always do. And it calls bytes binary, which are text in JSON: only a file is binary.
    """

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,  # noqa: FBT001 - Pydantic's own signature
    ) -> bool:
        """Return whether the field is in every object that is sent."""
        if self.mode == "validation" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)  # of a dict nothing fills in the rest
        never_left_out = field.get("serialization_exclude_if") is None
        return never_left_out and field["schema"].get("default") is not MISSING

    def named_tuple_schema(self, schema: core_schema.NamedTupleSchema) -> JsonSchemaValue:
        """Return a named tuple's schema; it is sent with all of its items."""
        described = super().named_tuple_schema(schema)
        if self.mode == "serialization":
            described["minItems"] = described["maxItems"]
        return described

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Return the schema of bytes, which are a string."""
        described = super().bytes_schema(schema)
        return {key: value for key, value in described.items() if value != "binary"}


ENCODING: Final[Mapping[str, Any]] = {"by_alias": True, "warnings": False}
"""How values are encoded: as their schema says, and what is not as declared without a warning."""


class Output:
    """One type that an action sends: how to validate it, encode it, describe it."""

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation
        self._adapter: TypeAdapter[Any] | None = None
        if annotation is not Any:
            self._adapter = TypeAdapter(cast("Any", annotation))
        self.encoder: Final = self._encoder()
        """Makes JSON of a value. It is called as ``encoder(value, **ENCODING)``."""

    def _encoder(self) -> Callable[..., bytes]:
        # The inner serializer: `TypeAdapter.dump_json` costs three times as much.
        adapter: TypeAdapter[Any] = self._adapter or TypeAdapter(Any)
        return adapter.serializer.to_json

    def encode(self, value: object) -> bytes:
        """Return ``value`` as JSON."""
        return self.encoder(value, **ENCODING)

    def encode_checked(self, value: object, **encoding: Any) -> bytes:  # noqa: ANN401 - passed on
        """Validate ``value`` against the type, then encode it.

        Raises:
            pydantic.ValidationError: If it does not fit.
        """
        if self._adapter is not None:
            value = self._adapter.validate_python(value)
        return self.encoder(value, **(encoding or ENCODING))

    def read(self, value: Json) -> object:
        """Return what ``value``, plain JSON, stands for in the type."""
        return value if self._adapter is None else self._adapter.validate_python(value)

    @cached_property
    def json_schema(self) -> dict[str, Json]:
        """The type as JSON Schema, as it is on the wire."""
        if self._adapter is None:
            return {}
        return self._adapter.json_schema(by_alias=True, mode="serialization", schema_generator=Wire)


class Arguments(dict[str, Any]):
    """A function's validated arguments, with the model that they were read from."""

    def __init__(self, values: Mapping[str, Any], model: BaseModel) -> None:
        super().__init__(values)
        self.model: Final = model


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What is known of an action from its signature."""

    shape: Shape
    input: type[BaseModel]
    body: str | None
    injected: Mapping[str, type[Injected]]
    chunk: Output | None
    result: Output

    def validate(self, data: object, files: object = None) -> dict[str, Any]:
        """Return the function's arguments for an input object.

        ``files`` is where an input that was stored has its uploads: its validators' context.

        Raises:
            ValidationFailed: If it does not fit, with the messages by field.
        """
        try:
            model = self.input.model_validate(data, context=files)
        except ValidationError as exc:
            raise ValidationFailed(_field_errors(exc)) from exc
        if self.body is not None:
            return Arguments({self.body: model}, model)
        values = {name.removeprefix(_PREFIX): value for name, value in model.__dict__.items()}
        return Arguments(values, model)

    def dump(self, arguments: Mapping[str, Any]) -> bytes:
        """Return validated arguments as one JSON object."""
        if isinstance(arguments, Arguments):
            model = arguments.model
        elif self.body is not None:
            model = arguments[self.body]
        else:
            fields = {_PREFIX + name: value for name, value in arguments.items()}
            model = self.input.model_construct(**fields)
        return self.input.__pydantic_serializer__.to_json(model, **ENCODING)

    def input_schema(self) -> dict[str, Json]:
        """Return the input object as JSON Schema."""
        return self.input.model_json_schema(by_alias=True, mode="validation", schema_generator=Wire)


def inspect_action(function: Callable[..., object]) -> Signature:
    """Read a function's signature.

    Raises:
        InvalidAction: If the function cannot be an action; the message says what to change.
    """
    name = getattr(function, "__qualname__", repr(function))
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as exc:
        raise InvalidAction(f"{name}: {exc}; its types must be known where it is defined.") from exc
    parameters = _Parameters()
    for parameter in inspect.signature(function).parameters.values():
        parameters.add(name, parameter, hints.get(parameter.name, Any))
    shape = _shape(name, function, parameters.carries)
    returned = hints.get("return", Any)
    if returned is types.NoneType:
        returned = None
    chunk, result = _outputs(shape, returned, parameters.emits)
    try:
        return Signature(
            shape=shape,
            input=_input_model(name, function, parameters.fields, parameters.body),
            body=parameters.body,
            injected=parameters.injected,
            chunk=Output(chunk) if shape.streams else None,
            result=Output(result),
        )
    except (PydanticSchemaGenerationError, PydanticUserError) as exc:
        raise InvalidAction(f"{name}: {exc}") from exc


@dataclass(slots=True)
class _Parameters:
    """A function's parameters, sorted into what callers send and what is injected."""

    fields: dict[str, Any] = field(default_factory=dict)
    injected: dict[str, type[Injected]] = field(default_factory=dict)
    body: str | None = None
    emits: object = None
    carries: str | None = None

    def add(self, name: str, parameter: inspect.Parameter, hint: object) -> None:
        target = get_origin(hint) or hint
        if isinstance(target, type) and issubclass(target, Injected):
            self._inject(name, parameter.name, target, hint)
            return
        if _mentions_injected(hint):
            raise InvalidAction(
                f"{name}: the parameter {parameter.name!r} is injected by its type alone; write "
                "Context, Stream[…] or StreamableValue[…] without a union or Annotated around it."
            )
        _check_parameter(name, parameter)
        if (reason := refusal(hint, parameter.default)) is not None:
            raise InvalidAction(
                f"{name}: the parameter {parameter.name!r} cannot be an input: {reason}."
            )
        if _is_body(hint):
            self.body = parameter.name
        default = ... if parameter.default is parameter.empty else parameter.default
        self.fields[parameter.name] = (hint, default)

    def _inject(self, name: str, parameter: str, target: type[Injected], hint: object) -> None:
        self.injected[parameter] = target
        if target.carries is None:
            return
        if self.carries is not None:
            raise InvalidAction(f"{name}: take one Stream or one StreamableValue.")
        self.carries, self.emits = target.carries, next(iter(get_args(hint)), Any)


def _check_parameter(name: str, parameter: inspect.Parameter) -> None:
    allowed = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    if parameter.kind not in allowed:
        raise InvalidAction(
            f"{name}: the parameter {parameter.name!r} cannot be given by name; "
            "an action's input is an object, so *args, **kwargs and / do not fit."
        )


def _mentions_injected(hint: object) -> bool:
    target = get_origin(hint) or hint
    if isinstance(target, type) and issubclass(target, Injected):
        return True
    return any(map(_mentions_injected, get_args(hint))) if target is not Literal else False


def _is_body(hint: object) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(extra, Body) or extra is Body for extra in get_args(hint)[1:]
    )


def _input_model(
    name: str, function: Callable[..., object], fields: dict[str, Any], body: str | None
) -> type[BaseModel]:
    if body is not None:
        model: type[BaseModel] = get_args(fields[body][0])[0]
        if len(fields) > 1 or not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise InvalidAction(
                f"{name}: a parameter marked Body() is a Pydantic model and the only input."
            )
        return model
    title = "".join(part.title() for part in getattr(function, "__name__", "action").split("_"))
    aliased = {
        _PREFIX + field: (Annotated[hint, Field(alias=field)], default)
        for field, (hint, default) in fields.items()
    }
    # JSON has no NaN and no infinity, so what a run keeps of its input could not be read again.
    config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())
    make: Callable[..., type[BaseModel]] = create_model
    return make(title + "Input", __config__=config, **aliased)


def _shape(name: str, function: Callable[..., object], carries: str | None) -> Shape:
    if inspect.isasyncgenfunction(function):
        shape = Shape.ASYNC_GENERATOR
    elif inspect.isgeneratorfunction(function):
        shape = Shape.GENERATOR
    elif inspect.iscoroutinefunction(function):
        shape = {None: Shape.ASYNC_FUNCTION, "stream": Shape.STREAM, "value": Shape.VALUE}[carries]
    else:
        shape = Shape.FUNCTION
    if carries is not None and shape not in {Shape.STREAM, Shape.VALUE}:
        raise InvalidAction(
            f"{name}: a Stream or a StreamableValue goes with `async def` without `yield`."
        )
    return shape


def _outputs(shape: Shape, returned: object, emits: object) -> tuple[Any, Any]:
    if shape is Shape.STREAM:
        return emits, returned
    if shape is Shape.VALUE:
        return Union[Value[emits], Append], emits  # type: ignore[valid-type]  # noqa: UP007
    if not shape.streams:
        return None, returned
    arguments: tuple[Any, ...] = get_args(returned) if get_origin(returned) in _ITERATORS else ()
    chunk: Any = arguments[0] if arguments else Any
    members = get_args(chunk) if get_origin(chunk) in {Union, types.UnionType} else (chunk,)
    chunks = [member for member in members if (get_origin(member) or member) is not Result]
    results = [member for member in members if (get_origin(member) or member) is Result]
    result: Any = next(iter(get_args(results[0])), Any) if results else None
    if chunk is Any:
        result = Any  # whatever it yields, a Result too
    elif len(arguments) > _RETURN and arguments[_RETURN] not in (None, types.NoneType):
        result = arguments[_RETURN]
    return Union[tuple(chunks)] if chunks else None, result  # noqa: UP007


def _field_errors(exc: ValidationError) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(map(str, error["loc"])) or "_root"
        errors.setdefault(path, []).append(error["msg"])
    return errors
