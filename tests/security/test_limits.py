"""Threats 12, 16, 17 and 29: too large, too slow, too many, too often."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Final

import pytest
from starlette.types import Message, Receive

from tests.support.calls import JSON, Call, Fields, get, post, send, stream
from tests.support.world import (
    ALICE,
    BOB,
    BRISK,
    NDJSON,
    NOBODY,
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
from yieldwire import Actions, Timing
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.safety import MAX_HEADER_BYTES, MAX_HEADERS
from yieldwire.executors import RunLimits

FORM: Final = ("content-type", "application/x-www-form-urlencoded")
MULTIPART: Final = ("content-type", "multipart/form-data; boundary=B")
SMALL: Final = RequestLimits(
    json_bytes=1000, upload_bytes=5000, files=2, fields=3, field_bytes=500, streams=2
)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(*parts: bytes, target: str = "/take") -> Call:
    body = [*parts, b"--B--\r\n"]
    return Call(method="POST", target=target, headers=[MULTIPART, *ALICE], body=body)


async def runs_of(site: Actions, who: Fields = ALICE) -> list[str]:
    return [run["id"] for run in (await send(site, get("/runs", who))).json()["runs"]]


# 12: sizes.


@pytest.mark.parametrize("kind", [JSON, FORM], ids=["json", "form"])
async def test_a_body_that_says_it_is_too_large_is_refused_unread(kind: tuple[str, str]) -> None:
    headers = [kind, *ALICE, ("content-length", "1001")]
    call = Call(method="POST", target="/say", headers=headers, body=[b""], stalls=True)
    async with opened(world(request_limits=SMALL)) as site:
        answer = await send(site, call)

    assert (answer.status, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["connection"] == "close"


async def test_an_upload_that_says_it_is_too_large_is_refused_unread() -> None:
    headers = [MULTIPART, *ALICE, ("content-length", "9" * 30)]
    call = Call(method="POST", target="/take", headers=headers, body=[b""], stalls=True)
    async with opened(world(request_limits=SMALL)) as site:
        answer = await send(site, call)

    assert answer.status == 413


@pytest.mark.parametrize("said", [[], [("content-length", "10")], [("content-length", "x")]])
@pytest.mark.parametrize("kind", [JSON, FORM], ids=["json", "form"])
async def test_a_body_is_counted_whatever_it_says(kind: tuple[str, str], said: Fields) -> None:
    call = Call(
        method="POST",
        target="/say",
        headers=[kind, *ALICE, *said],
        body=[b"x" * 600, b"x" * 600],
        stalls=True,
    )
    async with opened(world(request_limits=SMALL)) as site:
        answer = await send(site, call)

        assert answer.status == 413
        assert await runs_of(site) == []


async def test_a_body_of_just_the_limit_is_read() -> None:
    text = "x" * (1000 - len(b'{"text":""}'))
    async with opened(world(request_limits=SMALL)) as site:
        answer = await send(site, post("/say", {"text": text}, ALICE))

    assert answer.status == 200


TOO_MUCH: Final = {
    "an upload": [part("file", b"x" * 2000, "a"), part("note", b"x" * 400), b"x" * 4000],
    "files": [part("file", b"x", "a"), part("file", b"x", "b"), part("file", b"x", "c")],
    "fields": [part("note", b"x")] * 4,
    "a field": [part("note", b"x" * 501)],
}


@pytest.mark.parametrize("what", TOO_MUCH)
async def test_a_multipart_body_of_too_much_is_refused(what: str) -> None:
    async with opened(world(request_limits=SMALL)) as site:
        answer = await send(site, multipart(*TOO_MUCH[what]))

        assert (answer.status, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert await runs_of(site) == []


async def test_a_form_of_too_many_fields_is_refused() -> None:
    call = Call(method="POST", target="/say", headers=[FORM], body=[b"text=x&" * 4])
    async with opened(world(request_limits=SMALL)) as site:
        assert (await send(site, call)).status == 413


async def test_a_refused_upload_leaves_no_file_open(site: Actions) -> None:
    # An unclosed file on disk is a warning, and a warning fails the test.
    large = part("file", b"x" * 2_000_000, "a.bin")

    calls = [
        multipart(large, part("unknown", b"x")),
        multipart(large, b"--B\r\nno header\r\n"),
        multipart(large, large, part("file", b"x", "b.bin")),
        multipart(large, target="/take_boxed"),
    ]
    statuses = [(await send(site, call)).status for call in calls]

    gc.collect()
    assert statuses == [422, 400, 200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        [(f"x-{number}", "") for number in range(MAX_HEADERS)],
        [("x", "y" * MAX_HEADER_BYTES)],
        [("accept", "a/b," * (MAX_HEADER_BYTES // 4))],
        [("last-event-id", "1" * MAX_HEADER_BYTES)],
    ],
    ids=["many", "large", "accept", "cursor"],
)
async def test_headers_are_limited_whatever_the_server_lets_through(
    site: Actions, headers: Fields
) -> None:
    answer = await send(site, get("/manifest.json", headers))

    assert answer.status == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("limits", "value"),
    [
        (RunLimits(max_events=300), {"times": 5000}),
        (RunLimits(max_bytes=20_000), {"times": 5000}),
        (RunLimits(max_event_bytes=100), {"text": "x" * 200}),
    ],
    ids=["events", "bytes", "one event"],
)
async def test_a_run_that_writes_too_much_ends_and_nobody_elses_does(
    limits: RunLimits, value: object
) -> None:
    async with opened(world(run_limits=limits)) as site:
        other = await begun(site, headers=BOB)

        run_id = await ended(site, "say", value)

        run = await site.app.store.get(run_id)
        last = (await log_of(site, run_id))[-1]
        assert run.status == "failed"
        assert last[1] == "error"
        assert b'"code":"LIMIT_EXCEEDED"' in last[2]
        assert (await site.app.store.get(other)).status == "running"


# 16: time.


@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])
@pytest.mark.parametrize("body", [b"", b"--B\r\n"])
async def test_a_body_that_does_not_come_to_its_end_is_given_up(
    kind: tuple[str, str], body: bytes
) -> None:
    call = Call(method="POST", target="/say", headers=[kind, *ALICE], body=[body], stalls=True)
    async with opened(world(timing=Timing(body=0.01, grace=0.0))) as site:
        answer = await send(site, call)

        assert (answer.status, answer.json()["error"]["code"]) == (408, "REQUEST_TIMEOUT")
        assert answer.headers["connection"] == "close"
        assert await runs_of(site) == []


@pytest.mark.parametrize("asked", ["1e300", "inf", "999999", "nan", "-1"])
async def test_nobody_waits_longer_than_the_longest_wait(asked: str) -> None:
    async with opened(world(timing=Timing(wait=0.01, max_wait=0.01, grace=0.0))) as site:
        answer = await send(site, post("/wait", {}, [*ALICE, WHOLE, ("prefer", f"wait={asked}")]))

    assert answer.status == 202


# 17: how many at a time.


async def test_a_caller_has_a_limited_number_of_streams() -> None:
    async with opened(world(request_limits=SMALL)) as site, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(stream(site, post("/wait", {}, ALICE)))
        before = await runs_of(site)

        refused = [
            await send(site, post("/wait", {}, [*ALICE, accept]))
            for accept in (SSE, NDJSON, TEXT, WHOLE)
        ]
        others = await stack.enter_async_context(stream(site, post("/wait", {}, BOB)))

        assert [answer.status for answer in refused] == [429] * 4
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert await runs_of(site) == before, "a refusal must come before anything is started"
        assert others.status == 200


@pytest.mark.parametrize("how", ["events", "events, NDJSON", "resume", "held poll", "feed"])
async def test_every_stream_counts_however_it_is_asked_for(how: str) -> None:
    async with opened(world(request_limits=SMALL)) as site, AsyncExitStack() as stack:
        run_id = await begun(site)
        calls = {
            "events": get(f"/runs/{run_id}/events", ALICE),
            "events, NDJSON": get(f"/runs/{run_id}/events", [*ALICE, NDJSON]),
            "resume": post("/wait", {}, [*ALICE, ("last-event-id", f"{run_id}.0")]),
            "held poll": get(f"/runs/{run_id}?after=1&wait=60", ALICE),
            "feed": get("/tick", ALICE),
        }
        for _ in range(2):
            await stack.enter_async_context(stream(site, post("/wait", {}, ALICE)))

        answer = await send(site, calls[how])

    assert answer.status == 429


@pytest.mark.parametrize("how", ["form", "detached", "snapshot", "cancel"])
async def test_what_is_not_a_stream_does_not_count_as_one(how: str) -> None:
    async with opened(world(request_limits=SMALL)) as site, AsyncExitStack() as stack:
        run_id = await begun(site)
        calls = {
            "form": post("/wait", {}, [*ALICE, PAGE]),
            "detached": post("/wait", {}, [*ALICE, ("prefer", "respond-async")]),
            "snapshot": get(f"/runs/{run_id}", ALICE),
            "cancel": post(f"/runs/{run_id}/cancel", {}, ALICE),
        }
        for _ in range(2):
            await stack.enter_async_context(stream(site, post("/wait", {}, ALICE)))

        answer = await send(site, calls[how])

    assert answer.status < 400


ENDINGS: Final = {
    "it ends": post("/say", {}, ALICE),
    "it ends, as text": post("/say", {}, [*ALICE, TEXT]),
    "it is answered whole": post("/say", {}, [*ALICE, WHOLE]),
    "it fails": post("/fail", {}, ALICE),
    "it fails late": post("/fail_late", {}, ALICE),
    "it is not valid": post("/say", {"x": 1}, ALICE),
    "it is not JSON": Call(method="POST", target="/say", headers=[JSON, *ALICE], body=[b"{"]),
    "its cursor is foreign": post("/say", {}, [*ALICE, ("last-event-id", "r.1")]),
    "it is a feed": get("/tick", ALICE),
    "it is a head": Call(method="HEAD", target="/tick", headers=ALICE),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_slot_comes_back_when_its_stream(ending: str) -> None:
    async with opened(world(request_limits=RequestLimits(streams=1))) as site:
        await send(site, ENDINGS[ending])

        assert (await send(site, post("/say", {}, ALICE))).status == 200


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT, WHOLE])
async def test_a_slot_comes_back_when_its_client_leaves(accept: tuple[str, str]) -> None:
    timing = Timing(head_wait=0.01, wait=60.0, grace=0.0)
    async with opened(world(request_limits=RequestLimits(streams=1), timing=timing)) as site:
        if accept is WHOLE:
            # Gone before the answer: there is no head to wait for.
            await site(post("/wait", {}, [*ALICE, accept]).scope(), gone_after(b"{}"), ignore)
        else:
            async with stream(site, post("/wait", {}, [*ALICE, accept])) as response:
                await response.read()

        assert (await send(site, post("/say", {}, ALICE))).status == 200


def gone_after(body: bytes) -> Receive:
    """Return what is received of a client that sends ``body`` and leaves."""
    messages: list[Message] = [
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0) if len(messages) > 1 else messages[0]

    return receive


async def ignore(message: Message) -> None: ...


async def test_a_caller_has_a_limited_number_of_runs() -> None:
    async with opened(world(max_runs=2)) as site:
        runs = [await begun(site) for _ in range(2)]

        refused = await send(site, post("/wait", {}, [*ALICE, ("prefer", "respond-async")]))

        assert (refused.status, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
        assert "retry-after" in refused.headers
        assert sorted(await runs_of(site)) == sorted(runs)
        assert await begun(site, headers=BOB)


async def test_the_anonymous_are_told_apart_by_their_address() -> None:
    detached = ("prefer", "respond-async")
    async with opened(world(max_runs=1, trusted_proxies=["10.0.0.0/8"])) as site:
        calls = [
            post("/wait", {}, [detached], client=("192.0.2.1", 1)),
            post("/wait", {}, [detached], client=("192.0.2.1", 2)),
            post("/wait", {}, [detached], client=("192.0.2.2", 1)),
            # Nobody becomes another by saying so, with or without a proxy in between.
            post("/wait", {}, [detached, ("x-forwarded-for", "9.9.9.9")], client=("192.0.2.1", 3)),
            post("/wait", {}, [detached, ("x-forwarded-for", "192.0.2.3")], client=("10.0.0.1", 1)),
            post(
                "/wait",
                {},
                [detached, ("x-forwarded-for", "8.8.8.8, 192.0.2.3")],
                client=("10.0.0.1", 1),
            ),
            post(
                "/wait",
                {},
                [detached, ("x-forwarded-for", "8.8.8.8"), ("x-forwarded-for", "192.0.2.3")],
                client=("10.0.0.1", 1),
            ),
        ]

        statuses = [(await send(site, call)).status for call in calls]

    assert statuses == [202, 429, 202, 429, 202, 429, 429]


# 29: starting and cancelling as an attack.


async def test_starting_and_cancelling_forever_leaves_nothing_behind() -> None:
    async with opened(world(max_runs=5)) as site:
        for _ in range(200):
            run_id = await begun(site)
            await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE))
            await send(site, Call(method="DELETE", target=f"/runs/{run_id}", headers=ALICE))

        answer = await send(site, post("/say", {}, BOB))

        assert answer.status == 200
        live = [run for run in await runs_of(site) if not (await site.app.store.get(run)).ended_at]
        assert live == []


async def test_a_refused_start_runs_nothing() -> None:
    started = list[str]()
    actions = world(max_runs=1, timing=BRISK)

    @actions.action
    async def count(name: str) -> AsyncIterator[str]:
        started.append(name)
        yield name

    async with opened(actions) as site:
        await begun(site, headers=NOBODY)
        for _ in range(100):
            assert (await send(site, post("/count", {"name": "x"}))).status == 429
        await send(site, post("/count", {"name": "mine"}, ALICE))

    assert started == ["mine"]
