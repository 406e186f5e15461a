"""Encodes the values of a type as JSON.

Plain JSON is encoded by msgspec if it is installed: a dictionary takes a quarter of the
time that its Pydantic serializer does. It also touches a third of the memory, which counts in a
slow stream, as nothing of an event is in the processor's caches there.
"""

from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import TypeAdapter

try:
    import msgspec
except ImportError:
    msgspec = None  # type: ignore[assignment]

Encode: TypeAlias = Callable[[object], bytes]
"""Returns a value as JSON in UTF-8; raises an exception if it cannot."""

encode_plain: Encode | None = None if msgspec is None else msgspec.json.Encoder().encode
"""Encodes plain JSON, if msgspec is installed."""

_SCALARS: Final = (str, int, float, bool, None, NoneType)


class Encoding(NamedTuple):
    """How the values of a type are encoded.

    ``quick`` encodes what the type allows, and nearly always does; for a value that it refuses,
    ``full`` decides.
    """

    quick: Encode
    full: Encode

    def encode(self, value: object) -> bytes:
        """Return ``value`` as JSON.

        Raises:
            Exception: Whatever ``full`` raises if it cannot.
        """
        try:
            return self.quick(value)
        except Exception:  # noqa: BLE001 - each encoder has its own
            return self.full(value)


def encoding_of(annotation: object, adapter: TypeAdapter[Any]) -> Encoding:
    """Return how values of the type ``annotation``, for which ``adapter`` is, are encoded."""
    # The inner serializer: `TypeAdapter.dump_json` costs three times as much.
    to_json = adapter.serializer.to_json

    def full(value: object) -> bytes:
        return to_json(value, by_alias=True, warnings=False)

    return Encoding(
        encode_plain if encode_plain is not None and _is_plain(annotation) else full, full
    )


def _is_plain(annotation: object) -> bool:
    """Whether every value of a type is JSON as it is: nothing about it is left to Pydantic."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return members[0] is str and _is_plain(members[1])
    if origin in (list, Union, UnionType):
        return all(map(_is_plain, members))
    return any(annotation is scalar for scalar in _SCALARS)
