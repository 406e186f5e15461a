"""The base class of everything that this package raises on purpose, and the peer's errors."""

from yieldwire.errors.errorobject import Debug, ErrorObject, FieldErrors, Json


class YieldwireError(Exception):
    """Base class of everything this package raises on purpose."""

    code: str = "INTERNAL_ERROR"
    status: int = 500
    retryable: bool = False
    field_errors: FieldErrors | None = None
    data: Json = None
    error_id: str | None = None
    debug: Debug | None = None
    """The details of an unexpected exception; set only in development."""
    run_id: str | None = None
    """The run that the error is about, if the server said so."""
    text: str = ""
    """The message, if the code that raises the error gives none."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.text)

    def error_object(self, run_id: str | None = None) -> ErrorObject:
        """Return what a caller can see of this error."""
        return ErrorObject(
            code=self.code,
            message=Exception.__str__(self),  # what else `str` says has its own member
            status=self.status,
            retryable=self.retryable,
            field_errors=self.field_errors,
            data=self.data,
            run_id=run_id,
            error_id=self.error_id,
            debug=self.debug,
        )


class ProtocolError(YieldwireError):
    """The peer sent bytes that the protocol does not allow."""
