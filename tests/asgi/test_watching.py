"""A list that stays current: what matches, what is new, and what has changed."""

from collections.abc import AsyncIterator

import pytest
from pydantic_core import from_json
from starlette.requests import HTTPConnection

from tests.support.calls import get, post, send, stream
from tests.support.sockets import HandSocket, socket_to
from tests.support.world import ALICE, BOB, SSE, begun, ended, opened, world
from yieldwire import Actions, Context, Progress, Timing
from yieldwire.asgi import watching
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.errors import StoreError


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.01)


async def heard(hand: HandSocket, number: int = 1) -> dict[str, str]:
    """Return the next runs that are told, as their statuses by their ids."""
    while True:
        told = await hand.told()
        if told.head["id"] == number and told.lines:
            return {run["id"]: run["status"] for run in told.lines[0]["runs"]}


async def test_a_list_tells_what_there_is_then_what_is_new_and_what_changes(site: Actions) -> None:
    first = await ended(site)
    await ended(site, headers=BOB)
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", "/runs?watch=1")
        assert await heard(hand) == {first: "completed"}

        second = await begun(site)
        told = await heard(hand)
        while told != {second: "running"}:
            assert told.keys() == {second}
            told = await heard(hand)
        await send(site, post(f"/runs/{second}/cancel", {}, ALICE))
        while told != {second: "cancelled"}:
            assert told.keys() == {second}
            told = await heard(hand)


async def test_a_run_that_matches_no_longer_is_told_once(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", "/runs?watch=true&status=running")
        assert await heard(hand) == {}

        run_id = await begun(site)
        while await heard(hand) != {run_id: "running"}:
            pass
        await send(site, post(f"/runs/{run_id}/cancel", {}, ALICE))
        while await heard(hand) != {run_id: "cancelled"}:
            pass


async def test_a_list_can_say_how_far_the_runs_are_that_have_not_ended() -> None:
    actions = world()

    @actions.action(asks=bool)
    async def ask(ctx: Context) -> AsyncIterator[Progress]:
        yield Progress(1, total=4)
        await ctx.ask(bool, "Sure?")

    async with opened(actions) as site:
        over, run_id = await ended(site), await begun(site, "ask")
        plain = (await send(site, get("/runs", ALICE))).json()["runs"]
        asking, other = (await send(site, get("/runs?details=1", ALICE))).json()["runs"]
        while not asking["questions"]:
            asking, other = (await send(site, get("/runs?details=1", ALICE))).json()["runs"]
        async with socket_to(site, ALICE) as hand:
            hand.ask(1, "GET", "/runs?watch=1&details=1")
            told = await hand.told()
            while not told.lines:
                told = await hand.told()

    assert [run.keys() & {"progress", "questions"} for run in plain] == [set(), set()]
    assert (other["id"], "progress" in other) == (over, False)
    assert (asking["id"], asking["progress"]["percent"]) == (run_id, 25)
    assert [question["prompt"] for question in asking["questions"]] == ["Sure?"]
    assert (asking["waiting"], asking["cancelRequested"]) == (None, False)
    assert told.lines[0]["runs"] == [asking, other]


async def test_a_run_that_cannot_be_read_is_listed_without_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def damaged(*_: object, **__: object) -> None:
        raise StoreError("The log is damaged.")

    async with opened(world()) as site:
        run_id = await begun(site)
        monkeypatch.setattr(site.app.store, "read", damaged)
        (told,) = (await send(site, get("/runs?details=1", ALICE))).json()["runs"]

    assert (told["id"], told["status"], "progress" in told) == (run_id, "running", False)


async def test_a_list_is_server_sent_events_too(site: Actions) -> None:
    run_id = await ended(site)

    async with stream(site, get("/runs?watch=1", [*ALICE, SSE])) as answer:
        piece = await answer.read()

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    event, data, *_ = piece.decode().split("\n")
    assert event == "event: runs"
    assert [run["id"] for run in from_json(data.removeprefix("data: "))["runs"]] == [run_id]


async def test_nobody_watches_without_an_identity_or_as_a_page(site: Actions) -> None:
    anonymous = await send(site, get("/runs?watch=1", [SSE]))
    page = await send(site, get("/runs?watch=1", [*ALICE, ("accept", "image/png")]))

    assert (anonymous.status, page.status) == (401, 406)


async def test_a_list_ends_when_access_is_revoked(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", "/runs?watch=1")
        await heard(hand)
        await site.disconnect("alice")

        assert await hand.rest(1) == []


async def test_a_list_ends_when_the_server_stops(site: Actions) -> None:
    async with socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", "/runs?watch=1", headers={"Accept": "text/event-stream"})
        while not (await hand.told()).body:
            pass
        site.drain()
        told = await hand.told()

    assert told.head == {"id": 1, "end": True}
    assert told.body.startswith("retry: ")


async def test_a_list_ends_when_identify_tells_another_caller() -> None:
    names = iter(["alice", "alice", "bob"])

    async def who(_: HTTPConnection) -> str:
        return next(names)

    timing = Timing(reauthorize=0.01, grace=0)
    async with opened(world(identify=who, timing=timing)) as site, socket_to(site) as hand:
        hand.ask(1, "GET", "/runs?watch=1")

        assert await hand.rest(1) == [{"runs": []}]


async def test_a_silent_list_sends_keepalives() -> None:
    timing = Timing(keepalive=0.02, grace=0)
    async with opened(world(timing=timing)) as site, socket_to(site, ALICE) as hand:
        hand.ask(1, "GET", "/runs?watch=1")
        await heard(hand)

        assert (await hand.told()).body == " "


async def test_a_list_counts_as_a_stream_of_its_caller() -> None:
    limits = RequestLimits(streams=1)
    async with (
        opened(world(request_limits=limits)) as site,
        stream(site, get("/runs?watch=1", [*ALICE, SSE])),
    ):
        second = await send(site, get("/runs?watch=1", [*ALICE, SSE]))

    assert second.status == 429
