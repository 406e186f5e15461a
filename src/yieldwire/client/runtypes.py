"""The types of a run's values in a client: what a chunk, the result and an error are read as."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, Generic, Never, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeVar

from yieldwire.errors import ActionError, Json, ProtocolError, YieldwireError
from yieldwire.log.events import Event

C = TypeVar("C", default=Json)
"""A chunk."""
R = TypeVar("R", default=Json)
"""A result."""
A = TypeVar("A", default=Json)
"""The answers to a run's questions."""
M = TypeVar("M", default=Json)
"""A message to a run."""


class RunTypes(Generic[C, R]):
    """Reads plain JSON as the types of an action's chunks, result and errors.

    Args:
        action: Its name, for messages.
        chunk: The type of its chunks; ``Any``: they stay plain JSON.
        result: The type of its result.
        errors: Its own errors: classes with a ``code``, and a type for ``data`` if they have any.
    """

    def __init__(
        self, action: str, chunk: object, result: object, errors: Sequence[type[ActionError]] = ()
    ) -> None:
        self._action: Final = action
        self._chunk_type, self._result_type = chunk, result
        self._errors: Final = {kind.code: kind for kind in errors}

    @cached_property
    def _chunk(self) -> TypeAdapter[C] | None:
        return _adapter(self._chunk_type)

    @cached_property
    def _result(self) -> TypeAdapter[R] | None:
        return _adapter(self._result_type)

    def chunk(self, event: Event) -> C:
        """Return the chunk of an event.

        Raises:
            ProtocolError: If it does not match the type.
        """
        if self._chunk is None:
            return cast("C", event.value)
        with self._matching("A chunk"):
            return self._chunk.validate_json(event.data)

    def result(self, value: Json) -> R:
        """Return a result.

        Raises:
            ProtocolError: If it does not match the type.
        """
        if self._result is None:
            return cast("R", value)
        with self._matching("The result"):
            return self._result.validate_python(value)

    def error(self, error: YieldwireError) -> YieldwireError:
        """Return an error as one of the action's own classes, if one has its code.

        Raises:
            ProtocolError: If its data does not match the type.
        """
        kind = self._errors.get(error.code) if isinstance(error, ActionError) else None
        if kind is None:
            return error
        own = kind.__new__(kind, *error.args)
        vars(own).update(vars(error))
        if (adapter := _adapter(get_type_hints(kind).get("data", Any))) is not None:
            with self._matching(f"The data of {error.code}"):
                own.data = adapter.validate_python(error.data)
        return own

    @contextmanager
    def own_errors(self) -> Generator[None]:
        """Raise the action's own classes for its errors."""
        try:
            yield
        except ActionError as error:
            raise self.error(error) from error.__cause__

    @contextmanager
    def _matching(self, what: str) -> Generator[None]:
        try:
            yield
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise ProtocolError(
                f"{what} of {self._action} does not match its type{place and f', at {place}'}: "
                f"{first['msg']}. The server's actions have changed: generate the types again."
            ) from exc


def _adapter(kind: object) -> TypeAdapter[Any] | None:
    return None if kind is Any or kind is Never else TypeAdapter(cast("Any", kind))


UNTYPED: Final = RunTypes[Json, Json]("the action", Any, Any)
"""Leaves everything as plain JSON."""
