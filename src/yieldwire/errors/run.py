"""Reasons for which a run ends badly that are not the action's own."""

from yieldwire.errors.error import YieldwireError
from yieldwire.errors.errorobject import Debug, Json


class RunError(YieldwireError):
    """A run ended badly, for a reason that is not the action's own."""


class RunCancelled(RunError):
    """The run was asked to stop, or nobody was reading it."""

    code = "CANCELLED"
    status = 409

    def __init__(self, reason: str = "requested", message: str = "The run was cancelled.") -> None:
        self.data: Json = {"reason": reason}
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


class AnswerTimedOut(RunError):
    """Nobody answered a question of the action in time. The action can catch it."""

    code = "ANSWER_TIMEOUT"
    status = 504

    def __init__(self, question: str, prompt: str) -> None:
        self.data: Json = {"question": question}
        super().__init__(f"Nobody answered in time: {prompt}")


class LimitExceeded(RunError):
    """The run's log exceeded a limit: too many events, too many bytes, or one too large."""

    code = "LIMIT_EXCEEDED"


class InternalError(RunError):
    """An unexpected error; callers get ``error_id``, which is also in the log, and no text.

    In development (``debug=True``) they also get ``debug``: its type, message and traceback.
    """

    code = "INTERNAL_ERROR"

    def __init__(self, error_id: str, debug: Debug | None = None) -> None:
        self.error_id: str | None = error_id
        self.debug: Debug | None = debug
        super().__init__("Something went wrong on the server.")
