"""An error as callers see it, the same on every transport."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypedDict

Json: TypeAlias = Any
"""Any JSON value. The only place with ``Any`` in a public signature."""

FieldErrors: TypeAlias = Mapping[str, Sequence[str]]
"""Messages by field path (``file_ids.0``); ``_root`` for the input as a whole."""


class Debug(TypedDict):
    """The details of an unexpected exception in development: type, message and traceback."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorObject:
    """An error as callers see it, the same on every transport.

    It is the value of ``error`` in an HTTP answer and the data of a run's last event, ``error``
    or ``cancelled``. ``debug`` has the details of an unexpected exception, and is set only if
    the server is configured to show them (``Actions(debug=True)``).
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
        """Return the JSON form, with the wire's names; ``debug`` only if it is set."""
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
    def from_dict(cls, value: Json) -> Self:
        """Read the JSON form; missing or wrongly typed members get their defaults.

        It can come from another version, or from something on the way: if it could not be
        read, the error itself would be hidden.
        """
        told = value if isinstance(value, Mapping) else {}
        status = told.get("statusCode")
        return cls(
            code=_text_in(told.get("code")) or "INTERNAL_ERROR",
            message=_text_in(told.get("message")) or "",
            status=status if type(status) is int else 500,
            retryable=told.get("retryable") is True,
            field_errors=_field_errors_in(told.get("fieldErrors")),
            data=told.get("data"),
            run_id=_text_in(told.get("runId")),
            error_id=_text_in(told.get("errorId")),
            debug=_debug_in(told.get("debug")),
        )


def _text_in(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _field_errors_in(value: Json) -> FieldErrors | None:
    if not isinstance(value, Mapping):
        return None
    return {
        field: [text for text in messages if isinstance(text, str)]
        for field, messages in value.items()
        if isinstance(messages, Sequence) and not isinstance(messages, str)
    }


def _debug_in(value: Json) -> Debug | None:
    if not isinstance(value, Mapping):
        return None
    type_, message, traceback = (str(value.get(name, "")) for name in Debug.__annotations__)
    return {"type": type_, "message": message, "traceback": traceback}
