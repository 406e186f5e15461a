"""Every error has a code, a status, and a form that callers can see."""

from typing import Any

import pytest

from yieldwire import errors
from yieldwire.errors import (
    ActionError,
    ErrorObject,
    Forbidden,
    InternalError,
    KeyReused,
    MethodNotAllowed,
    MissingDependency,
    RateLimited,
    RunCancelled,
    RunInterrupted,
    RunTimedOut,
    Unauthorized,
    Unavailable,
    Unreachable,
    UsageError,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.errors.lookup import error_from


def tree(root: type[YieldwireError]) -> list[type[YieldwireError]]:
    return [root, *(error for child in root.__subclasses__() for error in tree(child))]


ERRORS = [error for error in tree(YieldwireError) if error.__module__ == errors.__name__]
FAMILIES = {"YieldwireError", "UsageError", "CallError", "RunError", "StoreError"}


def test_no_two_errors_of_callers_and_runs_share_a_code() -> None:
    told = [
        error
        for error in ERRORS
        if issubclass(error, (errors.CallError, errors.RunError))
        and error.__name__ not in FAMILIES | {"ActionError", "InternalError", "Unreachable"}
    ]

    codes = [error.code for error in told]

    assert sorted(codes) == sorted(set(codes))
    assert all(code == code.upper() for code in codes)


def test_every_error_has_an_http_status_of_an_error() -> None:
    assert {
        error.__name__: error.status for error in ERRORS if error.status not in range(400, 600)
    } == {}


@pytest.mark.parametrize(
    ("error", "code", "status", "retryable"),
    [
        (errors.ParseError("?"), "PARSE_ERROR", 400, False),
        (Unauthorized(), "UNAUTHORIZED", 401, False),
        (Forbidden(), "FORBIDDEN", 403, False),
        (errors.NotFound("?"), "NOT_FOUND", 404, False),
        (MethodNotAllowed("PUT", ["GET"]), "METHOD_NOT_ALLOWED", 405, False),
        (errors.NotAcceptable("?"), "NOT_ACCEPTABLE", 406, False),
        (errors.UpgradeRequired(has_arrived=False), "UPGRADE_REQUIRED", 426, False),
        (errors.RequestTimedOut("?"), "REQUEST_TIMEOUT", 408, True),
        (errors.Conflict("?"), "CONFLICT", 409, False),
        (errors.ForeignCursor(), "GONE", 410, False),
        (errors.RunEnded(), "RUN_ENDED", 410, False),
        (errors.AlreadyAnswered(), "ALREADY_ANSWERED", 409, False),
        (errors.InboxFull(), "INBOX_FULL", 429, False),
        (errors.PayloadTooLarge("?"), "PAYLOAD_TOO_LARGE", 413, False),
        (errors.UnsupportedMediaType("?"), "UNSUPPORTED_MEDIA_TYPE", 415, False),
        (KeyReused(), "KEY_REUSED", 422, False),
        (RateLimited("?"), "RATE_LIMITED", 429, True),
        (Unavailable(), "UNAVAILABLE", 503, True),
        (RunCancelled(), "CANCELLED", 409, False),
        (RunTimedOut(2.0), "TIMEOUT", 504, False),
        (RunInterrupted(), "INTERRUPTED", 500, True),
        (errors.LimitExceeded("?"), "LIMIT_EXCEEDED", 500, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_error_tells_its_code_status_and_whether_to_try_again(
    error: YieldwireError,
    code: str,
    status: int,
    retryable: bool,  # noqa: FBT001 - a row of the table
) -> None:
    told = error.error_object("r1")

    assert (told.code, told.status, told.retryable, told.run_id) == (code, status, retryable, "r1")
    assert told.message == str(error) != ""


def test_an_actions_own_error_reaches_the_caller_with_all_that_it_says() -> None:
    error = ActionError(
        "OUT_OF_CREDIT", "Your credit is used up.", status=402, retryable=True, data={"left": 0}
    )

    told = error.error_object("r1").to_dict()

    assert told == {
        "code": "OUT_OF_CREDIT",
        "message": "Your credit is used up.",
        "statusCode": 402,
        "retryable": True,
        "fieldErrors": None,
        "data": {"left": 0},
        "runId": "r1",
        "errorId": None,
    }


def test_a_validation_error_tells_its_fields() -> None:
    told = ValidationFailed({"n": ["too small"]}).error_object().to_dict()

    assert told["fieldErrors"] == {"n": ["too small"]}
    assert told["statusCode"] == 422


def test_an_internal_error_tells_nothing_but_its_id() -> None:
    told = InternalError("e1").error_object("r1")

    assert (told.code, told.error_id, told.run_id) == ("INTERNAL_ERROR", "e1", "r1")
    assert told.message == "Something went wrong on the server."


def test_a_cancelled_run_tells_why() -> None:
    assert RunCancelled("unattended").error_object().data == {"reason": "unattended"}


def test_an_error_object_survives_its_json_form() -> None:
    told = ErrorObject(
        code="X",
        message="m",
        status=418,
        retryable=True,
        field_errors={"_root": ["?"]},
        data=[1],
        run_id="r1",
        error_id="e1",
    )

    assert ErrorObject.from_dict(told.to_dict()) == told


def test_an_error_object_of_another_make_takes_defaults() -> None:
    told = ErrorObject.from_dict({"code": "X"})

    assert told == ErrorObject(code="X", message="", status=500)


@pytest.mark.parametrize("odd", [None, "teapot", 1.5, [1], {"en": "m"}, True])
@pytest.mark.parametrize("name", ["code", "message", "statusCode", "retryable", "fieldErrors"])
def test_a_member_of_another_type_takes_its_default(name: str, odd: object) -> None:
    told = ErrorObject(code="X", message="m").to_dict()
    error = ErrorObject.from_dict({**told, name: odd, "hint": "of a later version"})

    assert isinstance(error.code, str)
    assert isinstance(error.message, str)
    assert type(error.status) is int
    assert type(error.retryable) is bool
    assert error.field_errors in (None, {})


@pytest.mark.parametrize("odd", [None, "text", [1], 3])
def test_an_error_that_is_not_an_object_is_still_an_error(odd: object) -> None:
    assert ErrorObject.from_dict(odd) == ErrorObject(code="INTERNAL_ERROR", message="")


def test_messages_by_field_are_texts() -> None:
    told = {"a": ["x", {"m": 1}], "b": {"x": 1}, "c": "text", "d": []}

    assert ErrorObject.from_dict({"fieldErrors": told}).field_errors == {"a": ["x"], "d": []}


def test_a_client_raises_what_the_server_told() -> None:
    told = ErrorObject(
        code="X",
        message="m",
        status=422,
        field_errors={"n": ["?"]},
        data=1,
        run_id="r1",
        error_id="e1",
    )

    error = error_from(told)

    assert type(error) is ActionError

    assert error.error_object("r1") == told
    assert (error.run_id, error.error_id, str(error)) == ("r1", "e1", "m")


def test_a_server_that_does_not_answer_can_be_asked_again() -> None:
    error = Unreachable("No answer.", run_id="r1")

    assert (error.code, error.status, error.retryable) == ("UNREACHABLE", 503, True)
    assert error.run_id == "r1"


def test_a_missing_dependency_prints_its_pip_line_and_is_an_import_error() -> None:
    error = MissingDependency("limits", "limits", "RateLimit")

    assert isinstance(error, ImportError)
    assert isinstance(error, UsageError)
    assert "pip install 'yieldwire[limits]'" in str(error)


def test_what_asks_for_patience_says_for_how_long() -> None:
    assert RateLimited("?", retry_after=7).retry_after == 7
    assert Unavailable(retry_after=3).retry_after == 3
    assert RunTimedOut(1.5).timeout == 1.5


class OutOfCredit(ActionError):
    code = "OUT_OF_CREDIT"
    status = 402
    retryable = True

    def __init__(self, **facts: Any) -> None:  # noqa: ANN401 - as the base takes them
        super().__init__(self.code, "Your credit is used up.", **facts)


def test_an_error_of_ones_own_kind_has_what_its_class_says() -> None:
    told = OutOfCredit().error_object()

    assert (told.code, told.status, told.retryable) == ("OUT_OF_CREDIT", 402, True)


def test_what_is_said_of_one_error_counts_more_than_its_class() -> None:
    told = OutOfCredit(status=409, retryable=False).error_object()

    assert (told.status, told.retryable) == (409, False)


def test_an_invalid_input_names_its_fields_and_its_message_is_the_same_for_all() -> None:
    error = ValidationFailed({"to": ["Field required"], "_root": ["too much", "too odd"]})

    assert str(error) == (
        "The input is not valid. to: Field required; the input: too much, too odd"
    )
    assert error.error_object().message == "The input is not valid."
    assert str(ValidationFailed({})) == "The input is not valid."
