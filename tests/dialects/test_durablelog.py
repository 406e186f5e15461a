"""Appends to a stream of Durable Streams, in the order of their producers, through any process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.calls import Call, Fields, send
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, BRISK, identify, opened
from yieldwire import Actions
from yieldwire.dialects import DurableStreams
from yieldwire.errors import UsageError

TEXT: Fields = (("content-type", "text/plain"),)
JSON: Fields = (("content-type", "application/json"),)
CLOSES: Fields = (("stream-closed", "true"),)


async def leave(run_id: str) -> None:
    """Leave the run to those who append to it."""


async def journal() -> AsyncIterator[Any]:
    yield 0
    raise AssertionError("others append")


def application(path: Path | None = None) -> Actions:
    store = "memory" if path is None else f"sqlite:///{path}/runs.db"
    actions = Actions(executor=leave, identify=identify, timing=BRISK, store=store)
    actions.action(linger=None)(journal)
    return actions


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    async with opened(application()) as actions:
        yield actions


@pytest.fixture
def site(actions: Actions) -> DurableStreams:
    return DurableStreams(actions, long_poll=0.02, appends=True)


async def ask(
    site: DurableStreams,
    method: str,
    target: str = "/journal/a",
    body: bytes = b"",
    headers: Fields = TEXT,
    caller: Fields = ALICE,
) -> Answer:
    call = Call(method=method, target=target, headers=[*caller, *headers], body=[body])
    return await send(site, call)


def by(producer: str, epoch: int, seq: int) -> Fields:
    names = ("producer-id", "producer-epoch", "producer-seq")
    return (*TEXT, *zip(names, (producer, str(epoch), str(seq)), strict=True))


async def read(site: DurableStreams, target: str = "/journal/a") -> bytes:
    return (await ask(site, "GET", target)).body


async def test_a_stream_is_created_appended_to_and_closed(site: DurableStreams) -> None:
    created = await ask(site, "PUT", body=b"one ")
    again = await ask(site, "PUT", body=b"one ")
    appended = await ask(site, "POST", body=b"two ")
    closed = await ask(site, "POST", body=b"three", headers=(*TEXT, *CLOSES))
    whole = await ask(site, "GET")

    assert [each.status for each in (created, again, appended, closed)] == [201, 200, 204, 204]
    assert (whole.body, whole.headers["content-type"]) == (b"one two three", "text/plain")
    assert whole.headers["stream-closed"] == closed.headers["stream-closed"] == "true"
    assert whole.headers["stream-next-offset"] == closed.headers["stream-next-offset"]


async def test_runs_that_jobs_produce_are_not_written_by_callers_unless_that_is_said(
    actions: Actions,
) -> None:
    site = DurableStreams(actions)

    started = await ask(site, "PUT", body=b"{}", headers=JSON)
    invalid = await ask(site, "PUT", "/journal/b", b'{"n":1}', JSON)
    run_id = started.headers["run-id"]
    written = [
        await ask(site, "POST", target, b"[1]", (*JSON, *CLOSES))
        for target in ("/journal/a", f"/runs/{run_id}")
    ]

    assert (started.status, invalid.status, [each.status for each in written]) == (
        201,
        422,
        [405, 405],
    )
    assert (await actions.app.store.get(run_id)).seq == 0


async def test_only_what_an_executor_leaves_to_callers_is_appended_to() -> None:
    with pytest.raises(UsageError, match="appends=True is for an application with executor=leave"):
        DurableStreams(Actions(), appends=True)


async def test_a_stream_of_html_is_a_document_without_an_origin(site: DurableStreams) -> None:
    html = (("content-type", "text/html"),)
    run_id = (await ask(site, "PUT", body=b"<script>x()</script>", headers=html)).headers["run-id"]

    whole = await ask(site, "GET", f"/runs/{run_id}")

    assert whole.headers["content-type"] == "text/html"
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"


async def test_a_closed_stream_takes_nothing_more(site: DurableStreams) -> None:
    await ask(site, "PUT", headers=(*TEXT, *CLOSES))

    refused = await ask(site, "POST", body=b"late")
    again = await ask(site, "POST", headers=CLOSES)
    open_ = await ask(site, "PUT")

    assert (refused.status, refused.headers["stream-closed"]) == (409, "true")
    assert (again.status, open_.status) == (204, 409)


async def test_an_array_of_json_is_a_message_for_each_element(
    site: DurableStreams, actions: Actions
) -> None:
    run_id = (await ask(site, "PUT", body=b"[]", headers=JSON)).headers["run-id"]

    await ask(site, "POST", body=b'[{"n":1},[2]]', headers=JSON)
    await ask(site, "POST", f"/runs/{run_id}", b"3", headers=JSON)
    empty = await ask(site, "POST", body=b"[]", headers=JSON)
    mark = await ask(site, "POST", body=b'{"type":"durable-stream"}', headers=JSON)

    assert await read(site) == b'[{"n":1},[2],3]'
    assert (empty.status, mark.status) == (400, 400)


async def test_bytes_are_read_as_they_were_sent(site: DurableStreams) -> None:
    await ask(site, "PUT", body=b"\xff\x00", headers=())
    await ask(site, "POST", body=b"\n\n", headers=[("content-type", "application/octet-stream")])
    await ask(site, "POST", headers=CLOSES)

    events = await ask(site, "GET", "/journal/a?offset=-1&live=sse")

    assert await read(site) == b"\xff\x00\n\n"
    assert events.headers["stream-sse-data-encoding"] == "base64"
    assert b"data:/wA=\n" in events.body


async def test_lines_of_text_stay_lines_of_text_in_events(site: DurableStreams) -> None:
    await ask(site, "PUT", body=b"one\n two\r\nevent: control", headers=(*TEXT, *CLOSES))

    events = await ask(site, "GET", "/journal/a?offset=-1&live=sse")

    assert b"event: data\ndata:one\ndata:  two\ndata:event: control\n\n" in events.body


async def test_an_append_that_is_repeated_is_one(site: DurableStreams) -> None:
    await ask(site, "PUT")

    first = await ask(site, "POST", body=b"a", headers=by("p", 0, 0))
    repeat = await ask(site, "POST", body=b"b", headers=by("p", 0, 0))
    next_ = await ask(site, "POST", body=b"c", headers=by("p", 0, 1))
    old = await ask(site, "POST", body=b"d", headers=by("p", 0, 0))
    other = await ask(site, "POST", body=b"e", headers=by("q", 0, 0))

    assert [each.status for each in (first, repeat, next_, old, other)] == [200, 204, 200, 204, 200]
    assert old.headers["producer-seq"] == "1"
    assert await read(site) == b"ace"


async def test_a_producer_that_is_replaced_is_refused(site: DurableStreams) -> None:
    await ask(site, "PUT")
    await ask(site, "POST", body=b"a", headers=by("p", 0, 0))

    gap = await ask(site, "POST", body=b"b", headers=by("p", 0, 2))
    jump = await ask(site, "POST", body=b"c", headers=by("p", 1, 1))
    new = await ask(site, "POST", body=b"d", headers=(*by("p", 1, 0), *CLOSES))
    zombie = await ask(site, "POST", body=b"e", headers=by("p", 0, 1))
    repeat = await ask(site, "POST", body=b"f", headers=by("p", 1, 0))
    late = await ask(site, "POST", body=b"g", headers=by("p", 1, 1))

    statuses = [each.status for each in (gap, jump, new, zombie, repeat, late)]
    assert statuses == [409, 400, 200, 403, 204, 409]
    assert (gap.headers["producer-expected-seq"], gap.headers["producer-received-seq"]) == (
        "1",
        "2",
    )
    assert (zombie.headers["producer-epoch"], late.headers["stream-closed"]) == ("1", "true")
    assert await read(site) == b"ad"


async def test_sequences_only_rise(site: DurableStreams) -> None:
    await ask(site, "PUT")

    statuses = [
        (await ask(site, "POST", body=b"x", headers=(*TEXT, ("stream-seq", seq)))).status
        for seq in ("2", "10", "2", "3")
    ]

    assert statuses == [204, 409, 409, 204]


async def test_two_processes_append_to_one_stream(tmp_path: Path) -> None:
    async with opened(application(tmp_path)) as one, opened(application(tmp_path)) as two:
        sites = [DurableStreams(each, appends=True) for each in (one, two)]
        await ask(sites[0], "PUT")
        for number in range(4):
            await ask(sites[number % 2], "POST", body=b"%d" % number, headers=by("p", 0, number))
            repeat = await ask(sites[1 - number % 2], "POST", body=b"x", headers=by("p", 0, number))
            assert repeat.status == 204

        assert await read(sites[0]) == await read(sites[1]) == b"0123"


async def test_a_stream_that_was_cancelled_ends_with_the_next_append(
    site: DurableStreams, actions: Actions
) -> None:
    run_id = (await ask(site, "PUT", body=b"a")).headers["run-id"]
    await actions.app.cancel(run_id)

    refused = await ask(site, "POST", body=b"b")
    rest = await ask(site, "GET", "/journal/a?offset=now")

    assert (refused.status, refused.headers["stream-closed"]) == (409, "true")
    assert (rest.status, rest.json()["error"]["code"]) == (409, "CANCELLED")


async def test_an_open_stream_is_deleted(site: DurableStreams) -> None:
    await ask(site, "PUT", body=b"a")

    deleted = await ask(site, "DELETE")

    assert (deleted.status, (await ask(site, "POST", body=b"b")).status) == (204, 404)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", TEXT, 400),
        (b"a", (), 400),
        (b"1", JSON, 409),
        (b"\xff", TEXT, 400),
        (b"a", (*TEXT, ("producer-id", "p")), 400),
        (
            b"a",
            (*TEXT, ("producer-id", "p"), ("producer-epoch", "1e3"), ("producer-seq", "0")),
            400,
        ),
    ],
)
async def test_what_is_not_an_append_is_refused(
    site: DurableStreams, body: bytes, headers: Fields, status: int
) -> None:
    await ask(site, "PUT")

    assert (await ask(site, "POST", body=body, headers=headers)).status == status
    assert await read(site) == b""


@pytest.mark.parametrize("name", ["stream-ttl", "stream-expires-at", "stream-forked-from"])
async def test_a_stream_that_expires_or_is_a_fork_is_not_created(
    site: DurableStreams, name: str
) -> None:
    refused = await ask(site, "PUT", headers=(*TEXT, (name, "1")))

    assert (refused.status, (await ask(site, "GET")).status) == (400, 404)


async def test_nobody_else_appends(site: DurableStreams) -> None:
    run_id = (await ask(site, "PUT")).headers["run-id"]

    refused = await ask(site, "POST", f"/runs/{run_id}", b"a", caller=BOB)

    assert (refused.status, await read(site)) == (403, b"")
