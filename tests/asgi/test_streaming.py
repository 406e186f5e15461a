import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message

from tests.support.calls import Call, get, post, send, stream
from tests.support.ndjson import NDJSONDecoder
from tests.support.world import (
    ALICE,
    NDJSON,
    SSE,
    TEXT,
    WHOLE,
    begun,
    ended,
    log_of,
    opened,
    wait_for_end,
    world,
)
from yieldwire import Actions, Context, Identity, Retry, Text, Timing
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.clock import SystemClock
from yieldwire.codecs.sse import SSEDecoder
from yieldwire.errors import NotFound
from yieldwire.log.events import Block, EventType
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore

QUICK = Timing(head_wait=0.01, keepalive=0.01, grace=0.0, sweep_every=3600.0)


def counting(timing: Timing = QUICK, **settings: Any) -> tuple[Actions, asyncio.Semaphore]:  # noqa: ANN401 - the application's own settings
    """Return an application whose action `count` yields once for each release."""
    actions, go = world(timing=timing, **settings), asyncio.Semaphore(0)

    @actions.action
    async def count(upto: int = 3) -> AsyncIterator[Text]:
        for number in range(1, upto + 1):
            await go.acquire()
            yield Text(str(number))

    return actions, go


# What goes out, and when.


async def test_an_event_is_sent_when_it_is_there_and_not_at_the_end() -> None:
    actions, go = counting(Timing(head_wait=0.01, grace=0.0))
    async with opened(actions) as site, stream(site, post("/count", {}, ALICE)) as response:
        pieces = [await response.read()]
        for _ in range(3):
            go.release()
            pieces.append(await response.read())
        pieces.append(await response.rest())

    assert b"event: run" in pieces[0]
    assert [b'"text":"%d"' % n in pieces[n] for n in (1, 2, 3)] == [True] * 3
    assert b"event: done" in pieces[3] + pieces[4]


async def test_what_is_there_already_goes_out_as_one_message(site: Actions) -> None:
    run_id = await ended(site, value={"times": 100})

    async with stream(site, get(f"/runs/{run_id}/events", ALICE)) as response:
        first, rest = await response.read(), await response.rest()

    assert first.count(b"\n\n") == 102
    assert rest == b""


@pytest.mark.parametrize("accept", [SSE, NDJSON])
async def test_a_stream_from_any_event_is_the_rest_of_the_log(
    site: Actions, accept: tuple[str, str]
) -> None:
    run_id = await ended(site, value={"times": 3})
    log = await log_of(site, run_id)

    for seq in range(4):
        answer = await send(site, get(f"/runs/{run_id}/events?after={seq}", [*ALICE, accept]))
        decoder = SSEDecoder() if accept is SSE else NDJSONDecoder()

        events = decoder.feed(answer.body)

        assert [(each.seq, each.type.value, each.data) for each in events] == log[seq:]


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
async def test_there_is_nothing_behind_the_end_of_an_ended_run(
    site: Actions, accept: tuple[str, str]
) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}/events?after=2", [*ALICE, accept]))

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["run-id"] == run_id


@pytest.mark.parametrize("accept", ["application/json", "text/html", "image/png"])
async def test_events_are_streamed_or_not_given(site: Actions, accept: str) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}/events", [*ALICE, ("accept", accept)]))

    assert answer.status == 406


async def test_a_head_has_the_headers_of_the_stream_and_leaves_the_run_alone(
    site: Actions,
) -> None:
    run_id = await begun(site)

    answer = await send(site, Call(method="HEAD", target=f"/runs/{run_id}/events", headers=ALICE))

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "sign"), [(SSE, b": keepalive\n\n"), (NDJSON, b" ")], ids=["SSE", "NDJSON"]
)
async def test_an_idle_stream_says_that_it_is_alive(accept: tuple[str, str], sign: bytes) -> None:
    actions, _ = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, [*ALICE, accept])) as it:
        pieces = [await it.read() for _ in range(4)]

    assert pieces[-1] == sign


async def test_an_idle_text_stream_says_nothing() -> None:
    actions, go = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, [*ALICE, TEXT])) as it:
        for _ in range(3):
            go.release()

        assert await it.rest() == b"123"


# How it ends.


async def test_a_server_that_stops_ends_streams_at_a_frame_and_asks_them_back() -> None:
    actions, go = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, ALICE)) as response:
        go.release()
        body = await response.read()
        site.drain()
        body += await response.rest()

    *_, last, tail = body.split(b"\n\n")
    name, _, pause = last.partition(b": ")
    assert name == b"retry"
    assert 500 <= int(pause) <= 1500
    assert tail == b""
    assert b"event: done" not in body
    assert response.error is None


async def test_a_server_that_stops_breaks_text_off() -> None:
    actions, _ = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, [*ALICE, TEXT])) as it:
        site.drain()
        await it.rest()

    assert isinstance(it.error, BrokenOff)


@pytest.mark.parametrize("action", ["fail_late", "wait"])
async def test_text_of_a_run_that_did_not_complete_is_aborted(action: str) -> None:
    async with opened(world()) as site, stream(site, post(f"/{action}", {}, [TEXT])) as response:
        if action == "wait":
            await site.app.cancel(response.headers["run-id"])
        body = await response.rest()

    assert body in {b"so far", b"waiting"}
    assert isinstance(response.error, BrokenOff)


async def test_a_run_that_is_purged_under_its_reader_says_reset_and_not_the_end() -> None:
    class Purging(MemoryStore):
        is_purged = False

        async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
            if self.is_purged:
                raise NotFound
            return await super().read(run_id, after, **options)

    store = Purging()
    actions, go = counting(store=store)
    async with opened(actions) as site:
        run_id = await begun_with(site, go)
        async with stream(site, get(f"/runs/{run_id}/events", ALICE)) as response:
            body = await response.read()
            store.is_purged = True
            body += await response.rest()

    assert f'id: {run_id}.1\nevent: reset\ndata: {{"firstSeq":2}}'.encode() in body
    assert b"event: done" not in body
    assert b"retry: " in body


async def begun_with(site: Actions, go: asyncio.Semaphore) -> str:
    go.release()
    return await begun(site, "count")


async def test_a_feed_that_was_trimmed_says_where_its_log_begins() -> None:
    actions = world(timing=QUICK)
    go = asyncio.Event()

    @actions.feed(keep=300)
    async def numbers() -> AsyncIterator[int]:
        for number in range(2_000):
            yield number
        await go.wait()

    async with opened(actions) as site:
        async with stream(site, get("/numbers", ALICE)) as first:
            run_id = first.headers["run-id"]
            await first.read()
            while (await site.app.store.get(run_id)).seq < 2_000:
                await first.read()
        first_seq = (await site.app.store.get(run_id)).first_seq

        async with stream(site, get(f"/runs/{run_id}/events?after=1", ALICE)) as response:
            frames = (await response.read()).split(b"\n\n")

    assert f'"firstSeq":{first_seq}'.encode() in frames[0]
    assert frames[1] == (
        f'id: {run_id}.{first_seq - 1}\nevent: reset\ndata: {{"firstSeq":{first_seq}}}'.encode()
    )
    assert frames[2].startswith(f"id: {run_id}.{first_seq}\n".encode())


async def test_a_stream_ends_when_its_identity_does_and_sends_nothing_behind_that() -> None:
    until = [SystemClock().now() + 3600]

    def identify(request: HTTPConnection) -> Identity:
        return Identity(owner="alice", expires_at=until[0])

    actions, go = counting(identify=identify)
    async with opened(actions) as site:
        until[0] = SystemClock().now() + 0.05
        async with stream(site, post("/count", {})) as response:
            run_id = response.headers["run-id"]
            body = await response.rest()
        go.release()
        refused = await send(site, get(f"/runs/{run_id}/events"))

    assert b'"text"' not in body
    assert body.endswith(b"\n\n")
    assert b"retry: " in body
    assert refused.status == 401


async def test_an_identity_that_has_expired_is_nobodys() -> None:
    def identify(request: HTTPConnection) -> Identity:
        return Identity(owner="alice", expires_at=SystemClock().now() - 1)

    async with opened(world(identify=identify)) as site:
        statuses = [
            (await send(site, call)).status
            for call in (post("/say", {}), get("/runs"), get("/tick"), get("/manifest.json"))
        ]

    assert statuses == [401] * 4


# Readers who leave, or do not read.


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT, WHOLE])
async def test_a_reader_who_leaves_stops_nothing_but_his_own_stream(
    accept: tuple[str, str],
) -> None:
    actions, go = counting()
    async with opened(actions) as site:
        run_id = await begun_with(site, go)
        headers = [*ALICE, accept, ("last-event-id", f"{run_id}.0")]
        if accept is WHOLE:
            await site(post("/count", {}, headers).scope(), gone, ignore)
        else:
            async with stream(site, post("/count", {}, headers)) as response:
                await response.read()
        for _ in range(2):
            go.release()
        await wait_for_end(site, run_id)

        assert (await site.app.store.get(run_id)).status == "completed"


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def ignore(message: Message) -> None: ...


async def test_a_reader_who_does_not_read_is_cut_off() -> None:
    timing = Timing(stall_timeout=0.01, head_wait=0.2, grace=0.0)

    async def stalled(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def here() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        return {}

    async with opened(world(timing=timing)) as site:
        call = post("/say", {})
        messages: list[Message] = [{"type": "http.request", "body": call.body[0]}]

        with pytest.raises(BrokenOff, match="does not read"):
            await site(call.scope(), here, stalled)


# A second attempt.


async def test_a_text_is_aborted_when_its_run_restarts() -> None:
    actions, go = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, [TEXT])) as response:
        go.release()
        assert await response.read() == b"1"
        (run,) = await site.app.store.find(Query(everyone=True))
        restarted = Block.of_event(run.id, 2, EventType.RESTARTED, b'{"attempt":2,"keep":0}')
        await site.app.store.append(run.id, restarted, after=1, fence=run.fence)

        await response.rest()
        assert "restarted" in str(response.error)
        async with stream(site, get(f"/runs/{run.id}/events", [TEXT])) as replay:
            await replay.rest()
        assert "restarted" in str(replay.error)


@pytest.mark.parametrize(("keep", "is_aborted"), [(0, True), (1, False), (2, False)])
async def test_a_text_continues_when_a_restart_keeps_all_of_it(
    keep: int,
    is_aborted: bool,  # noqa: FBT001 - of the parameters
) -> None:
    actions, go = counting()
    async with opened(actions) as site, stream(site, post("/count", {}, [TEXT])) as response:
        go.release()
        assert await response.read() == b"1"
        (run,) = await site.app.store.find(Query(everyone=True))
        asked = Block.of_event(run.id, 2, EventType.QUESTION, b'{"id":"1"}')
        restarted = Block.of_event(
            run.id, 3, EventType.RESTARTED, b'{"attempt":2,"keep":%d}' % keep
        )
        end = Block.of_event(run.id, 4, EventType.DONE, b"{}")
        log = Block.join([asked, restarted, end])
        await site.app.store.append(run.id, log, after=1, fence=run.fence)

        rest = await response.rest()

    assert (rest, response.error is not None) == (b"", is_aborted)


@pytest.mark.parametrize("saves", [True, False])
async def test_a_text_continues_over_a_restart_that_takes_none_of_it_back(*, saves: bool) -> None:
    actions = Actions()

    @actions.action(retries=Retry(1, backoff=0, on=[ConnectionError]))
    async def write(ctx: Context) -> AsyncIterator[str]:
        yield f"{ctx.attempt} "
        if ctx.attempt == 1:
            if saves:
                ctx.save("one is there")
            raise ConnectionError

    async with opened(actions) as site:
        for call in (post("/write", {}, [TEXT]), None):
            if call is None:  # again, from the log
                (run,) = await site.app.store.find(Query(everyone=True))
                call = get(f"/runs/{run.id}/events", [TEXT])  # noqa: PLW2901 - the same request
            async with stream(site, call) as response:
                text = await response.rest()

            assert (text, response.error is None) == ((b"1 2 ", True) if saves else (text, False))
