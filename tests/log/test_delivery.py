"""What a webhook is told about a run."""

from pydantic_core import from_json, to_json

from yieldwire.errors import ErrorObject, Json
from yieldwire.log.delivery import MAX_DATA_BYTES, deliveries_of, is_told
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status

RUN = RunRecord(
    id="r1",
    action="report",
    quota_key="owner:ada",
    owner="ada",
    labels=("nightly",),
    webhooks=("https://a.example/hook",),
    status=Status.COMPLETED,
    attempt=1,
    seq=3,
    created_at=1_750_000_000.0,
    started_at=1_750_000_001.0,
    ended_at=1_750_000_002.5,
)


def told(block: Block, run: RunRecord = RUN) -> Json:
    (delivery,) = deliveries_of(run, block)
    return from_json(delivery.body)


def test_a_completed_run_is_told_with_its_result() -> None:
    chunks = Block.of_chunks("r1", 2, [b'"a"'])

    payload = told(chunks.ended(EventType.DONE, b'{"result":{"pages":3}}'))

    assert payload == {
        "type": "run.ended",
        "timestamp": "2025-06-15T15:06:42.500+00:00",
        "data": {
            "id": "r1",
            "action": "report",
            "parent": None,
            "status": "completed",
            "labels": ["nightly"],
            "attempt": 1,
            "seq": 3,
            "createdAt": "2025-06-15T15:06:40.000+00:00",
            "startedAt": "2025-06-15T15:06:41.000+00:00",
            "endedAt": "2025-06-15T15:06:42.500+00:00",
            "result": {"pages": 3},
            "error": None,
            "truncated": False,
        },
    }


def test_the_id_of_a_message_is_that_of_its_event_and_has_no_full_stop() -> None:
    (delivery,) = deliveries_of(RUN, Block.of_event("r1", 3, EventType.DONE, b'{"result":null}'))

    assert delivery.id == "r1_3"


def test_a_failed_run_is_told_with_its_error_but_without_details_for_development() -> None:
    debug = {"type": "KeyError", "message": "secret", "traceback": "secret"}
    error = {
        **ErrorObject(code="NO_SUCH_ROW", message="There is no row 5.").to_dict(),
        "debug": debug,
    }
    block = Block.of_event("r1", 3, EventType.ERROR, to_json(error))

    data = told(block, RUN.changed(status=Status.FAILED))["data"]

    assert (data["status"], data["result"], data["truncated"]) == ("failed", None, False)
    assert data["error"]["code"] == "NO_SUCH_ROW"
    assert "debug" not in data["error"]


def test_a_large_result_is_left_out() -> None:
    ending = b'{"result":"%b"}' % (b"x" * MAX_DATA_BYTES)

    data = told(Block.of_event("r1", 3, EventType.DONE, ending))["data"]

    assert (data["result"], data["error"], data["truncated"]) == (None, None, True)


def test_a_large_error_keeps_its_code_and_the_beginning_of_its_message() -> None:
    error = ErrorObject(code="BAD", message="m" * 5_000, data="x" * MAX_DATA_BYTES, run_id="r1")
    block = Block.of_event("r1", 3, EventType.ERROR, to_json(error.to_dict()))

    data = told(block, RUN.changed(status=Status.FAILED))["data"]

    assert data["truncated"]
    assert (data["error"]["code"], data["error"]["message"]) == ("BAD", "m" * 1_000)
    assert (data["error"]["data"], data["error"]["runId"]) == (None, "r1")


def test_blocks_that_end_nothing_are_told_to_nobody() -> None:
    chunk, end = Block.of_chunks("r1", 1, [b"1"]), Block.of_event("r1", 3, EventType.DONE, b"{}")

    assert [*deliveries_of(RUN, None)] == []
    assert [*deliveries_of(RUN, chunk)] == []
    assert [*deliveries_of(RUN.changed(webhooks=()), end)] == []


def test_a_block_tells_whether_there_is_something_to_tell() -> None:
    chunk = Block.of_chunks("r1", 1, [b'"!question "'])
    question = Block.of_event("r1", 2, EventType.QUESTION, b'{"id":"1"}')
    answer = Block.of_event("r1", 2, EventType.ANSWER, b'{"id":"1"}')

    assert [is_told(each) for each in (chunk, answer, Block.join([chunk, answer]))] == [False] * 3
    assert [is_told(each) for each in (question, Block.join([chunk, question]))] == [True] * 2
    assert is_told(chunk.ended(EventType.DONE, b"{}"))


def test_each_question_is_told_to_each_url() -> None:
    chunk = Block.of_chunks("r1", 1, [b'"a"'], 1.0)
    asked = [
        Block.of_event("r1", seq, EventType.QUESTION, b'{"id":"%d","prompt":"Why?"}' % seq, 2.0)
        for seq in (2, 3)
    ]

    run = RUN.changed(question_webhooks=("https://a.example", "https://b.example"))

    told = deliveries_of(run, Block.join([chunk, *asked]))

    assert [(each.id, each.url) for each in told] == [
        ("r1_2", "https://a.example"),
        ("r1_2", "https://b.example"),
        ("r1_3", "https://a.example"),
        ("r1_3", "https://b.example"),
    ]
    assert {each.type for each in told} == {"run.question"}
    payload = from_json(told[0].body)
    assert payload["timestamp"] == "1970-01-01T00:00:02.000+00:00"
    assert (payload["data"]["id"], payload["data"]["seq"]) == ("r1", 2)
    assert payload["data"]["question"] == {"id": "2", "prompt": "Why?"}
    assert payload["data"]["truncated"] is False


def test_a_large_question_is_told_without_its_schema_and_its_details() -> None:
    question = {
        "id": "1",
        "prompt": "p" * 5_000,
        "name": "Decision",
        "schema": {"description": "x" * MAX_DATA_BYTES},
        "expiresAt": "2026-01-02T00:00:00.000+00:00",
    }
    block = Block.of_event("r1", 2, EventType.QUESTION, to_json(question))

    (delivery,) = deliveries_of(RUN.changed(question_webhooks=("https://a.example",)), block)

    data = from_json(delivery.body)["data"]
    assert data["truncated"]
    assert data["question"] == {
        "id": "1",
        "name": "Decision",
        "expiresAt": "2026-01-02T00:00:00.000+00:00",
        "prompt": "p" * 1_000,
    }
