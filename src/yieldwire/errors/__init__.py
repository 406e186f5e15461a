"""Everything that this package raises on purpose.

    YieldwireError
    ├── UsageError              the developer must act
    │   ├── MissingDependency       (also an ImportError)
    │   ├── InvalidAction, InvalidOutput
    │   └── IllegalTransition
    ├── CallError               the caller must act
    │   ├── ActionError             the action's own, declared errors
    │   ├── Unreachable             only in clients: no server answered
    │   ├── ParseError, ValidationFailed, UnsupportedMediaType, PayloadTooLarge
    │   ├── RequestTimedOut
    │   ├── Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable
    │   ├── Conflict, KeyReused, ForeignCursor
    │   └── RateLimited, Unavailable
    ├── RunError                the run ended badly
    │   └── RunCancelled, RunTimedOut, RunInterrupted, LimitExceeded, InternalError
    ├── StoreError              operations must act
    │   └── Fenced, AppendConflict
    └── ProtocolError           the peer must act

Each has three facts: ``code`` (stable, on the wire), ``status`` (HTTP) and
``retryable`` (whether the same call is worth repeating).
"""

from collections.abc import Sequence

from yieldwire.errors.errorobject import Debug, ErrorObject, FieldErrors, Json

__all__ = [
    "ActionError",
    "AppendConflict",
    "CallError",
    "Conflict",
    "ErrorObject",
    "Fenced",
    "FieldErrors",
    "Forbidden",
    "ForeignCursor",
    "IllegalTransition",
    "InternalError",
    "InvalidAction",
    "InvalidOutput",
    "Json",
    "KeyReused",
    "LimitExceeded",
    "MethodNotAllowed",
    "MissingDependency",
    "NotAcceptable",
    "NotFound",
    "ParseError",
    "PayloadTooLarge",
    "ProtocolError",
    "RateLimited",
    "RequestTimedOut",
    "RunCancelled",
    "RunError",
    "RunInterrupted",
    "RunTimedOut",
    "StoreError",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "UnsupportedMediaType",
    "UsageError",
    "ValidationFailed",
    "YieldwireError",
]


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


class UsageError(YieldwireError):
    """The developer who uses this package must change something."""


class MissingDependency(UsageError, ImportError):
    """An optional dependency is not installed; the message has the ``pip install`` line."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"{purpose} needs the package {package!r}: pip install 'yieldwire[{extra}]'"
        )


class InvalidAction(UsageError):
    """A function cannot be used as an action."""


class InvalidOutput(UsageError):
    """A chunk, a result or an error's data does not match its type, or cannot be sent as JSON.

    The message names the action, the place in the value, and the type at that place.
    """

    tells_place = True


class IllegalTransition(UsageError):
    """A run was asked to take a step that the table does not allow."""


class CallError(YieldwireError):
    """The caller must change the call, or wait."""

    code = "BAD_REQUEST"
    status = 400


class ActionError(CallError):
    """An error that the action declares: the caller gets all of it.

    Args:
        code: An upper-case string that callers can branch on.
        message: For people.
        status: The HTTP status, if the error comes before the first event; default: the class's.
        retryable: Whether the same call is worth repeating; default: the class's.
        data: Plain JSON for the caller's program.

    Example:
        >>> raise ActionError("OUT_OF_CREDIT", "Your credit is used up.", status=402)
        Traceback (most recent call last):
        yieldwire.errors.ActionError: Your credit is used up.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        retryable: bool | None = None,
        data: Json = None,
    ) -> None:
        super().__init__(message)
        self.code, self.data = code, data
        self.status = type(self).status if status is None else status
        self.retryable = type(self).retryable if retryable is None else retryable


class Unreachable(CallError):
    """The server did not answer, or went away and did not come back in time.

    The outcome of a run in progress is unknown; a client can attach to it later.
    """

    code = "UNREACHABLE"
    status = 503
    retryable = True

    def __init__(self, message: str, *, run_id: str | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id


class ParseError(CallError):
    """The request cannot be read: broken JSON, a malformed cursor, a bad header."""

    code = "PARSE_ERROR"


class ValidationFailed(CallError):
    """The input does not match the action's parameters; ``field_errors`` says where."""

    code = "VALIDATION_ERROR"
    status = 422

    def __init__(self, field_errors: FieldErrors, message: str = "The input is not valid.") -> None:
        super().__init__(message)
        self.field_errors = field_errors

    def __str__(self) -> str:
        """Return the message with the fields and what is wrong with each."""
        names, errors = {"_root": "the input"}, self.field_errors or {}
        fields = [f"{names.get(at, at)}: {', '.join(errors[at])}" for at in errors]
        return " ".join([super().__str__(), "; ".join(fields)]).rstrip()


class UnsupportedMediaType(CallError):
    """The body's content type is not supported."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class PayloadTooLarge(CallError):
    """The body, one of its parts or one of its counts exceeds a limit."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


class RequestTimedOut(CallError):
    """The request's body did not arrive in time."""

    code = "REQUEST_TIMEOUT"
    status = 408
    retryable = True


class Unauthorized(CallError):
    """The caller is anonymous and must sign in."""

    code = "UNAUTHORIZED"
    status = 401
    text = "Sign in first."


class Forbidden(CallError):
    """The caller is not allowed to do this."""

    code = "FORBIDDEN"
    status = 403
    text = "You are not allowed to do this."


class NotFound(CallError):
    """There is no such action, run or page."""

    code = "NOT_FOUND"
    status = 404


class MethodNotAllowed(CallError):
    """The URL exists, but not for this method."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    allowed: tuple[str, ...] = ()

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(f"{method} is not allowed here; use {' or '.join(self.allowed)}.")


class NotAcceptable(CallError):
    """None of the media types that the caller accepts is supported."""

    code = "NOT_ACCEPTABLE"
    status = 406


class Conflict(CallError):
    """The run's state does not allow this."""

    code = "CONFLICT"
    status = 409


class KeyReused(CallError):
    """The idempotency key belongs to a run that was started with another input."""

    code = "KEY_REUSED"
    status = 422
    text = "This Idempotency-Key was used with another input; use a new key for a new call."


class ForeignCursor(CallError):
    """The cursor names another run, or a place that this run's log does not have."""

    code = "GONE"
    status = 410
    text = "The cursor does not belong to this run's log."


class RateLimited(CallError):
    """Too much at once; ``retry_after`` says how many seconds to wait."""

    code = "RATE_LIMITED"
    status = 429
    retryable = True
    retry_after: float = 1.0

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unavailable(CallError):
    """The server is stopping and accepts no new runs; another one can."""

    code = "UNAVAILABLE"
    status = 503
    retryable = True
    retry_after: float = 1.0

    def __init__(self, message: str = "The server is stopping.", retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class RunError(YieldwireError):
    """A run ended badly, for a reason that is not the action's own."""


class RunCancelled(RunError):
    """The run was asked to stop, or nobody was reading it."""

    code = "CANCELLED"
    status = 409

    def __init__(self, reason: str = "requested", message: str = "The run was cancelled.") -> None:
        self.data = {"reason": reason}
        super().__init__(message)


class RunTimedOut(RunError):
    """The run exceeded its time limit."""

    code = "TIMEOUT"
    status = 504
    timeout: float | None = None

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(f"The run took longer than its limit of {timeout:g} s.")


class RunInterrupted(RunError):
    """The process that executed the run is gone, and the run must not be repeated."""

    code = "INTERRUPTED"
    retryable = True
    text = "The run was interrupted; it is not known how far its work went."


class LimitExceeded(RunError):
    """The run's log exceeded a limit: too many events, too many bytes, or one too large."""

    code = "LIMIT_EXCEEDED"


class InternalError(RunError):
    """An unexpected error; callers get ``error_id``, which is also in the log, and no text.

    In development (``debug=True``) they also get ``debug``: its type, message and traceback.
    """

    code = "INTERNAL_ERROR"

    def __init__(self, error_id: str, debug: Debug | None = None) -> None:
        self.error_id, self.debug = error_id, debug
        super().__init__("Something went wrong on the server.")


class StoreError(YieldwireError):
    """The store failed; whether the last write happened is unknown, and it can be repeated."""

    code = "STORE_ERROR"
    status = 503
    retryable = True


class Fenced(StoreError):
    """Another writer holds the run, or the run has ended: this one must not write."""

    retryable = False


class AppendConflict(StoreError):
    """The log's last seq is not the one that the writer expects."""

    retryable = False


class ProtocolError(YieldwireError):
    """The peer sent bytes that the protocol does not allow."""
