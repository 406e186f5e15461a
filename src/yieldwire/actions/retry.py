"""How often something is tried again, how soon, and after which errors."""

import random
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Final, TypeAlias

from yieldwire.errors import ActionError
from yieldwire.setting import CountOrZero, Rule, Seconds, count, each, settings

_COUNT: Final = count(0)


def _is_failure(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, type) and issubclass(value, Exception))


Failures: TypeAlias = Annotated[
    Sequence[type[Exception] | str],
    each(Rule(_is_failure, "a class of exceptions or a code"), "classes of exceptions or codes"),
]
"""Classes of exceptions, and codes of `ActionError`."""


@settings
@dataclass(frozen=True, slots=True)
class Retry:
    """Tries again after an error, with a pause that doubles each time.

    Attributes:
        attempts: Attempts that can follow the first.
        backoff: Seconds before the second attempt; half of them at least, at random, so that what
            failed together does not come back together. Each further pause is twice as long.
        longest: The maximum of a pause, in seconds.
        on: After which errors: classes of exceptions, and codes of `ActionError`. None of them
            means: for an action, only if its worker is lost; for a step, any `Exception`.
    """

    attempts: CountOrZero
    _: KW_ONLY
    backoff: Seconds = 1.0
    longest: Seconds = 60.0
    on: Failures = ()

    def names(self, error: BaseException) -> bool:
        """Whether ``on`` names ``error``."""
        code = error.code if isinstance(error, ActionError) else None
        return any(
            each == code if isinstance(each, str) else isinstance(error, each) for each in self.on
        )

    def pause(self, attempt: int) -> float:
        """Return how many seconds to wait after attempt number ``attempt``, which has failed."""
        whole = min(self.backoff * 2.0 ** min(attempt - 1, 64), self.longest)
        return random.uniform(whole / 2, whole)  # noqa: S311 - no secret


RETRIES: Final = Rule(
    lambda value: isinstance(value, Retry) or _COUNT.fits(value),
    "a whole number (0 or more) or a Retry",
)
Retries: TypeAlias = Annotated[int | Retry, RETRIES]
"""A number of attempts that can follow the first, or more about them."""


def retry_of(retries: Retries) -> Retry:
    """Return ``retries`` with everything that a number leaves out."""
    return retries if isinstance(retries, Retry) else Retry(retries)
