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

    Attributes:
        quick: Encodes what the type allows, if there is something quicker than ``full``. A value
            that it refuses, which the type does not allow, is given to ``full``.
        full: Encodes every value. Called as ``full(value, by_alias=True, warnings=False)``.
    """

    quick: Encode | None
    full: Callable[..., bytes]

    def encode(self, value: object) -> bytes:
        """Return ``value`` as JSON.

        Raises:
            Exception: Whatever ``full`` raises if it cannot.
        """
        if self.quick is not None:
            try:
                return self.quick(value)
            except Exception:  # noqa: BLE001, S110 - each encoder has its own; the other one decides
                pass
        return self.full(value, by_alias=True, warnings=False)


def encoding_of(annotation: object, adapter: TypeAdapter[Any]) -> Encoding:
    """Return how values of the type ``annotation``, for which ``adapter`` is, are encoded."""
    # The inner serializer: `TypeAdapter.dump_json` costs three times as much.
    return Encoding(encode_plain if _is_plain(annotation) else None, adapter.serializer.to_json)


def _is_plain(annotation: object) -> bool:
    """Whether every value of a type is JSON as it is: nothing about it is left to Pydantic."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return members[0] is str and _is_plain(members[1])
    if origin in (list, Union, UnionType):
        return all(map(_is_plain, members))
    return any(annotation is scalar for scalar in _SCALARS)
