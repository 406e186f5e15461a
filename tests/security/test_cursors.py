"""Threats 3 and 14: a stolen cursor, and an invalid cursor."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.calls import Call, get, post, send
from tests.support.world import ALICE, BOB, begun, ended, log_of
from yieldwire import Actions
from yieldwire.errors import ForeignCursor, ParseError
from yieldwire.log.cursor import CURSOR_LENGTH, cursor_in, parse_cursor
from yieldwire.log.run import new_run_id

Place = Callable[[str, str], Call]

BY_HEADER: dict[str, Place] = {
    "events": lambda run, cursor: get(f"/runs/{run}/events", [*ALICE, ("last-event-id", cursor)]),
    "start": lambda run, cursor: post("/say", {}, [*ALICE, ("last-event-id", cursor)]),
    "feed": lambda run, cursor: get("/tick", [*ALICE, ("last-event-id", cursor)]),
}
BY_QUERY: dict[str, Place] = {
    "events, after": lambda run, cursor: get(f"/runs/{run}/events?after={cursor}", ALICE),
    "events, lastEventId": lambda run, cursor: get(
        f"/runs/{run}/events?lastEventId={cursor}", ALICE
    ),
    "snapshot": lambda run, cursor: get(f"/runs/{run}?after={cursor}", ALICE),
    "feed, lastEventId": lambda run, cursor: get(f"/tick?lastEventId={cursor}", ALICE),
}
PLACES = {**BY_HEADER, **BY_QUERY}
OF_A_RUN = [name for name in PLACES if name.startswith(("events", "snapshot"))]

HOSTILE = [
    "x",
    "1.",
    ".1",
    "..",
    "-1",
    "1e3",
    "0x1",
    "{run}",
    "{run}.",
    "{run}.-1",
    "{run}.+1",
    "{run}.01",
    "{run}.1 ",
    " {run}.1",
    "{run}.1.1",
    "{run}.1,{run}.2",
    "{run}.1_0",
    "{run}.9" + "9" * 15,
    "{run}/../{run}.1",
    "../{run}.1",
    "{run}.1;",
    "{run}.null",
    "{run}.NaN",
    "{run}." + "1" * CURSOR_LENGTH,
    "a" * 10_000,
    "{run}.1\tx",
]
BY_BYTE = ["{run}.²", "²", "{run}.1\xa0", "{run}.1\x00", "\x00", "é.1"]
ESCAPED = [
    "{run}.%D9%A1",
    "%D9%A1",
    "{run}.%C2%B2",
    "%00",
    "{run}.1%00",
    "{run}.1%0A",
    "%F0%9F%98%80",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("cursor", HOSTILE)
async def test_what_is_not_a_cursor_is_refused_everywhere(
    site: Actions, place: str, cursor: str
) -> None:
    run_id = await ended(site)

    call = PLACES[place](run_id, cursor.replace("{run}", run_id).replace(" ", "%20"))
    answer = await send(site, call)

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("place", BY_HEADER)
@pytest.mark.parametrize("cursor", BY_BYTE)
async def test_a_cursor_in_a_header_is_ascii(site: Actions, place: str, cursor: str) -> None:
    run_id = await ended(site)

    answer = await send(site, BY_HEADER[place](run_id, cursor.replace("{run}", run_id)))

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("place", BY_QUERY)
@pytest.mark.parametrize("cursor", ESCAPED)
async def test_a_cursor_in_a_query_is_ascii(site: Actions, place: str, cursor: str) -> None:
    run_id = await ended(site)

    answer = await send(site, BY_QUERY[place](run_id, cursor.replace("{run}", run_id)))

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("place", OF_A_RUN)
async def test_a_cursor_of_another_run_of_ones_own_is_gone(site: Actions, place: str) -> None:
    run_id, other = await ended(site), await ended(site)

    answer = await send(site, PLACES[place](run_id, f"{other}.1"))

    assert (answer.status, answer.json()["error"]["code"]) == (410, "GONE")


@pytest.mark.parametrize("place", OF_A_RUN)
async def test_a_cursor_beyond_the_end_of_the_log_is_gone(site: Actions, place: str) -> None:
    run_id = await ended(site)

    answer = await send(site, PLACES[place](run_id, f"{run_id}.3"))

    assert (answer.status, answer.json()["error"]["code"]) == (410, "GONE")


async def test_a_cursor_beyond_the_end_is_gone_where_it_resumes_too(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, post("/say", {}, [*ALICE, ("last-event-id", f"{run_id}.3")]))

    assert answer.status == 410


async def test_a_cursor_does_not_resume_a_run_of_another_action(site: Actions) -> None:
    run_id = await ended(site)

    for call in (
        post("/echo", {"value": 1}, [*ALICE, ("last-event-id", f"{run_id}.1")]),
        get(f"/tick?lastEventId={run_id}.1", ALICE),
    ):
        assert (await send(site, call)).status == 410


@pytest.mark.parametrize("place", OF_A_RUN)
async def test_a_stolen_cursor_says_no_more_than_a_guess(site: Actions, place: str) -> None:
    mine, alices = await ended(site, headers=BOB), await ended(site)
    calls = [PLACES[place](mine, f"{run}.1") for run in (alices, new_run_id())]

    told = [
        await send(site, Call(method=call.method, target=call.target, headers=headers))
        for call in calls
        for headers in [[*BOB, *[pair for pair in call.headers if pair[0] == "last-event-id"]]]
    ]

    assert (told[0].status, told[0].body) == (told[1].status, told[1].body)
    assert told[0].status == 410


async def test_a_cursor_never_starts_a_run(site: Actions) -> None:
    run_id = await begun(site)

    for cursor in (f"{run_id}.9", f"{new_run_id()}.0", "x"):
        await send(site, post("/wait", {}, [*ALICE, ("last-event-id", cursor)]))

    assert [run["id"] for run in (await send(site, get("/runs", ALICE))).json()["runs"]] == [run_id]


async def test_the_header_wins_over_the_query(site: Actions) -> None:
    run_id = await ended(site)
    headers = [*ALICE, ("last-event-id", f"{run_id}.1")]

    answer = await send(site, get(f"/runs/{run_id}/events?after={run_id}.0", headers))

    last = (await log_of(site, run_id))[-1]
    assert answer.body.count(b"\n\n") == 2
    assert f"id: {run_id}.{last[0]}\nevent: done".encode() in answer.body


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        cursor = parse_cursor(text)
    except ParseError:
        return

    assert str(cursor) == text
    assert text.isascii()


@given(st.text(alphabet="0123456789\xb2\u0661\u0663", max_size=20))
def test_a_bare_seq_is_ascii_digits(text: str) -> None:
    try:
        seq = cursor_in(text, "run").seq
    except (ParseError, ForeignCursor):
        return

    assert text.isascii()
    assert seq == int(text)
