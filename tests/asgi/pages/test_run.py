from typing import Any

import pytest

from tests.support.elements import Elements
from yieldwire.asgi.pages.link import Links
from yieldwire.asgi.pages.run import STATUSES, RunView
from yieldwire.asgi.pages.value import MOST_CHARACTERS
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.run import Status

PARTS = {
    "trouble",
    "waiting",
    "how-far",
    "error",
    "cut",
    "text",
    "output",
    "result",
    "trace",
    "duration",
}


def view(status: str = "running", **told: Json) -> RunView:
    snapshot: dict[str, Any] = {
        "id": "r1",
        "action": "pay_fee",
        "status": status,
        "seq": 3,
        "startedAt": "2027-03-01T12:00:00.000+00:00",
        "endedAt": None,
        "progress": None,
        "text": None,
        "result": None,
        "error": None,
        "questions": [],
        "cancelRequested": False,
        "waiting": None,
    }
    return RunView(snapshot=snapshot | told, base="/api", links=Links(back="/form", next="/on"))


def error(code: str, **told: Any) -> Json:  # noqa: ANN401 - of the error
    return ErrorObject(code=code, message="No.", **told).to_dict()


def hidden(view: RunView) -> dict[str, bool]:
    """Return for each part of the page whether it is hidden."""
    every = (dict(attributes) for _, attributes in Elements(view.content().body).elements)
    return {str(each["data-role"]): "hidden" in each for each in every if "data-role" in each}


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_word_and_a_page_with_every_part(status: Status) -> None:
    content = view(status).content()

    assert content.title == f"Pay fee: {STATUSES[status]}"
    assert hidden(view(status)).keys() >= {*PARTS, "status", "foot"}
    assert ("refresh" in content.head) is not status.is_terminal
    assert ('data-role="stop"' in content.body) is not status.is_terminal


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({}, set()),
        ({"text": "a"}, {"text"}),
        ({"text": "a" * (MOST_CHARACTERS + 1)}, {"text", "cut"}),
        ({"result": 0}, {"result"}),
        ({"progress": {"current": 1}}, {"how-far"}),
        ({"waiting": {"before": 3, "expectedMs": None, "notBefore": None}}, {"waiting"}),
        ({"waiting": {"before": None, "expectedMs": None, "notBefore": None}}, set()),
        ({"endedAt": "2027-03-01T12:00:01.500+00:00"}, {"duration"}),
        ({"error": error("X")}, {"error"}),
        (
            {"error": error("X", debug={"type": "", "message": "", "traceback": "T"})},
            {"error", "trace"},
        ),
    ],
)
def test_a_part_is_shown_if_it_has_something(told: dict[str, Json], shown: set[str]) -> None:
    parts = hidden(view("completed", **told))

    assert {role for role in PARTS if not parts[role]} == shown


@pytest.mark.parametrize(
    ("code", "status"), [("CANCELLED", Status.CANCELLED), ("TIMEOUT", Status.FAILED)]
)
def test_a_log_that_has_ended_counts_before_the_record_says_so(code: str, status: Status) -> None:
    assert view(error=error(code)).status is status


@pytest.mark.parametrize(
    ("ended", "took"),
    [
        ("12:00:00.000", "Took 0.0 s"),
        ("12:00:01.550", "Took 1.6 s"),
        ("12:01:05.000", "Took 1 min 5 s"),
        ("12:01:59.900", "Took 2 min 0 s"),
        ("13:30:10.000", "Took 1 h 30 min"),
        ("11:59:59.000", "Took 0.0 s"),
    ],
)
def test_an_ended_run_says_how_long_it_took(ended: str, took: str) -> None:
    body = view("completed", endedAt=f"2027-03-01T{ended}+00:00").content().body

    assert took in Elements(body).text


def test_a_run_that_was_asked_to_stop_says_that_it_is_stopping() -> None:
    assert "<button>Stop</button>" in view().content().body
    assert "<button>Stopping…</button>" in view(cancelRequested=True).content().body


def test_an_error_that_can_pass_says_that_it_is_worth_another_try() -> None:
    body = view("failed", error=error("INTERRUPTED", retryable=True)).content().body

    assert "You can send it again." in body


@pytest.mark.parametrize(
    ("progress", "percent", "is_known"),
    [
        ({"current": 1, "total": 3}, "33%", True),
        ({"current": 7, "total": 3}, "100%", True),
        ({"current": -1, "total": 3}, "0%", True),
        ({"current": 1, "total": 0}, "", False),
        ({"current": 1, "total": None}, "", False),
        ({"current": 1e308, "total": 1e-308}, "100%", True),
        ({"current": 10**400, "total": 1}, "", False),
    ],
)
def test_progress_has_a_share_if_its_total_is_known(
    progress: Json,
    percent: str,
    is_known: bool,  # noqa: FBT001 - a case of the test
) -> None:
    read = Elements(view(progress=progress).content().body)

    assert percent in read.text
    assert ("value" in read.named("progress")[0]) is is_known
