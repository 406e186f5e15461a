"""What a command writes, in lines and texts that cannot control a terminal."""

import sys
from contextlib import suppress
from typing import Final

from pydantic_core import to_json

from yieldwire.cli.outcome import lines_of
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.events import one_line

_CONTROLS: Final = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}
"""Characters with which a text could control a terminal, or reverse what follows it."""


def say(text: str) -> None:
    """Write a text to stdout, if that has a reader."""
    with suppress(BrokenPipeError):
        sys.stdout.write(text)
        sys.stdout.flush()


def note(text: str) -> None:
    """Write a line to stderr, if that has a reader."""
    with suppress(BrokenPipeError):
        sys.stderr.write(clean(text) + "\n")
        sys.stderr.flush()


def fail(error: ErrorObject) -> None:
    """Write an error to stderr."""
    for line in lines_of(error):
        note(line)


def show_json(value: Json) -> None:
    """Write a JSON value to stdout, on one line."""
    sys.stdout.write(one_line(to_json(value)).decode() + "\n")


def clean(text: str) -> str:
    """Return a text that cannot control a terminal."""
    return text.translate(_CONTROLS)
