import pytest
from pydantic_core import to_json

from yieldwire.cli.record import duration, log_line, record_lines
from yieldwire.errors import Json
from yieldwire.log.events import Event, EventType

URL = "http://127.0.0.1:8000/api"
AT = "2026-01-02T03:04:05.{}+00:00"


def snapshot(**members: Json) -> dict[str, Json]:
    return {
        "id": "r1",
        "action": "count",
        "parent": None,
        "status": "running",
        "labels": [],
        "attempt": 1,
        "seq": 7,
        "firstSeq": 1,
        "createdAt": AT.format("000"),
        "startedAt": AT.format("250"),
        "endedAt": None,
        "progress": None,
        "result": None,
        "error": None,
        "questions": [],
        "cancelRequested": False,
        "detached": True,
        "waiting": None,
        **members,
    }


def shown(**members: Json) -> list[str]:
    return list(record_lines(snapshot(**members), URL))


def test_a_record_says_when_each_thing_was_and_how_long_it_took() -> None:
    ended = "2026-01-02T03:05:10.250+00:00"

    assert shown(status="completed", endedAt=ended, result={"n": 1}) == [
        "run       r1",
        "action    count",
        "status    completed",
        "created   2026-01-02 03:04:05.000 UTC",
        "started   2026-01-02 03:04:05.250 UTC, after 0.25s",
        "ended     2026-01-02 03:05:10.250 UTC, after 1m05s",
        "events    7",
        "result    {",
        '            "n": 1',
        "          }",
    ]


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"attempt": 2, "cancelRequested": True}, "status    running, attempt 2, asked to stop"),
        ({"detached": False}, "status    running, stops without readers"),
        (
            {
                "status": "pending",
                "waiting": {"before": 0, "expectedMs": None, "notBefore": None},
            },
            "status    pending, Next in line",
        ),
        ({"labels": ["a", "b"]}, "labels    a, b"),
        ({"parent": "r0"}, "parent    r0"),
        ({"firstSeq": 4}, "events    7, of which 3 were trimmed"),
        (
            {"progress": {"type": "progress", "current": 1, "total": 4, "percent": 25}},
            "progress  25 %, 1 of 4",
        ),
        ({"input": {}}, "input     {}"),
        ({"status": "completed", "result": "two\nlines"}, "          lines"),
        (
            {"status": "failed", "error": {"code": "NO_STOCK", "message": "Sold out."}},
            "error     NO_STOCK: Sold out.",
        ),
    ],
)
def test_a_record_tells_what_there_is_to_tell(members: dict[str, Json], line: str) -> None:
    assert line in shown(**members)


def test_an_open_question_comes_with_the_command_that_answers_it() -> None:
    question = {"id": "1", "prompt": "Sure?", "name": "bool", "schema": {"type": "boolean"}}

    assert shown(questions=[question])[-2:] == [
        "Question 1: Sure?",
        f"  yieldwire answer {URL} r1 1 yes",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.00s"),
        (0.256, "0.26s"),
        (9.996, "10.0s"),
        (59.96, "1m00s"),
        (3599.6, "1h00m"),
        (11_520.0, "3h12m"),
        (200_000.0, "2d07h"),
    ],
)
def test_a_duration_is_told_in_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("chunk", {"type": "text", "text": "a\nb"}, '{"type":"text","text":"a\\nb"}'),
        ("question", {"id": "1", "prompt": "Sure,\nreally?"}, "Question 1: Sure, really?"),
        ("answer", {"id": "1", "value": True, "by": "ada"}, "Question 1 was answered by ada: true"),
        ("restarted", {"attempt": 2}, '{"attempt":2}'),
        ("done", {"result": [1]}, "[1]"),
        ("error", {"code": "NO_STOCK", "message": "Sold out."}, "NO_STOCK: Sold out."),
    ],
)
def test_each_event_is_one_line_with_its_time(kind: str, value: object, said: str) -> None:
    event = Event(3, EventType(kind), to_json(value), 1_767_323_045.25)

    assert log_line(event) == f"2026-01-02T03:04:05.250Z      3  {kind:<9}  {said}"


def test_an_event_without_a_time_has_a_dash() -> None:
    assert log_line(Event(1, EventType.CHUNK, b"1")).split() == ["-", "1", "chunk", "1"]
