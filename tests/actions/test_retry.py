"""How often something is tried again, how soon, and after which errors."""

import re

import pytest

from yieldwire.actions.retry import Retry, retry_of
from yieldwire.errors import ActionError, UsageError


class Busy(ActionError):
    """The service is busy."""

    code = "BUSY"


@pytest.mark.parametrize(
    ("error", "is_named"),
    [
        (Busy("BUSY", "Later."), True),
        (ActionError("SLOW", "Later."), True),
        (ConnectionResetError(), True),
        (ActionError("OTHER", "No."), False),
        (ValueError("SLOW"), False),
    ],
)
def test_it_names_classes_of_exceptions_and_codes(error: Exception, *, is_named: bool) -> None:
    retry = Retry(2, on=(Busy, "SLOW", ConnectionError))

    assert retry.names(error) is is_named


def test_each_pause_is_twice_as_long_up_to_the_longest_and_at_least_half_of_it() -> None:
    retry = Retry(10, backoff=1, longest=5)

    pauses = [[retry.pause(attempt) for _ in range(200)] for attempt in (1, 2, 3, 4, 1000)]

    for drawn, whole in zip(pauses, (1, 2, 4, 5, 5), strict=True):
        assert whole / 2 <= min(drawn) < max(drawn) <= whole
        assert max(drawn) - min(drawn) > whole / 8


def test_a_number_is_that_many_attempts_after_the_first() -> None:
    assert retry_of(3) == Retry(3)
    assert retry_of(Retry(2, backoff=5)) == Retry(2, backoff=5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attempts": -1}, "Retry: attempts=-1 is not a whole number (0 or more)."),
        ({"attempts": 1, "backoff": "2s"}, "backoff='2s' is not a number of seconds"),
        ({"attempts": 1, "on": [KeyboardInterrupt]}, "on=[KeyboardInterrupt] is not a list of"),
        ({"attempts": 1, "on": "BUSY"}, "write ['BUSY']"),
    ],
)
def test_a_wrong_setting_is_told_where_it_is_given(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Retry(**settings)  # type: ignore[arg-type]
