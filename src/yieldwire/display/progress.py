"""What a bar shows of a progress chunk, in text that is safe to show."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from yieldwire.errors import Json
from yieldwire.setting import is_number

_CONTROLS: Final = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}
"""Characters with which a text could control a terminal, or reverse what follows it."""


class ShownProgress(NamedTuple):
    """The values of a bar, from a progress."""

    current: float
    total: float | None
    percent: float | None
    message: str

    def __str__(self) -> str:
        """Return it in words: ``25 %, 1 of 4, reading``."""
        share = "" if self.percent is None else f"{self.percent:g} %"
        count = _shown(self.current) + ("" if self.total is None else f" of {_shown(self.total)}")
        return ", ".join(part for part in (share, count, self.message) if part)


def _shown(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"


def progress_in(value: Json) -> ShownProgress | None:
    """Return the progress in a chunk; it can be an action's own, with other members."""
    fields: Mapping[str, Json] = value if isinstance(value, Mapping) else {}
    current = _number_in(fields, "current")
    if fields.get("type") != "progress" or current is None:
        return None
    message = fields.get("message")
    return ShownProgress(
        current,
        _number_in(fields, "total"),
        _number_in(fields, "percent"),
        " ".join(message.split()) if isinstance(message, str) else "",
    )


def _number_in(fields: Mapping[str, Json], name: str) -> float | None:
    value = fields.get(name)
    return value if is_number(value) else None


def clean(text: str) -> str:
    """Return a text that cannot control a terminal."""
    return text.translate(_CONTROLS)
