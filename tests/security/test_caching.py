"""Threat 27: an answer that a cache keeps, and gives to somebody else."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest

from tests.support.calls import Call, get, post, send
from tests.support.world import ALICE, NDJSON, PAGE, SSE, TEXT, WHOLE, ended, opened, world
from yieldwire import devtools
from yieldwire.asgi.route import match
from yieldwire.asgi.routes import ROUTES
from yieldwire.errors import NotFound

NEVER: Final = "no-store, no-transform"
OWN: Final = "private, no-cache"
AGAIN: Final = "no-cache"

KEY: Final = ("idempotency-key", "k")

ANSWERS: Final[dict[str, tuple[Callable[[str], Call], str]]] = {
    "start, SSE": (lambda run: post("/say", {}, [*ALICE, SSE]), NEVER),
    "start, NDJSON": (lambda run: post("/say", {}, [*ALICE, NDJSON]), NEVER),
    "start, text": (lambda run: post("/say", {}, [*ALICE, TEXT]), NEVER),
    "start, JSON": (lambda run: post("/say", {}, [*ALICE, WHOLE]), NEVER),
    "start, form": (lambda run: post("/say", {}, [*ALICE, PAGE]), NEVER),
    "start, detached": (lambda run: post("/say", {}, [*ALICE, ("prefer", "respond-async")]), NEVER),
    "start, refused": (lambda run: post("/say", {"x": 1}, ALICE), NEVER),
    "start, failed": (lambda run: post("/fail", {}, ALICE), NEVER),
    "feed": (lambda run: get("/tick", ALICE), NEVER),
    "feed, head": (lambda run: Call(method="HEAD", target="/tick", headers=ALICE), NEVER),
    "events": (lambda run: get(f"/runs/{run}/events", ALICE), NEVER),
    "events, over": (lambda run: get(f"/runs/{run}/events?after=2", ALICE), NEVER),
    "snapshot": (lambda run: get(f"/runs/{run}", ALICE), OWN),
    "snapshot, behind": (lambda run: get(f"/runs/{run}?after=1", ALICE), OWN),
    "page": (lambda run: get(f"/runs/{run}", [*ALICE, PAGE]), NEVER),
    "list": (lambda run: get("/runs", ALICE), OWN),
    "cancel": (lambda run: post(f"/runs/{run}/cancel", {}, ALICE), NEVER),
    "cancel a start": (lambda run: post("/say/cancel", {}, [*ALICE, KEY]), NEVER),
    "a place for uploads": (lambda run: post("/say/uploads", {}, [*ALICE, KEY]), NEVER),
    "answer": (lambda run: post(f"/runs/{run}/questions/1", {}, ALICE), NEVER),
    "send": (lambda run: post(f"/runs/{run}/inbox", {}, ALICE), NEVER),
    "a link to a question": (lambda run: get("/answers/unsigned"), NEVER),
    "delete": (lambda run: Call(method="DELETE", target=f"/runs/{run}", headers=ALICE), NEVER),
    "forbidden": (lambda run: get(f"/runs/{run}"), NEVER),
    "unknown": (lambda run: get("/nothing/here"), NEVER),
    "unknown, page": (lambda run: get("/nothing/here", [PAGE]), NEVER),
    "method": (lambda run: Call(method="PUT", target="/runs"), NEVER),
    "options": (lambda run: Call(method="OPTIONS", target="/runs"), NEVER),
    "manifest": (lambda run: get("/manifest.json", ALICE), NEVER),
    "openapi": (lambda run: get("/openapi.json", ALICE), NEVER),
    "test stream": (
        lambda run: Call(method="HEAD", target="/test-stream", headers=ALICE),
        NEVER,
    ),
    "a socket without an upgrade": (lambda run: get("/ws"), NEVER),
    "health": (lambda run: get("/health"), NEVER),
    "alive": (lambda run: get("/health/live"), NEVER),
    "client": (lambda run: get("/client.js"), AGAIN),
    "follow script": (lambda run: get("/follow.js"), AGAIN),
    "follow style": (lambda run: get("/follow.css"), AGAIN),
    "developer page": (lambda run: get("/"), AGAIN),
    "developer file": (lambda run: get("/dev/dev.js"), AGAIN),
    "developer runs": (lambda run: get("/dev/runs"), OWN),
    "developer run": (lambda run: get(f"/dev/runs/{run}"), OWN),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_says_who_can_keep_it(name: str) -> None:
    actions = world()
    devtools.attach(actions)
    call, expected = ANSWERS[name]
    async with opened(actions) as site:
        run_id = await ended(site)

        answer = await send(site, call(run_id))

    assert answer.headers["cache-control"] == expected
    if expected == OWN:
        assert answer.headers["vary"] == "Cookie, Authorization, Accept"


async def test_every_route_has_such_a_test() -> None:
    tested = set[tuple[str, ...]]()
    for call, _ in ANSWERS.values():
        with suppress(NotFound):
            tested.add(match(call("r").target.partition("?")[0], ROUTES).pattern)

    assert set(ROUTES) - tested == set()


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
async def test_no_proxy_holds_a_stream_back(accept: tuple[str, str]) -> None:
    async with opened(world()) as site:
        answer = await send(site, post("/say", {}, [*ALICE, accept]))

    assert answer.headers["x-accel-buffering"] == "no"


async def test_an_etag_is_not_the_same_for_two_runs() -> None:
    async with opened(world()) as site:
        tags = {
            (await send(site, get(f"/runs/{await ended(site)}", ALICE))).headers["etag"]
            for _ in range(5)
        }

    assert len(tags) == 5


async def test_who_cannot_see_a_run_is_not_told_that_it_is_unchanged() -> None:
    async with opened(world()) as site:
        run_id = await ended(site)
        tag = (await send(site, get(f"/runs/{run_id}", ALICE))).headers["etag"]

        answer = await send(site, get(f"/runs/{run_id}", [("if-none-match", tag)]))

    assert answer.status == 401
