"""What an action raises if a model does not complete its answer."""

from collections.abc import Generator
from contextlib import contextmanager

from yieldwire.errors import ActionError


class ModelFailed(ActionError):
    """The model reported an error during its answer, or the answer broke off.

    Callers get this sentence and never what the provider said, which is the error's cause or in
    ``detail``, for logs. Declare it with ``@actions.action(errors=[ModelFailed])``.
    """

    code = "MODEL_FAILED"
    status = 502
    retryable = True

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(self.code, "The model did not complete its answer. Try again.")


def broke_off() -> ModelFailed:
    """Return the error for a stream that ends before the model says that its answer does."""
    return ModelFailed("The stream ended before the answer did.")


@contextmanager
def answering(*errors: type[Exception]) -> Generator[None]:
    """Raise `ModelFailed` for each of an SDK's own errors: the answer had begun."""
    try:
        yield
    except errors as exc:
        raise ModelFailed(str(exc)) from exc
