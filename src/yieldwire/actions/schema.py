"""From a function's signature to types, to JSON Schema, to its arguments.

An action's parameters are the fields of its input object, except those whose type is
*injected*. Its return type, or its `Stream` or `StreamableValue` parameter, gives the types of
its chunks and of its result.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from yieldwire.actions.dependency import Dependency
from yieldwire.actions.encoding import encoding_of
from yieldwire.actions.function import check_function, hints_of, name_of
from yieldwire.actions.jsonschema import WireSchema, reason_of
from yieldwire.actions.parameter import PREFIX, Injected, Parameters
from yieldwire.actions.resource import Resource
from yieldwire.actions.shape import Shape, check_result, outputs_of, shape_of
from yieldwire.errors import ActionError, InvalidAction, Json, ValidationFailed
from yieldwire.setting import shown

BINARY: Final = b'"format":"binary"'
"""The schema of a file."""

ENCODING: Final[Mapping[str, Any]] = {"by_alias": True, "warnings": False}
"""How values are encoded: according to their schema, without warnings for mismatches."""


class Output:
    """One type that an action sends: how to validate it, encode it, describe it."""

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation
        self._adapter: TypeAdapter[Any] | None = None
        if annotation is not Any:
            self._adapter = TypeAdapter(cast("Any", annotation))
        adapter: TypeAdapter[Any] = self._adapter or TypeAdapter(Any)
        self.encoding: Final = encoding_of(annotation, adapter)
        """How a value is encoded as JSON."""
        self.encode_checked: Final = self._checked_encoder(adapter)
        """The same, but raises `pydantic.ValidationError` for a value that does not match."""

    def _checked_encoder(self, adapter: TypeAdapter[Any]) -> Callable[..., bytes]:
        # The inner validator costs least; a closure, because it can be called for every event.
        (quick, full), validate = self.encoding, adapter.validator.validate_python

        def checked(value: object, *, by_alias: bool = True, warnings: bool = False) -> bytes:
            value = validate(value)
            return quick(value) if quick else full(value, by_alias=by_alias, warnings=warnings)

        return checked

    def encode(self, value: object) -> bytes:
        """Return ``value`` as JSON."""
        return self.encoding.encode(value)

    def read(self, value: Json) -> object:
        """Return ``value``, plain JSON, converted to the type."""
        return value if self._adapter is None else self._adapter.validate_python(value)

    def read_json(self, data: bytes) -> object:
        """Return JSON converted to the type.

        Raises:
            pydantic.ValidationError: If it does not match.
        """
        return from_json(data) if self._adapter is None else self._adapter.validate_json(data)

    @cached_property
    def json_schema(self) -> dict[str, Json]:
        """The type as JSON Schema, as it is on the wire."""
        if self._adapter is None:
            return {}
        return self._adapter.json_schema(
            by_alias=True, mode="serialization", schema_generator=WireSchema
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The facts about an action that its signature gives."""

    shape: Shape
    input: type[BaseModel]
    body: str | None
    injected: Mapping[str, type[Injected]]
    resources: Mapping[str, Resource[Any]]
    dependencies: Mapping[str, Dependency]
    chunk: Output | None
    result: Output

    def validate(self, data: object) -> BaseModel:
        """Return an input object as the model of the input.

        Raises:
            ValidationFailed: If it is invalid, with the messages by field.
        """
        try:
            model: BaseModel = self.input.__pydantic_validator__.validate_python(data)
        except ValidationError as exc:
            raise ValidationFailed(field_errors(exc)) from exc
        return model

    def arguments(self, model: BaseModel) -> dict[str, Any]:
        """Return the function's arguments for a validated input."""
        if self.body is not None:
            return {self.body: model}
        return {_own_name(name): value for name, value in model.__dict__.items()}

    def dump(self, model: BaseModel) -> bytes:
        """Return a validated input as one JSON object."""
        # By `ENCODING`, without a copy of it.
        return self.input.__pydantic_serializer__.to_json(model, by_alias=True, warnings=False)

    def input_schema(self) -> dict[str, Json]:
        """Return the input object as JSON Schema."""
        return self.input.model_json_schema(
            by_alias=True, mode="validation", schema_generator=WireSchema
        )

    def files(self) -> list[str]:
        """Return the fields that can contain a file, at any depth."""
        return [
            name.removeprefix(PREFIX)
            for name, field in self.input.model_fields.items()
            if BINARY in to_json(_described(field.annotation))
        ]


@lru_cache(maxsize=4096)  # so that the arguments of all runs share their names
def _own_name(field: str) -> str:
    return field.removeprefix(PREFIX)


def inspect_action(function: Callable[..., object]) -> Signature:
    """Read a function's signature.

    Raises:
        InvalidAction: If the function cannot be an action; the message says what to change.
    """
    check_function(function)
    name, hints = name_of(function), hints_of(function)
    parameters = Parameters(name)
    for parameter in inspect.signature(function).parameters.values():
        parameters.add(parameter, hints.get(parameter.name, Any))
    shape = shape_of(name, function, parameters.carries)
    chunk, result = outputs_of(name, shape, hints.get("return", Any), parameters.emits)
    title = "".join(part.title() for part in getattr(function, "__name__", "action").split("_"))
    return Signature(
        shape=shape,
        input=parameters.model(title + "Input"),
        body=next(iter(parameters.bodies), None),
        injected=parameters.injected,
        resources=parameters.resources,
        dependencies=parameters.dependencies,
        chunk=_output(name, "the type of its chunks", chunk) if shape.streams else None,
        result=_output(name, "the type of its result", result),
    )


def result_of(name: str, wanted: object) -> Output:
    """Return the result type for an action's option ``result=``.

    Raises:
        InvalidAction: If it is not the type of a JSON value.
    """
    check_result(name, wanted)
    return _output(name, f"result={shown(wanted)}", wanted)


def error_data_of(name: str, error: type[ActionError]) -> dict[str, Json]:
    """Return the JSON Schema of an error's ``data``, if its class annotates that; or nothing.

    Raises:
        InvalidAction: If the annotation is not the type of a JSON value.
    """
    hints = hints_of(error)
    if hints.get("data", Any) is Any:
        return {}
    return _output(name, f"the type of data of {error.__name__}", hints["data"]).json_schema


def _described(annotation: Any) -> dict[str, Json]:  # noqa: ANN401 - a type
    return TypeAdapter[Any](annotation).json_schema(mode="validation", schema_generator=WireSchema)


def _output(name: str, what: str, annotation: object) -> Output:
    try:
        output = Output(annotation)
        _ = output.json_schema
    except Exception as exc:
        raise InvalidAction(
            f"{name}: {what} cannot be described: {reason_of(exc)}; write JSON types, or a "
            "Pydantic model, dataclass or TypedDict defined above the action."
        ) from exc
    return output


def field_errors(exc: ValidationError) -> dict[str, list[str]]:
    """Return what is wrong with a value, by field."""
    errors: dict[str, list[str]] = {}
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(map(str, error["loc"])) or "_root"
        errors.setdefault(path, []).append(error["msg"])
    return errors
