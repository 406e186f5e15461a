"""Questions and messages: what a client sends, and what becomes of a lost answer."""

import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.client.script import OPENING, UNHEARD, chunk, end, json, refusal, serve, stream
from yieldwire.client import AsyncClient
from yieldwire.errors import (
    AlreadyAnswered,
    InboxFull,
    Json,
    NotFound,
    RunEnded,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.log.events import EventType

QUESTION = {"id": "1", "prompt": "Publish this?", "name": "bool", "schema": {"type": "boolean"}}
ACCEPTED = {"runId": "r1", "question": "1", "number": 1}


class Decision(BaseModel):
    approved: bool
    at: dt.date = dt.date(2026, 1, 2)


def answering(client: AsyncClient) -> Awaitable[Json]:
    return client.answer("r1", "1", True)


def sending(client: AsyncClient) -> Awaitable[Json]:
    return client.send("r1", {"text": "More green"})


async def test_an_answer_goes_to_its_question() -> None:
    async with serve(json(ACCEPTED)) as (client, server):
        assert await client.answer("r1", "a/b", {"approved": True}) == ACCEPTED

    (seen,) = server.requests
    assert (seen.method, seen.path) == ("POST", "runs/r1/questions/a/b")
    assert (seen.headers["content-type"], seen.body) == ("application/json", b'{"approved":true}')


async def test_a_message_goes_to_the_inbox_of_its_run() -> None:
    async with serve(json({"runId": "r1", "number": 7})) as (client, server):
        assert (await client.send("r1", "left"))["number"] == 7

    (seen,) = server.requests
    assert (seen.method, seen.path, seen.body) == ("POST", "runs/r1/inbox", b'"left"')


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (False, b"false"),
        (None, b"null"),
        ([1, 2], b"[1,2]"),
        (Decision(approved=True), b'{"approved":true,"at":"2026-01-02"}'),
    ],
)
async def test_any_value_can_be_an_answer(value: object, body: bytes) -> None:
    async with serve(json(ACCEPTED)) as (client, server):
        await client.answer("r1", "1", value)

    assert server.requests[0].body == body


@pytest.mark.parametrize(("nested", "place"), [(True, "/photo"), (False, "")])
async def test_a_file_is_sent_next_to_its_answer(
    tmp_path: Path, *, nested: bool, place: str
) -> None:
    photo = tmp_path / "damage.jpg"
    photo.write_bytes(b"JPEG")

    async with serve(UNHEARD, json(ACCEPTED)) as (client, server):
        await client.answer("r1", "1", {"photo": photo} if nested else photo)

    lost, sent = [seen.body for seen in server.requests]
    assert lost == sent
    assert f'"files":["{place}"]'.encode() in sent
    assert b'name="0"; filename="damage.jpg"\r\nContent-Type: image/jpeg\r\n\r\nJPEG' in sent


@pytest.mark.parametrize("say", [answering, sending])
async def test_after_a_lost_answer_the_same_message_is_sent_again(
    say: Callable[[AsyncClient], Awaitable[Json]],
) -> None:
    lost = [UNHEARD, json("a proxy"), refusal(503, "UNAVAILABLE")]
    async with serve(*lost, json(ACCEPTED), json(ACCEPTED)) as (client, server):
        await say(client)
        await say(client)

    first, *repeated, second = [
        (seen.headers["idempotency-key"], seen.path, seen.body) for seen in server.requests
    ]
    assert repeated == [first] * 3
    assert (second[0] != first[0], second[1:] == first[1:]) == (True, True)


@pytest.mark.parametrize("say", [answering, sending])
@pytest.mark.parametrize("kind", [AlreadyAnswered, RunEnded, ValidationFailed, InboxFull, NotFound])
async def test_a_refusal_is_raised_at_once_as_its_class(
    say: Callable[[AsyncClient], Awaitable[Json]], kind: type[YieldwireError]
) -> None:
    async with serve(refusal(kind.status, kind.code)) as (client, server):
        with pytest.raises(kind, match=r"No\."):
            await say(client)

    assert server.waits == []


async def test_a_refusal_says_who_was_first() -> None:
    data = {"by": "ada", "at": "2026-01-02T03:04:05.000+00:00"}
    error = {"code": "ALREADY_ANSWERED", "message": "Late.", "statusCode": 409, "data": data}
    async with serve(json({"error": error}, status=409)) as (client, _):
        with pytest.raises(AlreadyAnswered, match=r"Late\.") as caught:
            await client.answer("r1", "1", True)

    assert caught.value.data == data


async def test_the_open_questions_of_a_run_are_known() -> None:
    snapshot = {"id": "r1", "status": "running", "questions": [QUESTION]}
    async with serve(json(snapshot)) as (client, _):
        assert await client.attach("r1").questions() == [QUESTION]


async def test_a_question_is_answered_while_the_run_is_read() -> None:
    answer = {"id": "1", "value": True, "by": None}
    answers = [
        stream(OPENING, chunk(1, "a"), end(2, "question", QUESTION)),
        json(ACCEPTED),
        stream(end(3, "answer", answer), chunk(4, "b"), end(5)),
    ]
    async with serve(*answers) as (client, server):
        run = await client.start("publish")
        read = []
        async for event in run.events():
            read.append(event.type)
            if event.type is EventType.QUESTION:
                await run.answer(event.value["id"], True)

    assert read == [
        EventType.CHUNK,
        EventType.QUESTION,
        EventType.ANSWER,
        EventType.CHUNK,
        EventType.DONE,
    ]
    assert server.requests[1].body == b"true"


async def test_a_reader_of_chunks_passes_over_questions() -> None:
    pieces = [end(1, "question", QUESTION), end(2, "answer", {"id": "1"}), chunk(3, "a"), end(4)]
    async with serve(stream(OPENING, *pieces)) as (client, _):
        assert [value async for value in client.stream("publish")] == ["a"]
