import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.client.script import (
    OPENING,
    SILENT,
    UNHEARD,
    UNREACHABLE,
    Answer,
    chunk,
    end,
    json,
    refusal,
    serve,
    stream,
)
from yieldwire.client import AsyncClient, starting
from yieldwire.errors import NotFound, Unauthorized, YieldwireError


async def test_a_call_returns_the_result() -> None:
    async with serve(stream(OPENING, end(1, value={"result": [1, 2]}))) as (client, server):
        result = await client.call("add up", {"n": 1})

    request = server.requests[0]
    assert result == [1, 2]
    assert (request.method, request.path, request.body) == ("POST", "add up", b'{"n":1}')
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["content-type"] == "application/json"


async def test_a_stream_yields_chunks() -> None:
    async with serve(stream(OPENING, chunk(1, "a"), chunk(2, "b"), end(3))) as (client, _):
        assert [value async for value in client.stream("count")] == ["a", "b"]


async def test_leaving_a_stream_early_lets_its_connection_go() -> None:
    async with (
        serve(stream(OPENING, chunk(1, "a"), hangs=True)) as (client, _),
        aclosing(client.stream("count")) as chunks,
    ):
        first = await anext(chunks)

    assert first == "a"


async def test_closing_the_client_lets_every_connection_go() -> None:
    async with serve(stream(OPENING, hangs=True)) as (client, _):
        await client.start("count", detached=False)


async def test_a_file_makes_the_body_multipart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,2")
    async with serve(stream(OPENING, end(1))) as (client, server):
        await client.call("load", {"file": path, "n": 1})

    request = server.requests[0]
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.headers["content-length"] == str(len(request.body))
    assert b'filename="a.csv"' in request.body


async def test_a_key_of_ones_own_is_sent() -> None:
    async with serve(stream(OPENING, end(1))) as (client, server):
        await (await client.start("count", key="mine", detached=False)).result()

    assert server.requests[0].headers["idempotency-key"] == "mine"


async def test_each_way_to_start_can_name_a_webhook() -> None:
    hook = "https://a.example/hook"
    async with serve(*[stream(OPENING, end(1))] * 4) as (client, server):
        await (await client.start("count", detached=False, webhook=hook)).aclose()
        await client.call("count", webhook=hook)
        assert [_ async for _ in client.stream("count", webhook=hook)] == []
        await (await client.open("count", webhook=hook)).aclose()

    assert [seen.headers["webhook-url"] for seen in server.requests] == [hook] * 4


async def test_a_start_that_is_cancelled_is_cancelled_on_the_server() -> None:
    told = {"runId": None, "status": "cancelled"}
    async with serve(SILENT, json(told)) as (client, server):
        task = asyncio.ensure_future(client.call("count"))  # noqa: TID251 - to cancel it
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    start, cancel = server.requests
    assert (cancel.method, cancel.path, cancel.body) == ("POST", "count/cancel", b"{}")
    assert cancel.headers["idempotency-key"] == start.headers["idempotency-key"]


async def test_a_start_whose_time_is_over_is_cancelled_on_the_server() -> None:
    told = {"runId": "r1", "status": "running"}
    async with serve(SILENT, json(told)) as (client, server):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.start("count")

    assert [seen.path for seen in server.requests] == ["count", "count/cancel"]


@pytest.mark.parametrize("answer", [UNREACHABLE, refusal(401, "UNAUTHORIZED"), SILENT])
async def test_a_cancelled_start_ends_whatever_the_server_says(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "LEAVING_SECONDS", 0.05)
    async with serve(SILENT, answer) as (client, server):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.start("count", detached=False)

    assert len(server.requests) == 2


async def test_a_cancelled_start_with_a_key_of_ones_own_can_be_found_again() -> None:
    async with serve(SILENT) as (client, server):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.start("count", key="mine", detached=False)

    assert [seen.path for seen in server.requests] == ["count"]


async def test_a_start_is_cancelled_by_its_key() -> None:
    told = {"runId": "r1", "status": "running"}
    async with serve(UNHEARD, json(told)) as (client, server):
        assert await client.cancel_start("count", "mine") == told

    assert {seen.path for seen in server.requests} == {"count/cancel"}
    assert {seen.headers["idempotency-key"] for seen in server.requests} == {"mine"}


async def test_closing_a_client_waits_for_what_its_cancelled_starts_say() -> None:
    async with serve(SILENT, json({"runId": None, "status": "cancelled"})) as (
        client,
        server,
    ):
        task = asyncio.ensure_future(client.start("count", detached=False))  # noqa: TID251 - to cancel it
        await server.asked.wait()
        task.cancel()
        await client.aclose()

        assert len(server.requests) == 2
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_detached_run_is_there_at_once_and_can_be_read() -> None:
    async with serve(
        json({"id": "r1", "status": "pending"}, status=202, run_id="r1"),
        stream(OPENING, chunk(1, "a"), end(2)),
    ) as (client, server):
        run = await client.start("count")
        chunks = [value async for value in run]

    assert (run.id, chunks) == ("r1", ["a"])
    assert server.requests[0].headers["prefer"] == "respond-async"


async def test_a_feed_is_opened_by_a_get() -> None:
    async with serve(stream(OPENING, chunk(1, 20.5), end(2))) as (client, server):
        run = await client.open("prices", {"of": ["gold", "tin"]})
        chunks = [value async for value in run]

    assert chunks == [20.5]
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "prices?of=gold&of=tin")


async def test_a_refused_call_raises_before_anything_is_read() -> None:
    async with serve(refusal(401, "UNAUTHORIZED")) as (client, _):
        with pytest.raises(Unauthorized, match="No"):
            await client.start("count", detached=False)


async def test_runs_are_listed_with_what_is_asked_for_alone() -> None:
    async with serve(json({"runs": [], "next": None})) as (client, server):
        page = await client.list(status="running", limit=5)

    assert page == {"runs": [], "next": None}
    assert server.requests[0].path == "runs?status=running&limit=5"


async def test_a_run_is_found_by_its_id() -> None:
    async with serve(
        json({"status": "running"}), json({"status": "cancelled"}), json(None, status=204)
    ) as (client, server):
        snapshots = [await client.snapshot("r1"), await client.cancel("r1")]
        await client.delete("r1")

    assert [snapshot["status"] for snapshot in snapshots] == ["running", "cancelled"]
    assert [(seen.method, seen.path) for seen in server.requests] == [
        ("GET", "runs/r1"),
        ("POST", "runs/r1/cancel"),
        ("DELETE", "runs/r1"),
    ]


GONE = refusal(404, "NOT_FOUND")


@pytest.mark.parametrize(
    "lost",
    [
        UNHEARD,
        refusal(502, "HTTP_ERROR"),
        refusal(503, "UNAVAILABLE"),
        refusal(504, "HTTP_ERROR"),
    ],
    ids=["no answer", "502", "503", "504"],
)
async def test_a_run_that_an_unheard_try_may_have_forgotten_is_forgotten(lost: Answer) -> None:
    async with serve(UNREACHABLE, lost, refusal(429, "RATE_LIMITED"), GONE) as (client, server):
        await client.delete("r1")

    assert [seen.method for seen in server.requests] == ["DELETE"] * 4


@pytest.mark.parametrize(
    "refused",
    [
        (),
        (UNREACHABLE,),
        (refusal(408, "REQUEST_TIMEOUT"), refusal(425, "X"), refusal(429, "RATE_LIMITED")),
    ],
    ids=["at first", "behind a connection that was never made", "behind refusals"],
)
async def test_a_run_that_was_not_there_before_is_not_found(refused: tuple[Answer, ...]) -> None:
    async with serve(*refused, GONE) as (client, _):
        with pytest.raises(NotFound, match=r"No\."):
            await client.delete("r1")


@pytest.mark.parametrize("status", [401, 403, 409, 410])
async def test_another_refusal_is_one_behind_an_unheard_try_too(status: int) -> None:
    async with serve(UNHEARD, refusal(status, "OTHER")) as (client, _):
        with pytest.raises(YieldwireError, match=r"No\."):
            await client.delete("r1")


async def test_a_page_in_the_place_of_an_answer_forgets_nothing() -> None:
    page = Answer(status=404, headers={"content-type": "text/html"}, pieces=["<html>"])
    async with serve(UNHEARD, page, tries=2) as (client, _):
        with pytest.raises(YieldwireError, match="HTTP 404"):
            await client.delete("r1")


async def test_a_call_does_not_know_what_the_one_before_has_done() -> None:
    async with serve(UNHEARD, json(None, status=204), GONE) as (client, _):
        await client.delete("r1")
        with pytest.raises(NotFound, match=r"No\."):
            await client.delete("r1")


async def test_the_manifest_says_what_can_be_called() -> None:
    async with serve(json({"actions": [{"name": "count"}]})) as (client, server):
        manifest = await client.manifest()

    assert manifest["actions"][0]["name"] == "count"
    assert server.requests[0].path == "manifest.json"


async def test_a_client_without_http_of_its_own_makes_and_closes_one() -> None:
    async with AsyncClient("http://127.0.0.1:9/api") as client:
        pass

    with pytest.raises(RuntimeError, match="closed"):
        await client.manifest()
