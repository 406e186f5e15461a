"""What a server or a log says went wrong comes back as the class that it was."""

import pytest

from yieldwire import errors
from yieldwire.errors import ActionError, ErrorObject, RateLimited, YieldwireError
from yieldwire.errors.lookup import error_from

TOLD: list[YieldwireError] = [
    errors.CallError("m"),
    errors.ParseError("m"),
    errors.ValidationFailed({"n": ["?"]}, "m"),
    errors.UnsupportedMediaType("m"),
    errors.PayloadTooLarge("m"),
    errors.RequestTimedOut("m"),
    errors.Unauthorized("m"),
    errors.Forbidden("m"),
    errors.NotFound("m"),
    errors.MethodNotAllowed("PUT", ["GET"]),
    errors.NotAcceptable("m"),
    errors.UpgradeRequired(has_arrived=True),
    errors.Conflict("m"),
    errors.KeyReused(),
    errors.ForeignCursor("m"),
    errors.RateLimited("m"),
    errors.Unavailable("m"),
    errors.RunCancelled("unattended"),
    errors.RunTimedOut(3.0),
    errors.RunInterrupted(),
    errors.LimitExceeded("m"),
    errors.InternalError("e1"),
    errors.StoreError("m"),
    errors.ActionError("OUT_OF_CREDIT", "m", status=402, retryable=True, data={"left": 0}),
]


@pytest.mark.parametrize("raised", TOLD, ids=lambda error: type(error).__name__)
def test_each_code_comes_back_as_its_class_with_all_of_its_facts(raised: YieldwireError) -> None:
    told = raised.error_object("r1")

    error = error_from(told)

    assert type(error) is type(raised)
    assert error.error_object("r1") == told
    assert (str(error), error.run_id) == (str(raised), "r1")


@pytest.mark.parametrize("code", ["HTTP_ERROR", "UNREACHABLE", "LATER_CODE", ""])
def test_a_code_that_is_not_the_frameworks_is_an_actions_own(code: str) -> None:
    error = error_from(ErrorObject(code=code, message="m"))

    assert type(error) is ActionError
    assert error.code == code


def test_a_refusal_says_how_long_to_wait() -> None:
    told = RateLimited("m").error_object()

    error = error_from(told, retry_after=7.0)

    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.0


def test_what_the_wire_does_not_say_can_be_asked_for() -> None:
    late = error_from(ErrorObject(code="TIMEOUT", message="m"))
    busy = error_from(ErrorObject(code="RATE_LIMITED", message="m"), retry_after=0.0)

    assert isinstance(late, errors.RunTimedOut)
    assert late.timeout is None
    assert isinstance(busy, RateLimited)
    assert busy.retry_after == 1.0
