"""An application's colour, made readable on light and on dark pages."""

import re
from typing import Annotated, Final, TypeAlias

from yieldwire.setting import Rule

RGB: TypeAlias = tuple[float, float, float]

_HEX: Final = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)
CONTRAST: Final = 4.5
"""The minimum contrast of text: WCAG 2.2, 1.4.3."""
_STEPS: Final = 50
_DIM: Final = 0.04045
"""Channels up to this are linear in sRGB."""
_SHORT: Final = len("#fff")
LIGHT: Final = "#f6f6f4"
DARK: Final = "#1a1a19"
"""The grounds of `follow.css` that are nearest to the colours on them."""

Color: TypeAlias = Annotated[
    str,
    Rule(
        lambda value: isinstance(value, str) and _HEX.fullmatch(value) is not None,
        "a colour such as '#0f766e'",
    ),
]
"""A colour, as a setting."""


def readable(color: str) -> tuple[str, str]:
    """Return the variants of ``color`` that can be read on a light and on a dark page.

    Each is as near to ``color`` as the contrast allows.
    """
    return _toned(color, LIGHT, "#000000"), _toned(color, DARK, "#ffffff")


def _toned(color: str, ground: str, toward: str) -> str:
    start, end, below = rgb(color), rgb(toward), rgb(ground)
    for step in range(_STEPS):
        mixed = _mixed(start, end, step / _STEPS)
        if contrast(mixed, below) >= CONTRAST:
            return _hex(mixed)
    return toward


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: RGB) -> float:
    red, green, blue = (
        each / 12.92 if each <= _DIM else ((each + 0.055) / 1.055) ** 2.4 for each in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(start: RGB, end: RGB, share: float) -> RGB:
    red, green, blue = (
        round(255 * (one + (other - one) * share)) / 255
        for one, other in zip(start, end, strict=True)
    )
    return red, green, blue


def rgb(color: str) -> RGB:
    """Return the channels of a colour, from 0 to 1."""
    digits = color.removeprefix("#")
    if len(color) == _SHORT:
        digits = "".join(2 * digit for digit in digits)
    red, green, blue = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return red, green, blue


def _hex(color: RGB) -> str:
    return "#" + "".join(f"{round(255 * each):02x}" for each in color)
