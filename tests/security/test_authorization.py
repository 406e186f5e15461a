"""Threats 1, 2 and 4: a way in without a check, another's run, another's hand in a log."""

import re
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Final

import pytest

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import (
    ALICE,
    BOB,
    NDJSON,
    NOBODY,
    PAGE,
    SSE,
    TEXT,
    UNKNOWN,
    WHOLE,
    begun,
    ended,
    log_of,
    opened,
    world,
)
from yieldwire import Actions, devtools
from yieldwire.asgi.route import PUBLIC
from yieldwire.asgi.routes import ROUTES
from yieldwire.log.run import new_run_id


class Rule(StrEnum):
    """Who gets an answer from a route."""

    EVERYBODY = "everybody, whatever their credentials"
    KNOWN = "everybody whose credentials are not refused, the anonymous too"
    OWNER = "the run's owner"
    LINK = "everybody with a signed link, whatever their credentials"


RULES: Final = {
    ("GET", "client.js"): Rule.EVERYBODY,
    ("GET", "follow.js"): Rule.EVERYBODY,
    ("GET", "follow.css"): Rule.EVERYBODY,
    ("GET", "health"): Rule.EVERYBODY,
    ("GET", "health/live"): Rule.EVERYBODY,
    ("GET", "ws"): Rule.EVERYBODY,  # as a request; a handshake is in `tests/asgi/websocket`
    ("GET", "manifest.json"): Rule.KNOWN,
    ("GET", "openapi.json"): Rule.KNOWN,
    ("GET", "test-stream"): Rule.KNOWN,
    ("GET", "{}"): Rule.KNOWN,
    ("POST", "{}"): Rule.KNOWN,
    ("POST", "{}/uploads"): Rule.KNOWN,  # within the guards of the start
    ("POST", "{}/cancel"): Rule.KNOWN,  # whose keys are their own: `tests/asgi/test_polling.py`
    ("GET", "runs"): Rule.KNOWN,  # with the developer page: without it, see below
    ("GET", "runs/{}"): Rule.OWNER,
    ("DELETE", "runs/{}"): Rule.OWNER,
    ("GET", "runs/{}/events"): Rule.OWNER,
    ("POST", "runs/{}/cancel"): Rule.OWNER,
    ("POST", "runs/{}/questions/{}"): Rule.OWNER,
    ("POST", "runs/{}/inbox"): Rule.OWNER,
    ("GET", "answers/{}"): Rule.LINK,
    ("POST", "answers/{}"): Rule.LINK,
    # In development only, and there for everybody who can reach it.
    ("GET", ""): Rule.KNOWN,
    ("GET", "dev/runs"): Rule.KNOWN,
    ("GET", "dev/runs/{}"): Rule.KNOWN,
    ("POST", "dev/runs/{}/cancel"): Rule.KNOWN,
    ("POST", "dev/runs/{}/webhooks"): Rule.KNOWN,
    ("GET", "dev/<file>"): Rule.KNOWN,
}
"""A new route fails a test here until it is listed with who can use it."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT")


def developed() -> Actions:
    actions = world()
    devtools.attach(actions)
    return actions


def name_of(pattern: Sequence[str]) -> str:
    if pattern[0] == "dev" and pattern[1] != "runs":
        return "dev/<file>"
    return "/".join(pattern)


TABLE: Final = developed().site.routes
HANDLED: Final = [(method, pattern) for pattern, methods in TABLE.items() for method in methods]
each_route = pytest.mark.parametrize(
    ("method", "pattern"), HANDLED, ids=[f"{method} {name_of(p)}" for method, p in HANDLED]
)


@pytest.fixture
async def development() -> AsyncIterator[Actions]:
    async with opened(developed()) as actions:
        yield actions


def call_of(method: str, pattern: Sequence[str], run_id: str, headers: Fields) -> Call:
    """Return a request of a route that would succeed if its caller is allowed to make it."""
    action = "say" if method == "POST" else "tick"
    target = "/".join(pattern).replace("{}", run_id if "runs" in pattern else action)
    if method == "POST":
        return post(f"/{target}", {}, [*headers, ("idempotency-key", "a-key-of-22-characters")])
    return Call(method=method, target=f"/{target}", headers=headers)


def rule_of(method: str, pattern: Sequence[str]) -> Rule:
    return RULES[method, name_of(pattern)]


def test_every_route_is_listed_with_who_can_use_it() -> None:
    routes = {(method, name_of(pattern)) for method, pattern in HANDLED}

    assert routes == set(RULES)


def test_what_is_public_is_what_is_listed_so() -> None:
    listed = {path for (_, path), rule in RULES.items() if rule is Rule.EVERYBODY}

    assert {"/".join(pattern) for pattern in PUBLIC} == listed


def test_nothing_of_the_developer_page_is_there_unless_it_is_attached() -> None:
    assert [pattern for pattern in ROUTES if pattern[0] in {"", "dev"}] == []


@each_route
@pytest.mark.parametrize("who", [UNKNOWN, NOBODY, BOB, ALICE], ids=["unknown", "-", "bob", "alice"])
async def test_a_route_answers_only_whom_its_rule_names(
    development: Actions, method: str, pattern: tuple[str, ...], who: Fields
) -> None:
    rule = rule_of(method, pattern)
    run_id = await ended(development)

    answer = await send(development, call_of(method, pattern, run_id, who))

    refusals = {
        Rule.EVERYBODY: {},
        Rule.KNOWN: {UNKNOWN: 401},
        Rule.OWNER: {UNKNOWN: 401, NOBODY: 401, BOB: 403},
        Rule.LINK: dict.fromkeys([UNKNOWN, NOBODY, BOB, ALICE], 403),
    }
    # The owner's run has neither asked anything nor an inbox, and there is no object store.
    is_told = pattern[-2:] == ("questions", "{}") or pattern[-1] in {"inbox", "uploads"}
    admitted = 404 if is_told else 204 if method == "DELETE" else 200
    admitted = 426 if pattern == ("ws",) else admitted
    assert answer.status == refusals[rule].get(who, admitted)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_runs_are_listed_for_the_anonymous_on_a_development_server_only(method: str) -> None:
    call = Call(method=method, target="/runs", headers=NOBODY)

    async with opened(world()) as production, opened(developed()) as development:
        answers = [await send(each, call) for each in (production, development)]

    assert [answer.status for answer in answers] == [401, 200]


@each_route
async def test_a_head_is_refused_where_its_get_would_be(
    development: Actions, method: str, pattern: tuple[str, ...]
) -> None:
    if method != "GET" or rule_of(method, pattern) is not Rule.OWNER:
        return
    run_id = await ended(development)

    answer = await send(development, call_of("HEAD", pattern, run_id, NOBODY))

    assert (answer.status, answer.body) == (401, b"")


@pytest.mark.parametrize("pattern", TABLE, ids=[name_of(pattern) for pattern in TABLE])
async def test_a_method_that_a_route_does_not_have_does_nothing(
    development: Actions, pattern: tuple[str, ...]
) -> None:
    run_id = await begun(development)
    handled = {*TABLE[pattern], "HEAD"}
    before = await log_of(development, run_id)

    statuses = {
        method: (await send(development, call_of(method, pattern, run_id, ALICE))).status
        for method in METHODS
        if method not in handled
    }

    assert set(statuses.values()) == {405}
    assert await log_of(development, run_id) == before


# Everything that can be done to a run by somebody who has its id.

JSON = ("content-type", "application/json")
DEEDS: Final = {
    "snapshot": lambda run, who: get(f"/runs/{run}", who),
    "snapshot behind a seq": lambda run, who: get(f"/runs/{run}?after=0", who),
    "snapshot, held": lambda run, who: get(f"/runs/{run}?after=1&wait=5", who),
    "page": lambda run, who: get(f"/runs/{run}", [*who, PAGE]),
    "head": lambda run, who: Call(method="HEAD", target=f"/runs/{run}", headers=who),
    "events": lambda run, who: get(f"/runs/{run}/events", [*who, SSE]),
    "events, NDJSON": lambda run, who: get(f"/runs/{run}/events", [*who, NDJSON]),
    "events, text": lambda run, who: get(f"/runs/{run}/events", [*who, TEXT]),
    "events, head": lambda run, who: Call(method="HEAD", target=f"/runs/{run}/events", headers=who),
    "events after a cursor": lambda run, who: get(
        f"/runs/{run}/events", [*who, ("last-event-id", f"{run}.1")]
    ),
    "events behind a query": lambda run, who: get(f"/runs/{run}/events?lastEventId={run}.0", who),
    "resume by the start": lambda run, who: post(
        "/wait", {}, [*who, ("last-event-id", f"{run}.0")]
    ),
    "resume by the start, NDJSON": lambda run, who: post(
        "/wait", {}, [*who, NDJSON, ("last-event-id", f"{run}.0")]
    ),
    "resume by the start, text": lambda run, who: post(
        "/wait", {}, [*who, TEXT, ("last-event-id", f"{run}.0")]
    ),
    "resume by the start, JSON": lambda run, who: post(
        "/wait", {}, [*who, WHOLE, ("last-event-id", f"{run}.0")]
    ),
    "resume by a feed": lambda run, who: get(f"/tick?lastEventId={run}.0", who),
    "cancel": lambda run, who: post(f"/runs/{run}/cancel", {}, who),
    "cancel by a form": lambda run, who: Call(
        method="POST", target=f"/runs/{run}/cancel", headers=[*who, PAGE]
    ),
    "answer": lambda run, who: post(f"/runs/{run}/questions/1", {}, who),
    "answer by a form": lambda run, who: Call(
        method="POST", target=f"/runs/{run}/questions/1", headers=[*who, PAGE]
    ),
    "send": lambda run, who: post(f"/runs/{run}/inbox", {}, who),
    "delete": lambda run, who: Call(method="DELETE", target=f"/runs/{run}", headers=who),
}
each_deed = pytest.mark.parametrize("deed", DEEDS)
each_stranger = pytest.mark.parametrize(
    ("who", "status"), [(BOB, 403), (NOBODY, 401), (UNKNOWN, 401)], ids=["bob", "-", "unknown"]
)


@each_deed
@each_stranger
@pytest.mark.parametrize("make", [begun, ended], ids=["running", "ended"])
async def test_a_caller_who_does_not_own_a_run_gets_nothing_of_it_and_changes_nothing(
    site: Actions, deed: str, who: Fields, status: int, make: object
) -> None:
    run_id = await (begun(site) if make is begun else ended(site))
    before = await site.app.store.get(run_id), await log_of(site, run_id)

    answer = await send(site, DEEDS[deed](run_id, who))

    assert answer.status == status
    assert b"waiting" not in answer.body
    assert b"hello" not in answer.body
    assert "etag" not in answer.headers
    assert (await site.app.store.get(run_id), await log_of(site, run_id)) == before


@each_deed
@pytest.mark.parametrize("who", [ALICE, BOB, NOBODY], ids=["alice", "bob", "-"])
async def test_a_run_that_does_not_exist_is_unknown_to_everybody_alike(
    site: Actions, deed: str, who: Fields
) -> None:
    answer = await send(site, DEEDS[deed](new_run_id(), who))

    assert answer.status == 404


@each_deed
async def test_an_answer_about_a_run_that_is_not_there_does_not_say_who_asks_of_what(
    site: Actions, deed: str
) -> None:
    run_id = new_run_id()

    told = [(await send(site, DEEDS[deed](run_id, who))).body for who in (ALICE, BOB, NOBODY)]

    assert len(set(told)) == 1


async def test_the_key_of_another_owner_starts_a_run_of_ones_own(site: Actions) -> None:
    key = ("idempotency-key", "order-1")

    alices, bobs = [
        (await send(site, post("/say", {}, [*who, WHOLE, key]))).headers["run-id"]
        for who in (ALICE, BOB)
    ]

    assert alices != bobs
    assert (await send(site, get(f"/runs/{bobs}", BOB))).status == 200
    assert (await send(site, get(f"/runs/{alices}", BOB))).status == 403


async def test_a_list_has_the_callers_own_runs_only(site: Actions) -> None:
    alices = await ended(site)
    bobs = await ended(site, headers=BOB)
    await ended(site, headers=NOBODY)

    listed = [
        [run["id"] for run in (await send(site, get("/runs", who))).json()["runs"]]
        for who in (ALICE, BOB)
    ]

    assert listed == [[alices], [bobs]]


async def test_no_query_parameter_shows_the_runs_of_others(site: Actions) -> None:
    run_id = await ended(site)
    await ended(site, headers=BOB)

    for query in ("owner=alice", "everyone=true", f"before={run_id}&everyone=1", "owner="):
        listed = (await send(site, get(f"/runs?{query}", BOB))).json()["runs"]

        assert run_id not in [run["id"] for run in listed]


async def test_a_run_without_an_owner_is_open_to_everyone_with_its_id(site: Actions) -> None:
    run_id = await ended(site, headers=NOBODY)

    statuses = [(await send(site, get(f"/runs/{run_id}", who))).status for who in (NOBODY, BOB)]

    assert statuses == [200, 200]


def test_a_run_id_has_at_least_120_random_bits() -> None:
    ids = {new_run_id() for _ in range(10_000)}

    assert len(ids) == 10_000
    assert all(re.fullmatch(r"r[A-Za-z0-9_-]{20}", each) for each in ids)
    # Every place of the 20 has every one of the 64 characters that it can have: 6 bits each.
    assert {len({each[place] for each in ids}) for place in range(1, 21)} == {64}
