"""A dependency: a parameter whose value a host framework finds for the request that starts a run.

It is recognized by its marker, so that no framework is imported. The value is kept with the run
as JSON, because a run outlives its request, and can be executed in another process.
"""

from collections.abc import Mapping
from inspect import Parameter
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from yieldwire.actions.jsonschema import WireSchema, reason_of
from yieldwire.errors import InvalidAction, Json, UsageError
from yieldwire.setting import shown

_MARKER: Final = ("fastapi.params", "Depends")
"""The class by which a parameter asks for a dependency; `Security` is a subclass."""


def asks_for_dependency(annotation: object, default: object) -> bool:
    """Return whether a parameter is marked with ``Depends`` or ``Security`` of FastAPI."""
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return any(map(_is_marker, (*extras, default)))


def _is_marker(value: object) -> bool:
    return any((kind.__module__, kind.__name__) == _MARKER for kind in type(value).__mro__)


class Dependency:
    """One dependency of an action.

    Args:
        action: The action's name.
        parameter: The parameter, with its type as annotation.

    Raises:
        InvalidAction: If values of its type cannot be kept with a run.
    """

    def __init__(self, action: str, parameter: Parameter) -> None:
        self.parameter: Final = parameter
        self._place: Final = f"{action}: the dependency {parameter.name!r}"
        if parameter.annotation is Parameter.empty:
            raise InvalidAction(
                f"{self._place} has no type; write Annotated[User, Depends(...)], so that its "
                "value can be kept with the run."
            )
        try:
            self._adapter: Final[TypeAdapter[Any]] = TypeAdapter(self.type)
            for mode in ("validation", "serialization"):
                self._adapter.json_schema(mode=mode, schema_generator=WireSchema)
        except Exception as exc:
            raise InvalidAction(
                f"{self._place} has a type whose values cannot be kept with the run "
                f"({reason_of(exc)}); a run outlives its request, so return a Pydantic model, a "
                "dataclass or JSON types, and open sessions and clients with Use()."
            ) from exc

    @property
    def type(self) -> Any:  # noqa: ANN401 - a type
        """The type of its values, without the marker."""
        annotation = self.parameter.annotation
        return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation

    def kept(self, value: object) -> Json:
        """Return a value as the plain JSON that is kept with the run.

        Raises:
            UsageError: If `read` cannot make a value of its type of that.
        """
        try:
            dumped = self._adapter.dump_json(value, by_alias=True, warnings="error")
            self._adapter.validate_json(dumped)
        except (PydanticSerializationError, ValidationError) as exc:
            raise UsageError(
                f"{self._place} has the value {shown(value)}, which cannot be kept as JSON and "
                f"read again as {shown(self.type)}: {shown(str(exc))}. Return a value of exactly "
                "that type, whose fields can all be read from its JSON."
            ) from exc
        return from_json(dumped)

    def read(self, kept: Mapping[str, Json]) -> object:
        """Return the value among those that are ``kept`` with a run.

        Raises:
            UsageError: If it is not there, or not of its type, because the action was another
                one when the run was started.
        """
        try:
            return self._adapter.validate_json(to_json(kept[self.parameter.name]))
        except (KeyError, ValidationError) as exc:
            raise UsageError(
                f"{self._place} has no value in this run, which was started when the action was "
                "another one."
            ) from exc
