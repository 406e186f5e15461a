"""An error as callers see it, the same on every transport."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypedDict

Json: TypeAlias = Any
"""Whatever JSON can say. The one place where ``Any`` stands in a public signature."""

FieldErrors: TypeAlias = Mapping[str, Sequence[str]]
"""Messages by field path (``file_ids.0``); ``_root`` for the input as a whole."""


class Debug(TypedDict):
    """An unexpected exception as development shows it: its type, its message, its traceback."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorObject:
    """An error as callers see it, the same on every transport.

    It is the value of ``error`` in an HTTP answer and the data of a run's last
    event, ``error`` or ``cancelled``. ``debug`` is what an unexpected exception was, and is there
    only where the server was told to show it (``Actions(debug=True)``).
    """

    code: str
    message: str
    status: int = 500
    retryable: bool = False
    field_errors: FieldErrors | None = None
    data: Json = None
    run_id: str | None = None
    error_id: str | None = None
    debug: Debug | None = None

    def to_dict(self) -> dict[str, Json]:
        """Return the JSON form, with the wire's names; ``debug`` only where there is one."""
        told: dict[str, Json] = {
            "code": self.code,
            "message": self.message,
            "statusCode": self.status,
            "retryable": self.retryable,
            "fieldErrors": self.field_errors,
            "data": self.data,
            "runId": self.run_id,
            "errorId": self.error_id,
        }
        if self.debug is not None:
            told["debug"] = self.debug
        return told

    @classmethod
    def from_dict(cls, value: Mapping[str, Json]) -> Self:
        """Read the JSON form; fields that are missing take their defaults."""
        return cls(
            code=str(value.get("code", "INTERNAL_ERROR")),
            message=str(value.get("message", "")),
            status=int(value.get("statusCode", 500)),
            retryable=bool(value.get("retryable", False)),
            field_errors=value.get("fieldErrors"),
            data=value.get("data"),
            run_id=value.get("runId"),
            error_id=value.get("errorId"),
            debug=_debug_in(value.get("debug")),
        )


def _debug_in(value: Json) -> Debug | None:
    if not isinstance(value, Mapping):
        return None
    type_, message, traceback = (str(value.get(name, "")) for name in Debug.__annotations__)
    return {"type": type_, "message": message, "traceback": traceback}
