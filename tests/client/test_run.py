import asyncio

import pytest

from tests.client.script import (
    OPENING,
    UNREACHABLE,
    Answer,
    chunk,
    end,
    json,
    refusal,
    serve,
    stream,
)
from yieldwire.errors import (
    ActionError,
    ForeignCursor,
    ParseError,
    ProtocolError,
    RunCancelled,
    Unreachable,
    UsageError,
)
from yieldwire.log.events import EventType

DONE = end(3, value={"result": 7})


async def test_a_run_yields_its_chunks_and_then_has_its_result() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), chunk(2, {"n": 1}), DONE)) as (client, _):
        run = await client.start("count", detached=False)

        chunks = [value async for value in run]
        result = await run.result()

    assert (chunks, result, run.id, run.cursor) == (["a", {"n": 1}], 7, "r1", "r1.3")


async def test_events_are_the_log_and_the_terminal_one_too() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), chunk(2, "b"), DONE)) as (client, _):
        run = await client.start("count", detached=False)

        events = [(event.seq, event.type) async for event in run.events()]

    assert events == [(1, EventType.CHUNK), (2, EventType.CHUNK), (3, EventType.DONE)]


async def test_a_body_that_ends_before_the_run_does_is_resumed_behind_the_last_event() -> None:
    async with serve(
        stream(OPENING, chunk(1, "a"), "id: r1.2\ndata: cut off by the netw"),
        stream("id: r1.1\nevent: run\ndata: {}\n\n", chunk(2, "b"), DONE),
    ) as (client, server):
        run = await client.start("count", detached=False)

        chunks = [value async for value in run]

    resumed = server.requests[1]
    assert chunks == ["a", "b"]
    assert (resumed.method, resumed.path) == ("GET", "runs/r1/events")
    assert resumed.headers["last-event-id"] == "r1.1"
    assert server.waits == [0.5]


async def test_a_broken_connection_is_resumed() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), breaks=True), stream(chunk(2, "b"), DONE)) as (
        client,
        server,
    ):
        run = await client.start("count", detached=False)

        assert [value async for value in run] == ["a", "b"]

    assert server.notices == ["The connection was lost: The body was cut off."]


async def test_a_stream_that_was_cut_before_its_first_event_is_resumed_from_the_start() -> None:
    async with serve(stream(), stream(chunk(1, "a"), end(2))) as (client, server):
        run = await client.start("count", detached=False)

        assert [value async for value in run] == ["a"]

    assert server.requests[1].headers["last-event-id"] == "r1.0"


async def test_a_connection_that_brings_nothing_is_given_up_and_resumed() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), hangs=True), stream(end(2)), idle=0.01) as (
        client,
        server,
    ):
        run = await client.start("count", detached=False)

        assert [value async for value in run] == ["a"]

    assert server.notices == ["The connection was lost: nothing came for 0.01 s."]


async def test_the_waits_between_tries_grow_and_start_over_after_an_event() -> None:
    async with serve(
        stream(OPENING),
        UNREACHABLE,
        refusal(503, "UNAVAILABLE"),
        stream(chunk(1, "a")),
        stream(end(2)),
    ) as (client, server):
        run = await client.start("count", detached=False)

        await run.result()

    assert server.waits == [0.5, 1.0, 2.0, 0.5]


async def test_a_server_that_stops_says_when_to_come_back() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), "retry: 3000\n\n"), stream(end(2))) as (
        client,
        server,
    ):
        run = await client.start("count", detached=False)

        await run.result()

    assert server.waits == [3.0]


async def test_retry_after_is_honoured_while_resuming() -> None:
    async with serve(
        stream(OPENING), refusal(429, "RATE_LIMITED", retry_after="20"), stream(end(1))
    ) as (client, server):
        run = await client.start("count", detached=False)

        await run.result()

    assert server.waits == [0.5, 20.0]


async def test_tries_are_bounded_and_the_error_names_the_run() -> None:
    async with serve(stream(OPENING), UNREACHABLE, UNREACHABLE, tries=3) as (client, _):
        run = await client.start("count", detached=False)

        with pytest.raises(Unreachable, match="connection refused") as caught:
            await run.result()

    assert (caught.value.code, caught.value.run_id) == ("UNREACHABLE", "r1")


async def test_a_refusal_that_repeating_cannot_change_ends_the_reading() -> None:
    async with serve(stream(OPENING), refusal(410, "GONE")) as (client, _):
        run = await client.start("count", detached=False)

        with pytest.raises(ForeignCursor, match="No") as caught:
            await run.result()

    assert (caught.value.code, caught.value.status) == ("GONE", 410)


async def test_a_failed_run_raises_what_its_last_event_says() -> None:
    error = {
        "code": "OUT_OF_CREDIT",
        "message": "Nothing left.",
        "statusCode": 402,
        "data": {"missing": 3},
        "runId": "r1",
        "errorId": "e1",
        "fieldErrors": {"n": ["too much"]},
    }
    async with serve(stream(OPENING, chunk(1, "a"), end(2, "error", error))) as (client, _):
        chunks = aiter(await client.start("count", detached=False))

        first = await anext(chunks)
        with pytest.raises(ActionError, match="Nothing left") as caught:
            await anext(chunks)

    raised = caught.value
    assert first == "a"
    assert (raised.code, raised.status, raised.data) == ("OUT_OF_CREDIT", 402, {"missing": 3})
    assert (raised.run_id, raised.error_id) == ("r1", "e1")
    assert raised.field_errors == {"n": ["too much"]}


async def test_a_cancelled_run_raises_too() -> None:
    error = {"code": "CANCELLED", "message": "The run was cancelled.", "statusCode": 409}
    async with serve(stream(OPENING, end(1, "cancelled", error))) as (client, _):
        run = await client.start("count", detached=False)

        with pytest.raises(RunCancelled, match="was cancelled"):
            await run.result()


async def test_nothing_more_to_read_means_that_the_snapshot_has_the_outcome() -> None:
    async with serve(
        json(None, status=204), json({"status": "completed", "result": 7, "error": None})
    ) as (client, server):
        run = client.attach("r1", "r1.3")

        events = [event async for event in run.events()]
        result = await run.result()

    assert (events, result) == ([], 7)
    assert [seen.path for seen in server.requests] == ["runs/r1/events", "runs/r1"]


async def test_nothing_to_read_of_a_run_that_continues_is_asked_for_again() -> None:
    async with serve(
        json(None, status=204), json({"status": "running"}), stream(chunk(1, "a"), end(2))
    ) as (client, server):
        assert [value async for value in client.attach("r1")] == ["a"]

    assert server.notices == ["The server had nothing to send."]


async def test_leaving_a_loop_loses_nothing_and_a_second_loop_continues() -> None:
    async with serve(stream(OPENING + chunk(1, "a") + chunk(2, "b") + DONE)) as (client, server):
        run = await client.start("count", detached=False)

        async for event in run.events():
            assert (event.seq, run.cursor) == (1, "r1.1")
            break
        rest = [event.seq async for event in run.events()]

    assert rest == [2, 3]
    assert len(server.requests) == 1


async def test_reading_on_after_a_close_continues_from_the_cursor() -> None:
    async with serve(
        stream(OPENING + chunk(1, "a") + chunk(2, "b"), hangs=True), stream(chunk(2, "b"), DONE)
    ) as (client, server):
        async with await client.start("count", detached=False) as run:
            await anext(aiter(run))

        rest = [value async for value in run]

    assert rest == ["b"]
    assert server.requests[1].headers["last-event-id"] == "r1.1"


async def test_a_reader_that_was_cancelled_can_read_on() -> None:
    async with serve(stream(OPENING, hangs=True), stream(chunk(1, "a"), end(2))) as (client, _):
        run = await client.start("count", detached=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run.result()

        assert [value async for value in run] == ["a"]


async def test_two_tasks_cannot_share_one_reader() -> None:
    async with serve(stream(OPENING, hangs=True)) as (client, _):
        run = await client.start("count", detached=False)

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(run.result())
            await asyncio.sleep(0)
            with pytest.raises(UsageError, match="Another task is reading"):
                await run.result()
            reading.cancel()


async def test_an_event_that_comes_twice_is_handed_out_once() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), chunk(1, "a"), end(2))) as (client, _):
        run = await client.start("count", detached=False)

        assert [value async for value in run] == ["a"]


async def test_an_event_that_is_missing_is_said_to_be_missing() -> None:
    async with serve(stream(OPENING, chunk(2, "b"))) as (client, _):
        run = await client.start("count", detached=False)

        with pytest.raises(ProtocolError, match="something is missing"):
            await run.result()


async def test_events_of_unknown_types_are_passed_and_moved_past() -> None:
    strange = end(2, "surprise", {"what": "a later version"})
    notice = "event: notice\ndata: without a place\n\n"
    async with serve(stream(OPENING, notice, chunk(1, "a"), strange, chunk(3, "b"), end(4))) as (
        client,
        _,
    ):
        run = await client.start("count", detached=False)

        events = [(event.seq, event.type.value) async for event in run.events()]

    assert events == [(1, "chunk"), (3, "chunk"), (4, "done")]


async def test_a_run_is_resumed_behind_the_last_event_even_if_its_type_is_unknown() -> None:
    async with serve(
        stream(OPENING, chunk(1, "a"), end(2, "surprise"), end(3, "surprise")),
        stream("id: r1.3\nevent: run\ndata: {}\n\n", chunk(4, "b"), end(5)),
    ) as (client, server):
        run = await client.start("count", detached=False)

        chunks = [value async for value in run]

    assert chunks == ["a", "b"]
    assert server.requests[1].headers["last-event-id"] == "r1.3"


async def test_an_event_is_missing_also_behind_one_of_an_unknown_type() -> None:
    async with serve(stream(OPENING, end(1, "surprise"), chunk(3, "b"))) as (client, _):
        run = await client.start("count", detached=False)

        with pytest.raises(ProtocolError, match="something is missing"):
            await run.result()


async def test_only_the_known_terminal_events_end_a_run() -> None:
    async with serve(
        stream(OPENING, end(1, "finished", {"result": 1})),
        stream("id: r1.1\nevent: run\ndata: {}\n\n", end(2, value={"result": 2, "more": [3]})),
    ) as (client, _):
        run = await client.start("count", detached=False)

        assert await run.result() == 2


async def test_a_status_of_a_later_version_is_not_an_end() -> None:
    async with serve(
        stream(OPENING),
        Answer(status=204),
        json({"id": "r1", "status": "hibernating", "seq": 0, "result": None, "mood": "fine"}),
        stream("id: r1.0\nevent: run\ndata: {}\n\n", end(1, value={"result": 1})),
    ) as (client, _):
        run = await client.start("count", detached=False)

        assert await run.result() == 1


async def test_a_reset_says_where_a_trimmed_log_begins() -> None:
    reset = 'id: r1.4\nevent: reset\ndata: {"firstSeq":5}\n\n'
    async with serve(stream(OPENING, reset, chunk(5, "e"), end(6))) as (client, _):
        run = client.attach("r1")
        chunks = [value async for value in run]

    assert (chunks, run.first_seq) == (["e"], 5)


async def test_a_stream_about_another_run_is_refused() -> None:
    async with serve(stream("id: r2.1\ndata: 1\n\n")) as (client, _):
        with pytest.raises(ProtocolError, match="another run"):
            await client.attach("r1").result()


@pytest.mark.parametrize(("cursor", "error"), [("?", ParseError), ("r2.1", ForeignCursor)])
async def test_a_cursor_must_be_this_runs(cursor: str, error: type[Exception]) -> None:
    async with serve() as (client, _):
        with pytest.raises(error, match="cursor"):
            client.attach("r1", cursor)


async def test_cancelling_posts_and_returns_the_snapshot() -> None:
    async with serve(json({"status": "running", "cancelRequested": True})) as (client, server):
        snapshot = await client.attach("r1").cancel()

    assert snapshot["cancelRequested"] is True
    assert (server.requests[0].method, server.requests[0].path) == ("POST", "runs/r1/cancel")
    assert server.requests[0].headers["content-type"] == "application/json"


async def test_a_run_shows_its_id() -> None:
    async with serve() as (client, _):
        assert repr(client.attach("r1")) == "<RemoteRun r1>"


def page(first: int, last: int, newest: int) -> Answer:
    events = [
        {"seq": seq, "type": "chunk", "data": {"n": seq}, "atMs": 1000 * seq}
        for seq in range(first, last + 1)
    ]
    return json({"status": "running", "seq": newest, "cursor": f"r1.{last}", "events": events})


async def test_a_log_is_read_page_by_page_as_far_as_it_was_when_it_was_asked_for() -> None:
    async with serve(page(1, 2, 4), page(3, 5, 9)) as (client, server):
        log = [(each.seq, each.value, each.at) async for each in client.attach("r1").log()]

    assert log == [(seq, {"n": seq}, float(seq)) for seq in range(1, 6)]
    paths = [request.path for request in server.requests]
    assert paths == ["runs/r1?after=r1.0&times=1", "runs/r1?after=r1.2&times=1"]


async def test_a_log_leaves_out_events_of_a_later_version() -> None:
    odd = [{"seq": 1, "type": "hint", "data": {}, "atMs": 0}]
    told = json({"status": "running", "seq": 1, "cursor": "r1.1", "events": odd})
    async with serve(told) as (client, _):
        assert [event async for event in client.attach("r1").log()] == []


async def test_a_snapshot_can_have_the_input() -> None:
    async with serve(json({"status": "running", "input": {"to": 2}})) as (client, server):
        snapshot = await client.attach("r1").snapshot(with_input=True)

    assert (snapshot["input"], server.requests[0].path) == ({"to": 2}, "runs/r1?input=1")
