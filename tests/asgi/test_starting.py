import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.runs import SOON
from tests.support.wire import Answer
from tests.support.world import (
    ALICE,
    NDJSON,
    PAGE,
    SSE,
    TEXT,
    WHOLE,
    begun,
    ended,
    log_of,
    opened,
    world,
)
from yieldwire import Actions, Context, Forbidden, Text, Timing
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.stores import Query
from yieldwire.stores.sqlite import SQLiteStore

ASYNC = ("prefer", "respond-async")


def key(text: str) -> tuple[str, str]:
    return ("idempotency-key", text)


async def runs_of(site: Actions) -> list[str]:
    return [run["id"] for run in (await send(site, get("/runs", ALICE))).json()["runs"]]


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["error"]["code"]


# What the answer looks like.


async def test_a_streaming_action_answers_with_server_sent_events(site: Actions) -> None:
    answer = await send(site, post("/say", {"times": 2}, ALICE))

    run_id = answer.headers["run-id"]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["location"] == f"/runs/{run_id}"
    opening, *frames = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert opening.startswith(f'id: {run_id}.0\nevent: run\ndata: {{"id":"{run_id}","status":"')
    assert frames == [
        f'id: {run_id}.1\ndata: {{"type":"text","text":"hello"}}',
        f'id: {run_id}.2\ndata: {{"type":"text","text":"hello"}}',
        f"id: {run_id}.3\nevent: done\ndata: {{}}",
    ]


async def test_an_action_that_does_not_stream_answers_with_json(site: Actions) -> None:
    answer = await send(site, post("/add", {"a": 1, "b": 2}, ALICE))

    assert answer.json() == {
        "runId": answer.headers["run-id"],
        "status": "completed",
        "result": 3,
        "error": None,
    }


async def test_an_action_that_does_not_stream_can_be_streamed(site: Actions) -> None:
    answer = await send(site, post("/add", {"a": 1, "b": 2}, [*ALICE, NDJSON]))

    assert from_json(answer.body) == {"seq": 1, "type": "done", "data": {"result": 3}}


async def test_the_events_come_with_the_json_if_asked(site: Actions) -> None:
    answer = await send(site, post("/say?events=true", {"text": "x"}, [*ALICE, WHOLE]))

    assert answer.json()["events"] == [
        {"seq": 1, "type": "chunk", "data": {"type": "text", "text": "x"}},
        {"seq": 2, "type": "done", "data": {}},
    ]


async def test_a_short_run_in_a_file_is_answered_without_a_reader(tmp_path: Path) -> None:
    site = world(store=SQLiteStore(tmp_path / "runs.db"))
    readers = list[int]()

    @site.action
    async def count() -> AsyncIterator[int]:
        readers.append(len(site.site.sign_outs.readers))
        yield 1

    async with opened(site):
        answer = await send(site, post("/count", {}, ALICE))

    assert answer.body.endswith(b"event: done\ndata: {}\n\n")
    assert readers == [0]


@pytest.mark.parametrize("head_wait", [0.0, 0.02, SOON])
async def test_a_run_in_a_file_that_takes_longer_is_streamed(
    tmp_path: Path, head_wait: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yieldwire.asgi.site.LOOK_SECONDS", 0.01)
    timing = Timing(head_wait=head_wait, grace=0.0)
    site = world(store=SQLiteStore(tmp_path / "runs.db"), timing=timing)

    @site.action
    async def count() -> AsyncIterator[int]:
        while not site.site.sign_outs.readers:  # noqa: ASYNC110 - a reader has no other sign
            await asyncio.sleep(0.001)
        yield 1
        await asyncio.sleep(0.001)
        yield 2

    async with opened(site), asyncio.timeout(SOON):
        answer = await send(site, post("/count", {}, ALICE))

    _, *data = (line for line in answer.body.split(b"\n") if line.startswith(b"data: "))
    assert data == [b"data: 1", b"data: 2", b"data: {}"]


async def flow(mb: int = 1) -> AsyncIterator[Text]:
    for _ in range(mb * 20):
        yield Text("x" * 50_000)
        await asyncio.sleep(0)


@pytest.mark.parametrize("query", ["", "&events=1"])
async def test_an_answer_that_waits_for_the_end_does_not_keep_the_log(query: str) -> None:
    site = world(request_limits=RequestLimits(answer_bytes=1_000_000))
    site.feed(keep=5)(flow)  # the store keeps little: what is held is the answer's

    async with opened(site):
        await send(site, get("/flow?mb=0", [*ALICE, WHOLE]))
        tracemalloc.start()
        try:
            await send(site, get(f"/flow?mb=30{query}", [*ALICE, WHOLE]))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 8_000_000


async def test_events_that_are_too_many_for_one_answer_are_to_be_streamed() -> None:
    site = world(request_limits=RequestLimits(answer_bytes=200_000))
    site.action(flow)

    async with opened(site):
        answer = await send(site, post("/flow?events=1", {}, [*ALICE, WHOLE]))
        run_id = answer.headers["run-id"]
        streamed = await send(site, get(f"/runs/{run_id}/events", [*ALICE, NDJSON]))
        again = await send(site, get(f"/runs/{run_id}", ALICE))

    assert code_of(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.json()["error"]["message"] == (
        "The run's events are over the 200000 bytes of one answer; "
        f"stream them from /runs/{run_id}/events."
    )
    assert answer.json()["error"]["runId"] == run_id
    assert len(streamed.body.splitlines()) == 21
    assert again.json()["status"] == "completed"


async def test_answers_that_wait_at_the_same_time_have_one_bound_together() -> None:
    site, may_end = world(request_limits=RequestLimits(answers_bytes=300_000)), asyncio.Event()

    async def act(size: int, *, waits: bool) -> AsyncIterator[Text]:
        for _ in range(size // 10_000):
            yield Text("x" * 10_000)
        if waits:
            await may_end.wait()

    def ask(size: int, *, waits: bool) -> Coroutine[Any, Any, Answer]:
        data = {"size": size, "waits": waits}
        return send(site, post("/act?events=1", data, [*ALICE, WHOLE]))

    site.action(act)
    async with opened(site), asyncio.timeout(SOON), asyncio.TaskGroup() as tasks:
        held = [tasks.create_task(ask(150_000, waits=True)) for _ in range(3)]
        while site.site.answers.left > 60_000:  # noqa: ASYNC110 - a number, which tells nobody
            await asyncio.sleep(0)
        refused, small = await ask(150_000, waits=False), await ask(40_000, waits=False)
        may_end.set()
        statuses = [(await answer).status for answer in held]
        run_id = refused.headers["run-id"]
        streamed = await send(site, get(f"/runs/{run_id}/events", [*ALICE, NDJSON]))
        again = await ask(150_000, waits=False)

    assert code_of(refused) == (413, "PAYLOAD_TOO_LARGE")
    assert "bytes that all answers can hold together" in refused.json()["error"]["message"]
    assert len(streamed.body.splitlines()) == 16
    assert [small.status, *statuses, again.status] == [200] * 5
    assert site.site.answers.left == 300_000


@pytest.mark.parametrize("action", ["send_tree", "sendTree"])
async def test_an_action_answers_to_both_of_its_names(site: Actions, action: str) -> None:
    answer = await send(site, post(f"/{action}", {"name": "x"}, [*ALICE, WHOLE]))

    assert answer.json()["result"] == "x"


async def test_a_browsers_own_post_is_sent_on_to_the_page_of_its_run(site: Actions) -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    call = Call(
        method="POST",
        target="/say",
        headers=[form, *ALICE, PAGE],
        body=[b"text=x"],
        root_path="/api/_actions",
    )

    answer = await send(site, call)

    assert answer.status == 303
    assert answer.headers["location"] == f"/api/_actions/runs/{answer.headers['run-id']}"


async def test_a_format_that_cannot_be_made_starts_nothing(site: Actions) -> None:
    answer = await send(site, post("/say", {}, [*ALICE, ("accept", "image/png")]))

    assert code_of(answer) == (406, "NOT_ACCEPTABLE")
    assert await runs_of(site) == []


# Errors before the stream.


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT, WHOLE])
async def test_an_error_before_the_first_event_is_a_status(
    site: Actions, accept: tuple[str, str]
) -> None:
    answer = await send(site, post("/fail", {"code": "OUT_OF_CREDIT"}, [*ALICE, accept]))

    assert (answer.status, answer.json()["error"]["code"]) == (402, "OUT_OF_CREDIT")
    assert answer.headers["run-id"].startswith("r")


async def test_an_error_behind_the_first_event_is_the_streams_last(site: Actions) -> None:
    answer = await send(site, post("/fail_late", {}, [*ALICE, NDJSON]))

    last = from_json(answer.body.splitlines()[-1])
    assert answer.status == 200
    assert (last["type"], last["data"]["code"]) == ("error", "INTERNAL_ERROR")


async def test_an_input_that_does_not_fit_is_told_by_field(site: Actions) -> None:
    answer = await send(site, post("/add", {"a": "x"}, ALICE))

    error = answer.json()["error"]
    assert code_of(answer) == (422, "VALIDATION_ERROR")
    assert sorted(error["fieldErrors"]) == ["a", "b"]
    assert await runs_of(site) == []


async def test_a_guard_refuses_with_a_status_before_the_body_is_read() -> None:
    async def refuse(ctx: Context) -> None:
        raise Forbidden("Not today.")

    async with opened(world(guards=[refuse])) as site:
        call = Call(method="POST", target="/say", headers=[NDJSON], body=[b"no json"], stalls=True)
        answer = await send(site, call)

    assert (answer.status, answer.json()["error"]["message"]) == (403, "Not today.")


async def test_a_server_that_stops_takes_no_new_runs() -> None:
    async with opened(world()) as site:
        site.drain()

        answer = await send(site, post("/say", {}))

    assert code_of(answer) == (503, "UNAVAILABLE")
    assert "retry-after" in answer.headers


# Waiting, and not waiting.


async def test_a_run_that_nobody_waits_for_is_answered_with_its_snapshot(site: Actions) -> None:
    answer = await send(site, post("/wait", {}, [*ALICE, ASYNC]))

    snapshot = answer.json()
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.headers["location"] == f"/runs/{snapshot['id']}"
    assert snapshot["detached"] is True


async def test_a_caller_who_does_not_wait_gets_the_run_however_short_it_is(site: Actions) -> None:
    answer = await send(site, post("/say", {}, [*ALICE, WHOLE, ("prefer", "wait=0")]))

    assert (answer.status, answer.json()["error"]) == (202, None)
    assert answer.json()["runId"] == answer.headers["run-id"]


async def test_a_json_answer_that_takes_too_long_is_202_with_where_to_ask(site: Actions) -> None:
    answer = await send(site, post("/wait", {}, [*ALICE, WHOLE, ("prefer", "wait=0.01")]))

    assert answer.status == 202
    assert answer.headers["location"] == f"/runs/{answer.json()['runId']}"
    assert answer.json()["status"] in {"pending", "running"}


async def test_a_json_answer_does_not_wait_any_longer_when_the_run_asks_a_question() -> None:
    actions = world()

    @actions.action(asks=bool)
    async def publish(ctx: Context) -> bool:
        return await ctx.ask(bool, "Publish this?")

    async with opened(actions) as site:
        call = post("/publish", {}, [*ALICE, WHOLE, key("k")])
        asked = await send(site, call)
        run_id = asked.headers["run-id"]
        run = await site.app.runs.get(run_id)
        await run.answer("1", value=True)
        await run.result()
        ended = await send(site, call)

    (question,) = asked.json()["questions"]
    assert (asked.status, asked.json()["status"]) == (202, "running")
    assert (question["id"], question["prompt"], question["name"]) == ("1", "Publish this?", "bool")
    assert ended.status == 200
    assert ended.json() == {"runId": run_id, "status": "completed", "result": True, "error": None}


async def test_a_head_waits_for_the_first_event_only_so_long() -> None:
    actions = world(timing=Timing(head_wait=0.01, grace=0.0))
    go = asyncio.Event()

    @actions.action
    async def ponder() -> AsyncIterator[Text]:
        await go.wait()
        yield Text("at last")

    async with opened(actions) as site, stream(site, post("/ponder", {})) as response:
        opening = await response.read()
        go.set()
        rest = await response.rest()

    assert b"event: run" in opening
    assert b"at last" not in opening
    assert b"at last" in rest


# Idempotency keys.


async def test_the_same_key_and_input_is_the_same_run(site: Actions) -> None:
    calls = [post("/say", {"text": "x"}, [*ALICE, accept, key("k")]) for accept in (WHOLE, SSE)]

    first, second = [await send(site, call) for call in calls]

    assert first.headers["run-id"] == second.headers["run-id"]
    assert len(await runs_of(site)) == 1


async def test_the_same_key_with_another_input_starts_nothing(site: Actions) -> None:
    await send(site, post("/say", {"text": "x"}, [*ALICE, key("k")]))

    answer = await send(site, post("/say", {"text": "y"}, [*ALICE, key("k")]))

    assert code_of(answer) == (422, "KEY_REUSED")
    assert len(await runs_of(site)) == 1


async def test_a_key_is_of_one_action(site: Actions) -> None:
    first = await send(site, post("/echo", {"value": 1}, [*ALICE, key("k")]))
    second = await send(site, post("/send_tree", {"name": "x"}, [*ALICE, key("k")]))

    assert first.headers["run-id"] != second.headers["run-id"]


@pytest.mark.parametrize("text", ["", "x" * 256, "\xe9"])
async def test_a_key_is_a_limited_number_of_ascii_characters(site: Actions, text: str) -> None:
    answer = await send(site, post("/say", {}, [*ALICE, key(text)]))

    assert code_of(answer) == (400, "PARSE_ERROR")


@pytest.mark.parametrize(("text", "status"), [("x" * 21, 400), ("x" * 22, 200)])
async def test_an_anonymous_key_is_one_that_nobody_else_has(
    site: Actions, text: str, status: int
) -> None:
    assert (await send(site, post("/say", {}, [key(text)]))).status == status


# Resuming by the request that began it.


@pytest.mark.parametrize("seq", [0, 1, 2])
async def test_a_post_with_a_cursor_continues_after_it(site: Actions, seq: int) -> None:
    run_id = await ended(site, value={"times": 2})
    headers = [*ALICE, NDJSON, ("last-event-id", f"{run_id}.{seq}")]

    answer = await send(site, post("/say", {"text": "another input"}, headers))

    seqs = [from_json(line)["seq"] for line in answer.body.splitlines()]
    assert answer.headers["run-id"] == run_id
    assert seqs == list(range(seq + 1, 4))
    assert await runs_of(site) == [run_id]


async def test_a_cursor_at_the_end_of_an_ended_run_is_204(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, post("/say", {}, [*ALICE, ("last-event-id", f"{run_id}.2")]))

    assert (answer.status, answer.body) == (204, b"")


async def test_a_resume_opens_with_the_seq_that_it_continues_from(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, post("/say", {}, [*ALICE, ("last-event-id", f"{run_id}.1")]))

    assert answer.body.startswith(f"id: {run_id}.1\nevent: run\n".encode())


async def test_an_empty_cursor_is_none(site: Actions) -> None:
    answer = await send(site, post("/say", {}, [*ALICE, ("last-event-id", "")]))

    assert answer.status == 200


async def test_a_resume_in_json_has_the_whole_outcome(site: Actions) -> None:
    run_id = await ended(site, "send_tree", {"name": "x"})
    headers = [*ALICE, WHOLE, ("last-event-id", f"{run_id}.1")]

    answer = await send(site, post("/send_tree", {}, headers))

    assert answer.json()["result"] == "x"


async def test_a_cursor_beyond_the_log_is_gone_in_json_too(site: Actions) -> None:
    run_id = await ended(site)
    headers = [*ALICE, WHOLE, ("last-event-id", f"{run_id}.9")]

    answer = await send(site, post("/say", {}, headers))

    assert code_of(answer) == (410, "GONE")


# Feeds.


async def test_a_feed_is_opened_by_a_get_with_its_input_in_the_query(site: Actions) -> None:
    answer = await send(site, get("/tick?times=3", [*ALICE, NDJSON]))

    assert [from_json(line)["data"] for line in answer.body.splitlines()] == [0, 1, 2, {}]


async def test_a_feed_is_resumed_by_the_query_of_its_first_connection(site: Actions) -> None:
    run_id = await ended_feed(site)

    answer = await send(site, get(f"/tick?times=2&lastEventId={run_id}.1", [*ALICE, NDJSON]))

    assert answer.headers["run-id"] == run_id
    assert [from_json(line)["seq"] for line in answer.body.splitlines()] == [2, 3]


async def ended_feed(site: Actions) -> str:
    return (await send(site, get("/tick?times=2", ALICE))).headers["run-id"]


async def test_a_feed_cannot_be_posted_and_an_action_not_be_got(site: Actions) -> None:
    posted, got = await send(site, post("/tick", {})), await send(site, get("/say"))

    assert (posted.status, posted.headers["allow"]) == (405, "GET, OPTIONS")
    assert (got.status, got.headers["allow"]) == (405, "POST, OPTIONS")


async def test_a_head_of_a_feed_starts_nothing(site: Actions) -> None:
    answer = await send(site, Call(method="HEAD", target="/tick", headers=ALICE))

    assert (answer.status, answer.body) == (200, b"")
    assert await runs_of(site) == []


@pytest.mark.parametrize("who", [[("authorization", "Bearer bob")], []], ids=["bob", "-"])
async def test_a_shared_feed_is_one_run_that_every_reader_can_resume(who: Fields) -> None:
    actions = world(timing=Timing(head_wait=0.2, grace=0.0))

    @actions.feed(shared=True)
    async def news() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with (
        opened(actions) as site,
        stream(site, get("/news", ALICE)) as first,
        stream(site, get("/news", who)) as second,
    ):
        run_id = first.headers["run-id"]
        resume = get("/news", [*who, ("last-event-id", f"{run_id}.0")])
        async with stream(site, resume) as resumed:
            piece = await resumed.read()

        assert second.headers["run-id"] == run_id
        assert b"data: 1" in piece


@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_gets_that_race_for_a_shared_feed_read_one_run(store: str, tmp_path: Path) -> None:
    path = store if store == "memory" else f"sqlite:///{tmp_path}/runs.db"
    actions = world(store=path)

    @actions.feed(shared=True)
    async def news(topic: str) -> AsyncIterator[int]:
        yield len(topic)
        await asyncio.Event().wait()

    async with opened(actions) as site:
        async with asyncio.TaskGroup() as group:
            calls = [get(f"/news?topic={topic}", [ASYNC]) for topic in "aaab" for _ in range(10)]
            answers = [group.create_task(send(site, call)) for call in calls]
        ids = [answer.result().headers["run-id"] for answer in answers]
        kept = await site.app.find(Query(everyone=True))

    assert {answer.result().status for answer in answers} == {202}
    assert (len({*ids[:30]}), len({*ids[30:]})) == (1, 1)
    assert {run.id for run in kept} == {*ids}


async def test_what_a_start_says_is_in_the_log_as_it_was_sent(site: Actions) -> None:
    answer = await send(
        site, post("/echo", {"value": {"b": 1, "a": [1.5, None]}}, [*ALICE, NDJSON])
    )

    log = await log_of(site, answer.headers["run-id"])
    assert log[0] == (1, "chunk", b'{"b":1,"a":[1.5,null]}')


async def test_a_run_that_continues_is_running(site: Actions) -> None:
    run_id = await begun(site)

    assert (await send(site, get(f"/runs/{run_id}", ALICE))).json()["status"] == "running"
