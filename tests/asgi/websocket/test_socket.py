"""Many requests over one socket, each answered as over HTTP."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.support.calls import get, post, send
from tests.support.sockets import HandSocket, socket_to
from tests.support.virtual import run_virtually
from tests.support.world import ALICE, BOB, NDJSON, begun, ended, opened, world
from yieldwire import Actions, Context, Identity, Text, Timing
from yieldwire.asgi.requestlimits import Allowance, RequestLimits
from yieldwire.asgi.websocket.channel import MORE_BYTES, Channel
from yieldwire.asgi.websocket.message import MAX_BODY_BYTES, Asked
from yieldwire.asgi.websocket.socket import MAX_MESSAGE_BYTES
from yieldwire.clock import SystemClock
from yieldwire.codecs.websocket import CREDIT, CloseCode, message_of
from yieldwire.errors import Unauthorized
from yieldwire.hooks import Hooks

MULTIPART = "multipart/form-data; boundary=b"
KB = 1024


async def follow(hand: HandSocket, run_id: str, after: int = 0, number: int = 1) -> None:
    hand.ask(number, "GET", f"/runs/{run_id}/events?after={after}")
    assert (await hand.told()).head["status"] == 200


async def test_a_run_is_started_and_followed(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/say", {"text": "hi", "times": 2})
        head = (await hand.told()).head
        lines = await hand.rest(1)

    assert head["status"] == 200
    assert head["headers"]["location"] == f"/runs/{head['headers']['run-id']}"
    assert [(line["seq"], line["type"], line["data"]) for line in lines] == [
        (1, "chunk", {"type": "text", "text": "hi"}),
        (2, "chunk", {"type": "text", "text": "hi"}),
        (3, "done", {}),
    ]


async def test_events_have_the_bytes_that_they_have_over_http(site: Actions) -> None:
    run_id = await ended(site, "echo", {"value": {"a": "\u2028 ü€😀", "b": [1.0, None]}})
    over_http = await send(site, get(f"/runs/{run_id}/events", [*ALICE, NDJSON]))

    async with socket_to(site, ALICE) as hand:
        await follow(hand, run_id)
        told = await hand.answer()

    assert told.body.encode() == over_http.body


@pytest.mark.parametrize(
    ("method", "path", "value"),
    [
        ("GET", "/runs", None),
        ("GET", "/runs/{}", None),
        ("GET", "/runs/{}/events?after=9", None),
        ("POST", "/runs/{}/cancel", {}),
        ("POST", "/runs/{}/inbox", {}),
        ("POST", "/runs/{}/questions/1", {}),
        ("POST", "/say", {"text": 1}),
        ("POST", "/none", {}),
        ("POST", "/tick", {}),
        ("GET", "/manifest.json", None),
    ],
)
async def test_a_request_is_answered_as_over_http(
    site: Actions, method: str, path: str, value: object
) -> None:
    run_id = await ended(site)
    target = path.replace("{}", run_id)
    over_http = get(target, ALICE) if method == "GET" else post(target, value, ALICE)
    expected = await send(site, over_http)

    async with socket_to(site, ALICE) as hand:
        hand.ask(1, method, target, value)
        told = await hand.answer()

    assert told.head["status"] == expected.status
    assert told.json == expected.json()


async def test_a_run_is_deleted(site: Actions) -> None:
    run_id = await ended(site)
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "DELETE", f"/runs/{run_id}")
        deleted = await hand.answer()
        hand.ask(2, "DELETE", f"/runs/{run_id}")
        gone = await hand.answer()

    assert (deleted.head["status"], deleted.body) == (204, "")
    assert gone.head["status"] == 404


async def test_one_answer_at_the_end_is_one_message(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        accept = {"Accept": "application/json"}
        hand.ask(1, "POST", "/say?events=1", {"times": 5000}, headers=accept)
        told = await hand.answer()

    assert len(told.body) > 2 * CREDIT
    assert len(told.json["events"]) == 5001


async def test_requests_are_answered_while_others_go_on(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/wait", {})
        await hand.told()
        first = (await hand.told()).lines
        hand.ask(2, "POST", "/add", {"a": 1, "b": 2}, headers={"Accept": "application/json"})
        added = await hand.answer()

    assert first[0]["data"]["text"] == "waiting"
    assert (added.head["id"], added.json["result"]) == (2, 3)


class Leaving(Hooks):
    """Sees that a reader has left."""

    def __init__(self) -> None:
        self.has_left = asyncio.Event()

    def reader_left(self, run_id: str, reader: str, /) -> None:
        self.has_left.set()


async def test_a_run_that_is_left_has_no_reader_and_goes_on() -> None:
    leaving = Leaving()
    async with opened(world(hooks=[leaving])) as site, socket_to(site, ALICE) as hand:
        run_id = await begun(site)
        leaving.has_left.clear()
        await follow(hand, run_id)
        await hand.told()
        hand.say({"id": 1, "leave": True})
        await leaving.has_left.wait()
        hand.say({"id": 1, "credit": 1})  # of a request that has ended: ignored
        hand.ask(2, "GET", f"/runs/{run_id}")
        snapshot = await hand.answer()

    assert snapshot.json["status"] == "running"


async def test_a_socket_that_is_cut_leaves_its_runs() -> None:
    leaving = Leaving()
    async with opened(world(hooks=[leaving])) as site:
        run_id = await begun(site)
        async with socket_to(site, ALICE) as hand:
            await follow(hand, run_id)
            await hand.told()
            leaving.has_left.clear()
        await leaving.has_left.wait()

        assert (await site.app.store.get(run_id)).status.value == "running"


# Credit.


async def test_a_run_without_credit_waits_and_holds_up_no_other(site: Actions) -> None:
    run_id = await ended(site, "say", {"text": "x" * KB, "times": 2000})
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", f"/runs/{run_id}/events", credit=1)
        await hand.told()
        page = await hand.told()
        hand.ask(2, "GET", f"/runs/{run_id}/events", credit=4 * KB * KB)
        whole = await hand.rest(2)
        hand.say({"id": 1, "credit": 4 * KB * KB})
        rest = await hand.rest(1)

    assert [*page.lines, *rest] == whole
    assert len(rest) > len(whole) / 2


def test_a_run_whose_client_grants_nothing_is_broken_off() -> None:
    async def program() -> dict[str, Any]:
        actions = world(timing=Timing(stall_timeout=60, grace=0, keepalive=15))
        async with opened(actions):
            run_id = await ended(actions, "say", {"text": "x" * KB, "times": 200})
            async with socket_to(actions, ALICE) as hand:
                hand.ask(1, "GET", f"/runs/{run_id}/events", credit=1)
                await hand.told()
                await hand.told()
                return (await hand.told(100.0)).head

    assert run_virtually(program()) == {"id": 1, "aborted": True}


def test_a_socket_that_reads_nothing_is_closed() -> None:
    async def program() -> int:
        actions = world(timing=Timing(stall_timeout=60, grace=0))
        async with opened(actions), socket_to(actions, ALICE) as hand:
            hand.room.clear()
            for number in range(1, 100):
                hand.ask(number, "POST", "/say", {})
            await asyncio.sleep(200)
            held = hand.from_server.qsize()
            hand.room.set()
            return held

    assert run_virtually(program()) == 0


def test_a_stalled_socket_stops_no_run_that_sends_to_it() -> None:
    """The task of the run began to send; the time limit is the response's."""

    async def program() -> tuple[int, str]:
        actions = world(timing=Timing(stall_timeout=60, grace=0))

        @actions.action(linger=None)
        async def slowly() -> AsyncIterator[Text]:
            for _ in range(200):
                yield Text("x")
                await asyncio.sleep(1)

        async with opened(actions), socket_to(actions, ALICE) as hand:
            hand.ask(1, "POST", "/slowly", {})
            run_id = (await hand.told()).head["headers"]["run-id"]
            await hand.told()
            hand.room.clear()
            await asyncio.sleep(150)
            held = hand.from_server.qsize()
            hand.room.set()
            await asyncio.sleep(100)
            return held, (await actions.app.store.get(run_id)).status.value

    assert run_virtually(program()) == (0, "completed")


def test_runs_that_nobody_reads_cost_a_page_each() -> None:
    readers, log_bytes = 60, 1_500 * KB

    async def program() -> tuple[int, int]:
        async with opened(world(timing=Timing(grace=0))) as actions:
            run_id = await ended(actions, "say", {"text": "x" * KB, "times": log_bytes // KB})
            async with socket_to(actions, ALICE) as hand:
                hand.room.clear()
                tracemalloc.start()
                for number in range(1, readers + 1):
                    hand.ask(number, "GET", f"/runs/{run_id}/events", credit=KB * KB)
                await asyncio.sleep(10)
                held, most = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                return held, most

    held, most = run_virtually(program())
    assert held < readers * 3 * 64 * KB
    assert most < readers * 4 * 64 * KB


# Bodies in pieces.


def upload(number: int = 1) -> tuple[dict[str, Any], list[bytes]]:
    head = {"id": number, "method": "POST", "path": "/take", "pieces": True}
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + b"y" * 300 * KB + b"\r\n--b--\r\n"
    )
    size = 32 * KB
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return {**head, "headers": {"Content-Type": MULTIPART}}, pieces


async def test_a_file_comes_in_pieces_as_far_as_they_are_granted(site: Actions) -> None:
    head, pieces = upload()
    async with socket_to(site, ALICE) as hand:
        hand.say(head)
        granted = (await hand.told()).head["credit"]
        for piece in [*pieces, b""]:
            while granted < len(piece):
                granted += (await hand.told()).head["credit"]
            granted -= len(piece)
            hand.say_bytes(message_of(1, piece))
        lines = await hand.rest(1)

    assert lines[0]["data"]["total"] == 300 * KB


async def test_a_request_that_is_refused_is_granted_no_body() -> None:
    async def refuse(ctx: Context) -> None:
        raise Unauthorized

    async with opened(world(guards=[refuse])) as site, socket_to(site, ALICE) as hand:
        hand.say(upload()[0])
        told = await hand.answer()

    assert told.head["status"] == 401


async def test_a_client_that_sends_more_than_was_granted_is_cut_off(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.say(upload()[0])
        hand.say_bytes(message_of(1, b"y" * KB))

        assert await hand.closed() == CloseCode.BAD_MESSAGE


async def test_a_client_that_leaves_in_an_upload_starts_nothing(site: Actions) -> None:
    head, pieces = upload()
    async with socket_to(site, ALICE) as hand:
        hand.say(head)
        await hand.told()
        hand.say_bytes(message_of(1, pieces[0]))
        hand.say({"id": 1, "leave": True})
        hand.ask(2, "GET", "/runs")
        while (told := await hand.told()).head["id"] != 2:
            pass

    assert told.json["runs"] == []


async def test_an_upload_that_is_left_gives_its_room_back() -> None:
    room = Allowance(MORE_BYTES)
    asked = Asked(id=1, method="POST", target="/", headers={}, body=None, credit=1)

    async def write(_: str) -> None:
        """Send nothing."""

    channel = Channel(asked, write, room)
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(channel.receive())
        await asyncio.sleep(0)
        assert room.left == 0
        channel.take(b"x")
    channel.leave()

    assert reading.result()["body"] == b"x"
    assert room.left == MORE_BYTES


# What is refused.


async def test_a_request_that_cannot_be_read_is_answered_as_such(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "PATCH", "/say")
        refused = await hand.answer()
        hand.ask(2, "POST", "/echo", {"value": "x" * MAX_BODY_BYTES})
        too_large = await hand.answer()

    assert (refused.head["id"], refused.head["status"]) == (1, 400)
    assert refused.json["error"]["code"] == "PARSE_ERROR"
    assert (too_large.head["id"], too_large.head["status"]) == (2, 413)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"id":0}', '{"id":true}', '{"id":1,"id":1}']
)
async def test_a_message_that_belongs_to_no_request_closes_the_socket(
    site: Actions, text: str
) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.say_text(text)

        assert await hand.closed() == CloseCode.BAD_MESSAGE


async def test_a_binary_message_without_an_id_closes_the_socket(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.say_bytes(b"abc")

        assert await hand.closed() == CloseCode.BAD_MESSAGE


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1])
async def test_a_message_that_is_too_large_closes_the_socket(site: Actions, size: int) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.say_text("x" * size)

        assert await hand.closed() == CloseCode.TOO_LARGE


async def test_an_id_that_is_in_use_closes_the_socket(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/wait", {})
        await hand.told()
        hand.ask(1, "POST", "/wait", {})

        assert await hand.closed() == CloseCode.BAD_MESSAGE


async def test_a_socket_has_a_limit_of_requests() -> None:
    limits = RequestLimits(socket_requests=2)
    async with opened(world(request_limits=limits)) as site, socket_to(site, ALICE) as hand:
        for number in (1, 2, 3):
            hand.ask(number, "POST", "/wait", {})
        heads = dict[int, dict[str, Any]]()
        while 3 not in heads:
            head = (await hand.told()).head
            heads.setdefault(head["id"], head)

    assert heads[3]["status"] == 429
    assert heads[3]["headers"]["retry-after"]


async def test_refusals_that_nobody_reads_close_the_socket() -> None:
    limits = RequestLimits(socket_requests=2)
    async with opened(world(request_limits=limits)) as site, socket_to(site, ALICE) as hand:
        hand.room.clear()
        for number in range(1, 20):
            hand.ask(number, "PATCH", "/say")
        await asyncio.sleep(0)
        hand.room.set()
        told = 0
        while (await hand.message())["type"] != "websocket.close":
            told += 1

    assert told < 8


# Time, and the end.


def test_a_socket_without_requests_is_closed_after_a_while() -> None:
    async def program() -> tuple[int, float]:
        actions = world(timing=Timing(socket_idle=60, grace=0))
        async with opened(actions), socket_to(actions, ALICE) as hand:
            loop = asyncio.get_running_loop()
            began = loop.time()
            hand.ask(1, "POST", "/add", {"a": 1, "b": 2})
            while "end" not in (await hand.told()).head:
                pass
            async with asyncio.timeout(100):
                message = await hand.from_server.get()
            return message["code"], loop.time() - began

    code, seconds = run_virtually(program())
    assert code == CloseCode.IDLE
    assert 60 <= seconds < 61


def test_a_socket_that_follows_a_run_is_not_idle() -> None:
    async def program() -> list[dict[str, Any]]:
        actions = world(timing=Timing(socket_idle=1, keepalive=15, grace=0))
        async with opened(actions), socket_to(actions, ALICE) as hand:
            hand.ask(1, "POST", "/wait", {})
            return [(await hand.told(40.0)).head for _ in range(3)]

    assert run_virtually(program())[1:] == [{"id": 1}] * 2  # a chunk, and a keepalive


async def test_a_stop_says_farewell_to_each_run_and_to_the_socket(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/wait", {})
        await hand.told()
        await hand.told()
        site.drain()
        last = await hand.told()
        farewell = await hand.told()

        assert await hand.closed() == CloseCode.RESTART

    assert last.head == {"id": 1, "end": True}
    assert 500 <= farewell.head["retryMs"] <= 1500


async def test_an_answer_that_the_server_loses_is_broken_off() -> None:
    async with opened(world()) as site, socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/fail_late", {}, headers={"Accept": "text/plain"})
        await hand.told()
        told = [(await hand.told()) for _ in range(2)]

    assert told[0].body == "so far"
    assert told[1].head == {"id": 1, "aborted": True}


# The caller.


async def test_each_request_is_identified(site: Actions) -> None:
    run_id = await begun(site, headers=BOB)
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", f"/runs/{run_id}")
        alice = await hand.answer()
        hand.say({"token": "bob"})
        hand.ask(2, "GET", f"/runs/{run_id}")
        bob = await hand.answer()

    assert (alice.head["status"], bob.head["status"]) == (403, 200)


async def test_revoked_access_ends_streams_over_a_socket(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "POST", "/wait", {})
        await hand.told()
        await hand.told()
        await site.disconnect("alice")

        assert await hand.rest(1) == []


async def test_a_stream_ends_when_its_identity_expires_and_is_identified_again() -> None:
    seen = []

    async def expiring(request: HTTPConnection) -> Identity:
        seen.append(request.headers["authorization"])
        return Identity(owner="alice", expires_at=SystemClock().now() + 0.05)

    timing = Timing(keepalive=0.03, grace=0)
    async with (
        opened(world(identify=expiring, timing=timing)) as site,
        socket_to(site, ALICE) as hand,
    ):
        hand.ask(1, "POST", "/wait", {})
        head = (await hand.told()).head
        lines = await hand.rest(1)
        hand.say({"token": "new"})
        await follow(hand, head["headers"]["run-id"], number=2)

    assert [line["type"] for line in lines] == ["chunk"]
    assert seen == ["Bearer alice", "Bearer alice", "Bearer new"]
