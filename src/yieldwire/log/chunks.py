"""The chunk types that the framework itself defines.

An action can yield anything that Pydantic can describe. These few have a defined meaning,
so that a polling client, the developer page and a terminal can show them without knowing
the action.
"""

from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

from pydantic_core import from_json

from yieldwire.errors import UsageError
from yieldwire.setting import NUMBER, TEXT, Rules, fault_of, is_number, optional

T = TypeVar("T")

_PROGRESS: Final[Rules] = {
    "current": NUMBER,
    "total": optional(NUMBER),
    "message": optional(TEXT),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text; the pieces of a run are concatenated.

    Example:
        >>> Text("Hel")
        Text(text='Hel')
    """

    type: Literal["text"] = field(default="text", init=False, repr=False)
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is; the newest one counts.

    ``percent`` is ``current`` of ``total`` from 0 to 100, rounded to one decimal,
    and ``None`` if the total is not known.

    Example:
        >>> Progress(1, total=3).percent
        33.3
    """

    type: Literal["progress"] = field(default="progress", init=False, repr=False)
    current: int | float
    total: int | float | None = None
    message: str | None = None
    percent: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Check the arguments, and compute ``percent``.

        Raises:
            UsageError: If a number is not finite, or the message is not a string.
        """
        is_plain = is_number(self.current) and (self.total is None or is_number(self.total))
        if not is_plain or not (self.message is None or isinstance(self.message, str)):
            given = {name: getattr(self, name) for name in _PROGRESS}
            raise UsageError(f"Progress: {fault_of(given, _PROGRESS)}.")
        if self.total:
            percent = min(100.0, max(0.0, round(100 * self.current / self.total, 1)))
            object.__setattr__(self, "percent", percent)


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """A streamable value's new value; it replaces the previous one."""

    type: Literal["value"] = field(default="value", init=False, repr=False)
    value: T


@dataclass(frozen=True, slots=True)
class Append:
    """Text appended to a streamable value."""

    type: Literal["append"] = field(default="append", init=False, repr=False)
    text: str


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """A generator's final value.

    It is not a chunk: it is held until the generator and its ``finally`` have ended, and
    becomes part of the run's ``done`` event. Yielding anything after it fails the run.
    """

    value: T


def text_of(data: bytes) -> str | None:
    """Return the text that a chunk, given as its JSON, adds to its run; ``None`` for others.

    Text is what `Text` and `Append` carry, and a chunk that is a string.
    """
    value = from_json(data)
    if isinstance(value, dict):
        kind = value.get("type")  # can be of any type, such as a list
        value = value.get("text") if kind == "text" or kind == "append" else None  # noqa: PLR1714
    return value if isinstance(value, str) else None
