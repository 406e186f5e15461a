"""How a command ended, as its exit code."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from pydantic_core import to_json

from yieldwire.errors import (
    CallError,
    ErrorObject,
    ProtocolError,
    RunCancelled,
    RunError,
    StoreError,
    Unauthorized,
    Unreachable,
    YieldwireError,
)
from yieldwire.log.run import Status


class Outcome(IntEnum):
    """The exit codes; `yieldwire call --help` lists them."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    """Refused before it started: by input, access or rate."""
    UNREACHABLE = 4
    CANCELLED = 130
    """As after Ctrl-C in a shell."""

    @classmethod
    def of_status(cls, status: str) -> "Outcome":
        """Return the outcome of a run that ended with ``status``."""
        outcomes: Mapping[str, Outcome] = {
            Status.COMPLETED: cls.COMPLETED,
            Status.CANCELLED: cls.CANCELLED,
        }
        return outcomes.get(status, cls.FAILED)

    @classmethod
    def of_error(cls, error: YieldwireError) -> "Outcome":
        """Return the outcome of a command that ended with an error."""
        if isinstance(error, (Unreachable, ProtocolError)):
            return cls.UNREACHABLE
        if error.code == RunCancelled.code:
            return cls.CANCELLED
        if isinstance(error, (RunError, StoreError)) or error.run_id is not None:
            return cls.FAILED
        return cls.REFUSED if isinstance(error, CallError) else cls.USAGE


_ADVICE: Final[Mapping[str, Sequence[str]]] = {
    Unreachable.code: ["Check that it is running, and that the URL is right."],
    Unauthorized.code: [
        "With a URL: --token TOKEN, or YIELDWIRE_TOKEN in the environment, sends a bearer token,",
        "and -H 'Cookie: session=...' any other header. A file's actions are called anonymously.",
    ],
}
"""What a person at a terminal can do about an error, by its code."""


def lines_of(error: ErrorObject) -> list[str]:
    """Return the description of an error for a person: its code, message and place."""
    lines = [f"{error.code}: {error.message}"]
    for field, messages in (error.field_errors or {}).items():
        lines += [f"  {'the input' if field == '_root' else field}: {text}" for text in messages]
    if error.data is not None and error.code != RunCancelled.code:
        lines.append(f"  {to_json(error.data).decode()}")
    if error.debug is not None:
        lines += ["  Shown in development only:", ""]
        lines += [f"  {line}" for line in error.debug["traceback"].splitlines()]
        lines.append("")
    if error.error_id is not None:
        lines.append(f"  The server's log has the cause under {error.error_id}.")
    return lines + [f"  {line}" for line in _ADVICE.get(error.code, ())]
