"""What one check has found: a level, a figure in words, and what to change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yieldwire.errors import Json


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, and can be better."""
    PROBLEM = "problem"
    """Streams, calls or browsers suffer from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        check: The name of the check, which never changes.
        level: How it ended.
        found: What was found, with the figure.
        advice: What to change; empty if there is nothing.
        figures: What was measured, for programs.
    """

    check: str
    level: Level
    found: str
    advice: str = ""
    figures: Mapping[str, Json] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "check": self.check,
            "level": self.level.value,
            "found": self.found,
            "advice": self.advice or None,
            "figures": dict(self.figures),
        }


def ok(check: str, found: str, **figures: Json) -> Finding:
    """Return that nothing must change."""
    return Finding(check=check, level=Level.OK, found=found, figures=figures)


def warning(check: str, found: str, advice: str, **figures: Json) -> Finding:
    """Return what works, and can be better."""
    return Finding(check=check, level=Level.WARNING, found=found, advice=advice, figures=figures)


def problem(check: str, found: str, advice: str, **figures: Json) -> Finding:
    """Return what must change."""
    return Finding(check=check, level=Level.PROBLEM, found=found, advice=advice, figures=figures)


def duration(seconds: float) -> str:
    """Return a time in words: milliseconds below one second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
