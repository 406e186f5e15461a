"""A run as A2A tells it, event by event."""

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from tests.dialects.test_agent_contract import RUN
from yieldwire.dialects import a2astream
from yieldwire.dialects.a2astream import A2AEncoder, A2AWhole
from yieldwire.dialects.translation import Translation
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status

TEXT = b'{"type":"text","text":"%b"}'
QUESTION = b'{"id":"1","prompt":"Which?","name":"int","schema":{}}'


def encoder(seq: int = 0, *answered: str, whole: bool = False) -> A2AEncoder:
    run = RunRecord(RUN, "talk", "", status=Status.RUNNING, seq=seq, labels=("x", "a2a:c"))
    return (A2AWhole if whole else A2AEncoder)(run, to_json, answered)


def log(*events: Any) -> list[Block]:  # noqa: ANN401 - chunks, or types with their data
    return [
        Block.of_event(RUN, seq, EventType(each[0]), each[1])
        if isinstance(each, tuple)
        else Block.of_chunks(RUN, seq, [each])
        for seq, each in enumerate(events, 1)
    ]


def told(to: A2AEncoder, blocks: list[Block], after: int = 0) -> list[Any]:
    translation = Translation(to, after=after)
    frames = translation.opening(Cursor(RUN, 0), b"")
    frames += b"".join(map(translation.encode, blocks))
    return [from_json(frame.removeprefix(b"data: ")) for frame in frames.split(b"\n\n")[:-1]]


def test_a_task_has_its_context_and_its_output_in_order() -> None:
    one = encoder()

    told(one, log(TEXT % b"a", b"[1]", TEXT % b"b", TEXT % b"c", ("done", b'{"result":"d"}')))

    task = one.task()
    assert (task["id"], task["contextId"]) == (RUN, "c")
    assert task["artifacts"] == [
        {"artifactId": "output", "parts": [{"text": "a"}, {"data": [1]}, {"text": "bc"}]},
        {"artifactId": "result", "parts": [{"text": "d"}]},
    ]


def test_progress_is_a_status_with_the_numbers() -> None:
    bare = b'{"type":"progress","current":1}'
    full = b'{"type":"progress","current":1,"total":3,"percent":33.3,"message":"read"}'

    first, second = told(encoder(), log(bare, full))

    texts = [each["statusUpdate"]["status"]["message"]["parts"] for each in (first, second)]
    assert texts == [[{"text": ""}], [{"text": "33.3 % read"}]]
    metadata = second["statusUpdate"]["status"]["message"]["metadata"]
    assert metadata["yieldwire/progress"]["total"] == 3


@pytest.mark.parametrize(("keep", "parts"), [(0, [{"text": ""}]), (1, [{"text": "a"}])])
def test_a_restart_replaces_the_output_with_what_counts(keep: int, parts: Any) -> None:  # noqa: ANN401 - JSON
    one = encoder()
    restarted = ("restarted", b'{"keep":%d}' % keep)

    *_, replaced, more = told(one, log(TEXT % b"a", TEXT % b"b", restarted, TEXT % b"c"))

    assert replaced["artifactUpdate"]["artifact"]["parts"] == parts
    assert (replaced["artifactUpdate"]["append"], more["artifactUpdate"]["append"]) == (False, True)
    assert one.task()["artifacts"][0]["parts"] == [{"text": parts[0]["text"] + "c"}]


def test_a_task_is_bounded_and_a_stream_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a2astream, "MOST_BYTES", 40)
    one = encoder()

    updates = told(one, log(TEXT % b"a", TEXT % b"b"))

    assert len(updates) == 2
    output = one.task()["artifacts"][0]
    assert output["parts"] == [{"text": "a"}]
    assert output["metadata"] == {"yieldwire/truncated": True}


@pytest.mark.parametrize(("keep", "text"), [(0, "c"), (1, "ac"), (2, "a")])
def test_a_task_is_whole_again_after_a_restart_of_what_was_too_much(
    monkeypatch: pytest.MonkeyPatch, keep: int, text: str
) -> None:
    monkeypatch.setattr(a2astream, "MOST_BYTES", 60)
    one, restarted = encoder(), ("restarted", b'{"keep":%d}' % keep)

    told(one, log(TEXT % b"a", TEXT % (30 * b"b"), restarted, TEXT % b"c"))

    output = one.task()["artifacts"][0]
    assert output["parts"] == [{"text": text}]
    assert ("metadata" in output) == (keep == 2)


def test_a_question_ends_a_stream_that_has_not_seen_it() -> None:
    blocks = log(("question", QUESTION), TEXT % b"later")

    new, seen = told(encoder(), blocks), told(encoder(1), blocks, after=1)

    assert [each["statusUpdate"]["status"]["state"] for each in new] == [
        "TASK_STATE_INPUT_REQUIRED"
    ]
    assert [next(iter(each)) for each in seen] == ["artifactUpdate"]


def test_a_question_that_is_answered_just_now_is_not_asked_again() -> None:
    one = encoder(1, "1")

    told(one, log(("question", QUESTION)))

    assert one.task()["status"]["state"] == "TASK_STATE_WORKING"


def test_an_answer_leads_to_the_next_question_or_to_work() -> None:
    other = QUESTION.replace(b'"1"', b'"2"')
    answers = [("answer", b'{"id":"1"}'), ("answer", b'{"id":"2"}')]

    told_ = told(encoder(2), log(("question", QUESTION), ("question", other), *answers), after=2)

    states = [each["statusUpdate"]["status"]["state"] for each in told_]
    assert states == ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_WORKING"]


def test_a_whole_answer_is_one_task_at_its_end() -> None:
    one = encoder(whole=True)
    translation = Translation(one)
    blocks = log(TEXT % b"a", ("cancelled", b'{"code":"CANCELLED","message":"Stopped."}'))

    body = translation.opening(Cursor(RUN, 0), b"") + translation.keepalive()
    body += b"".join(map(translation.encode, blocks))

    task = from_json(body)["task"]
    assert task["status"]["state"] == "TASK_STATE_CANCELED"
    assert task["status"]["message"]["parts"] == [{"text": "Stopped."}]


def test_a_failed_task_says_why() -> None:
    error = b'{"code":"FULL","message":"It is full.","errorId":"e"}'

    (failed,) = told(encoder(), log(("error", error)))

    message = failed["statusUpdate"]["status"]["message"]
    assert message["parts"] == [{"text": "It is full."}]
    assert message["metadata"] == {"yieldwire/error": {"code": "FULL", "errorId": "e"}}


@pytest.mark.parametrize("odd", [b'"x"', b"true", b"[1]", b"-1", b"1" + 400 * b"0"])
def test_progress_of_any_form_is_a_status(odd: bytes) -> None:
    (update,) = told(encoder(), log(b'{"type":"progress","percent":%b,"message":%b}' % (odd, odd)))

    assert update["statusUpdate"]["status"]["state"] == "TASK_STATE_WORKING"
