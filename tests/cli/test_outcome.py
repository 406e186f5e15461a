import pytest

from yieldwire.cli.outcome import Outcome, lines_of
from yieldwire.errors import (
    ActionError,
    ErrorObject,
    MissingDependency,
    ProtocolError,
    RunCancelled,
    StoreError,
    Unauthorized,
    Unreachable,
    UsageError,
    ValidationFailed,
    YieldwireError,
)


def of_run(error: ActionError) -> ActionError:
    error.run_id = "r1"
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValidationFailed({}), Outcome.REFUSED),
        (Unauthorized(), Outcome.REFUSED),
        (ActionError("NO", "No."), Outcome.REFUSED),
        (of_run(ActionError("NO", "No.")), Outcome.FAILED),
        (of_run(ActionError("CANCELLED", "Stopped.")), Outcome.CANCELLED),
        (RunCancelled(), Outcome.CANCELLED),
        (Unreachable("gone"), Outcome.UNREACHABLE),
        (ProtocolError("not ours"), Outcome.UNREACHABLE),
        (UsageError("no"), Outcome.USAGE),
        (StoreError("full"), Outcome.FAILED),
        (MissingDependency("uvicorn", "server", "x"), Outcome.USAGE),
    ],
)
def test_an_error_has_its_exit_code(error: YieldwireError, outcome: Outcome) -> None:
    assert Outcome.of_error(error) is outcome


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 0), ("failed", 1), ("cancelled", 130), ("running", 1)]
)
def test_a_status_has_its_exit_code(status: str, code: int) -> None:
    assert Outcome.of_status(status) == code


def test_an_error_is_told_with_its_fields_its_data_and_its_id() -> None:
    error = ErrorObject(
        code="BAD",
        message="Bad.",
        field_errors={"n": ["too small"], "_root": ["too much"]},
        data={"left": 0},
        error_id="e1",
    )

    assert lines_of(error) == [
        "BAD: Bad.",
        "  n: too small",
        "  the input: too much",
        '  {"left":0}',
        "  The server's log has the cause under e1.",
    ]


def test_how_to_sign_in_is_told() -> None:
    first, *advice = lines_of(Unauthorized().error_object())

    assert first == "UNAUTHORIZED: Sign in first."
    assert "--token TOKEN" in advice[0]
    assert "YIELDWIRE_TOKEN" in advice[0]
    assert "-H 'Cookie: session=...'" in advice[1]


def test_why_a_run_was_cancelled_is_not_told_as_data() -> None:
    assert lines_of(RunCancelled("requested").error_object()) == [
        "CANCELLED: The run was cancelled."
    ]


def test_what_development_shows_is_told_with_its_traceback() -> None:
    traceback = "Traceback (most recent call last):\n  File 'app.py', line 3\nKeyError: 'x'"
    error = ErrorObject(
        code="INTERNAL_ERROR",
        message="Something went wrong on the server.",
        error_id="e1",
        debug={"type": "KeyError", "message": "'x'", "traceback": traceback},
    )

    lines = lines_of(error)

    assert "  Shown in development only:" in lines
    assert "  KeyError: 'x'" in lines
    assert lines[-1] == "  The server's log has the cause under e1."
