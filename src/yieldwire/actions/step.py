"""A step: a call whose result is recorded, so that a later attempt does not make it again."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, lru_cache, partial
from typing import Any, Final, get_args, get_origin

from pydantic import PydanticUserError, ValidationError
from pydantic_core import from_json

from yieldwire.actions.function import hints_of, name_of
from yieldwire.actions.retry import RETRIES, Retries, retry_of
from yieldwire.actions.schema import Output
from yieldwire.errors import UsageError
from yieldwire.log.events import one_line
from yieldwire.log.jsonvalue import check_readable
from yieldwire.log.misfit import invalid_output
from yieldwire.setting import shown

MAX_NAME: Final = 200
"""The maximum length of a step's name, in characters."""
NUMBER: Final = "#"
"""Before the number of a step whose name was used before: no other name has it."""


class Step:
    """One step: what to call, and how its result becomes JSON and is read back.

    Raises:
        UsageError: If the name cannot be a step's.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        keywords: Mapping[str, Any],
    ) -> None:
        """Take the function's arguments, and among the keywords ``retries`` for the step."""
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or NUMBER in name:
            raise UsageError(
                f"{shown(name)} cannot be a step's name: it is a string of 1 to {MAX_NAME} "
                f"characters without {NUMBER}."
            )
        self.name: Final = name
        given = dict(keywords)
        retries: Retries = given.pop("retries", 0)
        if (fault := RETRIES.fault(retries)) is not None:
            raise UsageError(f"step({name!r}): retries={shown(retries)} {fault}.")
        self.retry: Final = retry_of(retries)
        self._function = function
        self.call: Final = partial(function, *arguments, **given)

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function, and belongs in the loop."""
        called = getattr(self._function, "__call__", None)  # noqa: B004 - an object's own
        return any(map(inspect.iscoroutinefunction, (self._function, called)))

    def repeats(self, error: Exception, attempt: int) -> bool:
        """Whether another attempt follows number ``attempt``, which ended with ``error``."""
        return attempt <= self.retry.attempts and (not self.retry.on or self.retry.names(error))

    def encode(self, action: str, result: object) -> bytes:
        """Return the function's result as JSON, which `read` can read.

        Raises:
            InvalidOutput: If it does not match the function's return type, or is not JSON.
            UsageError: If it would be another value when it is read.
        """
        output = self._output
        try:
            data = one_line(output.encode_checked(result))
            check_readable(data)
        except Exception as exc:
            raise invalid_output(action, f"step({self.name!r})", result, exc) from exc
        if output.annotation is Any and from_json(data) != result:
            raise UsageError(
                f"{action}: the result of the step {self.name!r} is a {type(result).__name__}, "
                f"which is recorded as JSON and read back as something else. Annotate what "
                f"{name_of(self._function)} returns."
            )
        return data

    def read(self, data: bytes) -> Any:  # noqa: ANN401 - the function's own type
        """Return a recorded result.

        Raises:
            UsageError: If it does not match the function's return type.
        """
        try:
            return self._output.read_json(data)
        except ValidationError as exc:
            raise UsageError(
                f"The recorded result of the step {self.name!r} does not match what "
                f"{name_of(self._function)} returns: {exc}"
            ) from exc

    @cached_property
    def _output(self) -> Output:
        annotation = _returned(self._function)
        try:
            try:
                return _output_of(annotation)
            except TypeError:  # not hashable
                return Output(annotation)
        except PydanticUserError as exc:
            raise UsageError(
                f"The step {self.name!r} cannot record what {name_of(self._function)} returns: "
                f"{exc.message}"
            ) from exc


@lru_cache(maxsize=256)
def _output_of(annotation: object) -> Output:
    return Output(annotation)


def _returned(function: Any) -> Any:  # noqa: ANN401 - any function, and a type
    """Return the type of what ``function`` returns, or what that becomes when it is awaited."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, type):
        return function
    if not hasattr(function, "__annotations__"):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - an object's own
    if not hasattr(function, "__annotations__"):
        return Any  # a built-in function
    annotation = hints_of(function).get("return", Any)
    origin = get_origin(annotation)
    is_awaited = isinstance(origin, type) and issubclass(origin, Awaitable)
    return get_args(annotation)[-1] if is_awaited else annotation
