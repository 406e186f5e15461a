"""Errors of a call: the caller must change it, or wait."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from yieldwire.errors.error import YieldwireError
from yieldwire.errors.errorobject import FieldErrors, Json


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
        self.code: str = code
        self.data: Json = data
        self.status: int = type(self).status if status is None else status
        self.retryable: bool = type(self).retryable if retryable is None else retryable


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


TimedOutWhile: TypeAlias = Literal["connecting", "starting", "answering", "reading", "total"]
"""What a client waited for: a connection, the answer to a start or to another request, the next
bytes of an open stream, or everything that a call takes."""


class TimedOut(Unreachable, TimeoutError):
    """A client has waited for as long as it was told to; ``phase`` says for what.

    Args:
        message: For people.
        phase: What it waited for.
        seconds: How long.
        run_id: The run, if there is one.
    """

    def __init__(
        self, message: str, *, phase: TimedOutWhile, seconds: float, run_id: str | None = None
    ) -> None:
        super().__init__(message, run_id=run_id)
        self.phase = phase
        self.seconds = seconds


class ParseError(CallError):
    """The request cannot be read: broken JSON, a malformed cursor, a bad header."""

    code = "PARSE_ERROR"


class ValidationFailed(CallError):
    """The input does not match the action's parameters; ``field_errors`` says where."""

    code = "VALIDATION_ERROR"
    status = 422

    def __init__(self, field_errors: FieldErrors, message: str = "The input is not valid.") -> None:
        super().__init__(message)
        self.field_errors: FieldErrors | None = field_errors

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


class UpgradeRequired(CallError):
    """The URL is a WebSocket, and the request did not open one.

    Args:
        has_arrived: Whether the request asked for it, so that the server program is the one
            that cannot.
    """

    code = "UPGRADE_REQUIRED"
    status = 426

    def __init__(self, *, has_arrived: bool) -> None:
        super().__init__(
            "The server program cannot open a WebSocket: install the extra yieldwire[websocket]."
            if has_arrived
            else "This URL is a WebSocket, and the request has no `Upgrade: websocket`. A proxy "
            "may have dropped it: let it pass the headers Upgrade and Connection on."
        )
        self.data: Json = {"upgradeArrived": has_arrived}


class Conflict(CallError):
    """The run's state does not allow this."""

    code = "CONFLICT"
    status = 409


class KeyReused(CallError):
    """The idempotency key belongs to a run or a message with another input."""

    code = "KEY_REUSED"
    status = 422
    text = "This Idempotency-Key was used with another input; use a new key for a new call."


class RunEnded(CallError):
    """The run has ended, and takes no more messages."""

    code = "RUN_ENDED"
    status = 410
    text = "The run has ended, and takes no more messages."


class FirstAnswer(Protocol):
    """The message that closed a question first: a `yieldwire.log.message.Message`."""

    @property
    def number(self) -> int:
        """Its number in the run's inbox."""
        ...

    @property
    def data(self) -> bytes:
        """The answer as JSON."""
        ...

    @property
    def by(self) -> str | None:
        """The owner who sent it."""
        ...

    @property
    def at(self) -> float:
        """When it was accepted, in seconds since the epoch."""
        ...

    @property
    def is_timeout(self) -> bool:
        """Whether it closed the question without an answer."""
        ...


class AlreadyAnswered(CallError):
    """The question has an answer already, or its time is over."""

    code = "ALREADY_ANSWERED"
    status = 409
    text = "The question was answered already, or its time is over."
    answer: FirstAnswer | None = None
    """The message that was first; ``None`` if it is not known here, as in a client."""

    def __init__(self, answer: FirstAnswer | None = None) -> None:
        self.answer = answer
        super().__init__()


class InboxFull(CallError):
    """The run's inbox has no room for another message, and never will."""

    code = "INBOX_FULL"
    status = 429
    text = "The run takes no more messages: its inbox is full."


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
