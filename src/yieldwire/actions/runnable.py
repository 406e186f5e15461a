"""What can be run: an action, as code that starts it sees it."""

from collections.abc import Callable
from typing import Final, Generic, ParamSpec, TypeVar

from yieldwire.actions.schema import Signature

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Runnable(Generic[P, R, T]):
    """A function that can be run, and what it takes and returns.

    ``P`` and ``R`` are the function's own signature, ``T`` is the type of a run's result. It is
    the part of an action that a `Context` can know, because the rest of an action knows contexts.
    """

    signature: Signature

    def __init__(self, function: Callable[P, R]) -> None:
        self.function: Final = function
        self.name: Final[str] = getattr(function, "__name__", "")
