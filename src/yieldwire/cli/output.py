"""What a command writes, in lines and texts that cannot control a terminal."""

import sys
from contextlib import suppress

from pydantic_core import to_json

from yieldwire.cli.outcome import lines_of
from yieldwire.display.progress import clean
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.events import one_line


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
