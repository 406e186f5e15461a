"""Threats 10, 11 and 28: chunks that look like frames, lines or ends, over each transport."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from tests.support.calls import get, post, send
from tests.support.ndjson import NDJSONDecoder
from tests.support.world import ALICE, NDJSON, PAGE, SSE, TEXT, WHOLE, ended, opened, world
from yieldwire import ActionError, Actions, Text
from yieldwire.codecs.sse import SSEParser

Told = list[tuple[int, str, bytes]]

HOSTILE: Final = [
    "\n\n",
    "\r\n\r\n",
    "\r",
    "\r\revent: done\r\rdata: {}\r\r",
    "a\n\nid: r0.99\nevent: done\ndata: {}\n\n",
    "x\ndata: y\nretry: 1\n",
    "\x00id: 1\x00",
    "\ufeff",
    "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e",
    '"}\n{"seq":9,"type":"done","data":{}}\n',
    ": keepalive\n\n",
    "</script><script>alert(1)</script>",
    "\\u000a\\n\\r",
    "\x7f\x1b[2J",
    "😀\ud7ff\ue000",
]
LINES: Final = st.text(
    alphabet=st.sampled_from(list('\n\r\0 :"\\{}[],idatevnr\u2028\u2029\x85\ufeff😀1.')),
    max_size=40,
)
VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | LINES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINES, inner, max_size=3),
    max_leaves=6,
)


def told_by_sse(body: bytes) -> Told:
    """Read an event stream as a browser does, without the rules of this protocol."""
    messages = SSEParser().feed(body)
    return [
        (
            int(message.last_event_id.split(".")[1]),
            "chunk" if message.event == "message" else message.event,
            message.data.encode(),
        )
        for message in messages
        if message.event != "run"
    ]


def told_by_lines(body: bytes) -> Told:
    return [(each.seq, each.type.value, each.data) for each in NDJSONDecoder().feed(body)]


async def told_by_each(site: Actions, run_id: str) -> dict[str, Told]:
    """Return a run's events as each transport tells them, the data as its own bytes."""
    events = f"/runs/{run_id}/events"
    sse = await send(site, get(events, [*ALICE, SSE]))
    lines = await send(site, get(events, [*ALICE, NDJSON]))
    poll = await send(site, get(f"/runs/{run_id}?after=0", ALICE))
    return {
        "sse": told_by_sse(sse.body),
        "ndjson": told_by_lines(lines.body),
        "polling": [
            (each["seq"], each["type"], to_json(each["data"])) for each in poll.json()["events"]
        ],
    }


def value_of(told: Told) -> list[tuple[int, str, Any]]:
    return [(seq, kind, from_json(data)) for seq, kind, data in told]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_chunk_is_one_event_on_every_transport(site: Actions, text: str) -> None:
    run_id = await ended(site, "echo", {"value": [text, {text: text}]})

    told = await told_by_each(site, run_id)

    whole = [(1, "chunk", [text, {text: text}]), (2, "done", {})]
    assert {name: value_of(each) for name, each in told.items()} == dict.fromkeys(told, whole)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(value=VALUES)
def test_the_bytes_of_an_event_are_the_same_on_every_transport(value: object) -> None:
    async def check() -> dict[str, Told]:
        async with opened(world()) as site:
            return await told_by_each(site, await ended(site, "echo", {"value": value}))

    told = asyncio.run(check())

    assert told["sse"] == told["ndjson"]
    assert [(seq, kind) for seq, kind, _ in told["sse"]] == [(1, "chunk"), (2, "done")]
    assert from_json(told["sse"][0][2]) == value
    assert value_of(told["polling"]) == value_of(told["sse"])


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_frame_is_one_id_line_at_most_one_event_line_and_one_data_line(
    site: Actions, text: str
) -> None:
    run_id = await ended(site, "echo", {"value": text})

    body = (await send(site, get(f"/runs/{run_id}/events", [*ALICE, SSE]))).body

    frames = body.removesuffix(b"\n\n").split(b"\n\n")
    names = [[line.partition(b":")[0] for line in frame.split(b"\n")] for frame in frames]
    assert names == [[b"id", b"event", b"data"], [b"id", b"data"], [b"id", b"event", b"data"]]
    assert b"\r" not in body
    assert b"\0" not in body


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_line_of_ndjson_is_one_event(site: Actions, text: str) -> None:
    run_id = await ended(site, "echo", {"value": text})

    body = (await send(site, get(f"/runs/{run_id}/events", [*ALICE, NDJSON]))).body

    assert [from_json(line)["seq"] for line in body.removesuffix(b"\n").split(b"\n")] == [1, 2]


@pytest.mark.parametrize("text", HOSTILE)
async def test_plain_text_is_the_text_and_nothing_else(site: Actions, text: str) -> None:
    answer = await send(site, post("/say", {"text": text, "times": 2}, [*ALICE, TEXT]))

    assert answer.body == text.encode() * 2
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_error_is_one_last_event(text: str) -> None:
    actions = world()

    @actions.action
    async def complain() -> AsyncIterator[Text]:
        yield Text("so far")
        raise ActionError("COMPLAINT", text, data={"text": text})

    async with opened(actions) as site:
        told = await told_by_each(site, await ended(site, "complain"))

    for each in map(value_of, told.values()):
        assert [(seq, kind) for seq, kind, _ in each] == [(1, "chunk"), (2, "error")]
        assert (each[1][2]["message"], each[1][2]["data"]) == (text, {"text": text})


@pytest.mark.parametrize("text", HOSTILE)
async def test_the_page_shows_what_came_as_text_only(site: Actions, text: str) -> None:
    markup = f"<b>{text}</b>\"'><img src=x>"
    spoken = await ended(site, "say", {"text": markup})
    progress = {"type": "progress", "current": markup, "total": markup, "message": markup}
    measured = await ended(site, "echo", {"value": progress})

    for run_id in (spoken, measured):
        page = (await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE]))).body

        assert b"<b>" not in page
        assert b"<img" not in page
        assert b"<script>" not in page


async def test_the_page_runs_no_script_but_the_packages_own(site: Actions) -> None:
    run_id = await ended(site)

    answers = [
        await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE])),
        await send(site, get("/runs/none", [*ALICE, PAGE])),
    ]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("base", ["/a\r\nset-cookie: x=y", '/"><script>', "/é ü", "/a\0b"])
async def test_a_path_that_a_caller_chose_breaks_no_header_and_no_page(
    site: Actions, base: str
) -> None:
    started = await send(site, post("/say", {}, [*ALICE, PAGE], root_path=base))
    page = await send(
        site, get(f"/runs/{started.headers['run-id']}", [*ALICE, PAGE], root_path=base)
    )

    location = started.headers["location"]
    assert location.isascii()
    assert location.isprintable()
    assert not {'"', "<", ">", " "} & set(location)
    assert b"<script>" not in page.body


async def test_nothing_of_a_request_comes_back_in_a_header(site: Actions) -> None:
    canary = "canary-4711"
    headers = [
        *ALICE,
        ("x-request-id", canary),
        ("origin", f"http://{canary}"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", canary),
        ("sec-fetch-site", "same-origin"),
        ("idempotency-key", canary),
    ]

    answer = await send(site, post("/say", {"text": canary}, [*headers, WHOLE]))

    assert canary not in str(answer.headers)
