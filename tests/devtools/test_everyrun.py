"""Every run, as the developer page asks for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_core import from_json

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.receiver import SECRET
from tests.support.world import ALICE, BOB, NDJSON, NOBODY, WHOLE, opened, wait_for_end, world
from yieldwire import Actions, devtools
from yieldwire.webhooks import Webhook


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    actions = world()
    actions.feed(shared=True)(watch)
    devtools.attach(actions)
    async with opened(actions) as opened_site:
        yield opened_site


async def watch() -> AsyncIterator[int]:
    """Yield something that all readers share."""
    for number in range(1_000_000):
        yield number


async def said(site: Actions, text: str, who: Fields = ALICE) -> str:
    """Return the id of a run that has ended."""
    run_id = (await send(site, post("/say", {"text": text}, [*who, WHOLE]))).headers["run-id"]
    await wait_for_end(site, run_id)
    return run_id


async def listed(site: Actions, query: str = "") -> Any:  # noqa: ANN401 - JSON
    answer = await send(site, get(f"/dev/runs?{query}"))
    assert answer.status == 200
    return answer.json()


async def ids(site: Actions, query: str) -> list[str]:
    return [run["id"] for run in (await listed(site, query))["runs"]]


async def test_runs_of_all_owners_are_listed_with_owner_and_input(site: Actions) -> None:
    await said(site, "one", ALICE)
    await said(site, "two", NOBODY)

    runs = (await listed(site))["runs"]

    assert [(run["owner"], run["brief"]) for run in runs] == [
        (None, '{"text":"two","times":1}'),
        ("alice", '{"text":"one","times":1}'),
    ]


async def test_a_list_has_the_beginning_of_a_long_input_and_a_run_has_all_of_it(
    site: Actions,
) -> None:
    text = "ä" * 1000
    run_id = await said(site, text)

    (entry,) = (await listed(site))["runs"]
    run = (await send(site, get(f"/dev/runs/{run_id}"))).json()

    assert entry["brief"].endswith("ä…")
    assert len(entry["brief"]) < 200
    assert "input" not in entry
    assert run["input"] == {"text": text, "times": 1}


async def test_the_list_of_runs_has_all_for_the_anonymous(site: Actions) -> None:
    first, second = await said(site, "one"), await said(site, "two", BOB)

    of_all, of_bob = [(await send(site, get("/runs", who))).json() for who in (NOBODY, BOB)]

    assert [run["id"] for run in of_all["runs"]] == [second, first]
    assert [run["id"] for run in of_bob["runs"]] == [second]


async def test_the_list_of_runs_stays_current_for_the_anonymous_too(site: Actions) -> None:
    run_id = await said(site, "one")

    async with stream(site, get("/runs?watch=1", [NDJSON])) as answer:
        told = from_json(await answer.read())

    assert [run["id"] for run in told["runs"]] == [run_id]


async def test_runs_are_found_by_all_words_of_a_search_in_any_part_of_them(site: Actions) -> None:
    one, two = await said(site, "x" * 400 + " Needle", ALICE), await said(site, "hay", BOB)

    assert await ids(site, "search=say%20needle") == [one]
    assert await ids(site, "search=BOB") == [two]
    assert await ids(site, f"search={two}") == [two]
    assert await ids(site, "search=completed") == [two, one]
    assert await ids(site, "search=needle%20hay") == []


async def test_a_search_continues_where_its_page_ends(site: Actions) -> None:
    runs = [await said(site, f"number {number}") for number in range(7)]
    for _ in range(3):
        await said(site, "another")

    page = await listed(site, "search=number&limit=3")
    rest = await listed(site, f"search=number&limit=10&before={page['next']}")

    found = [run["id"] for run in [*page["runs"], *rest["runs"]]]
    assert found == runs[::-1]
    assert rest["next"] is None


async def test_active_runs_are_those_that_have_not_ended(site: Actions) -> None:
    await said(site, "one")
    call = post("/wait", {}, [*ALICE, ("prefer", "respond-async")])
    waiting = (await send(site, call)).headers["run-id"]

    assert await ids(site, "active=1") == [waiting]
    assert await ids(site, "active=1&status=completed") == []


async def test_a_shared_feed_is_cancelled_for_all_of_its_readers(site: Actions) -> None:
    call = Call(method="GET", target="/watch", headers=(("prefer", "respond-async"),))
    run_id = (await send(site, call)).headers["run-id"]
    (entry,) = (await listed(site))["runs"]

    refused = await send(site, post(f"/runs/{run_id}/cancel", {}))
    cancelled = await send(site, post(f"/dev/runs/{run_id}/cancel", {}))
    await wait_for_end(site, run_id)

    assert (refused.status, cancelled.status) == (403, 200)
    assert entry["shared"] is True
    assert (await listed(site))["runs"][0]["status"] == "cancelled"


async def test_a_run_has_the_webhooks_that_were_not_delivered_and_sends_them_again() -> None:
    # Requests to private addresses are refused, so none is sent.
    lost = Webhook("https://127.0.0.1/?token=t", SECRET, schedule=[])
    waits = Webhook("https://127.0.0.2", SECRET, schedule=[600.0, 600.0])
    actions = await asyncio.to_thread(Actions, webhooks=[lost, waits])

    @actions.action
    async def double(n: int) -> int:
        return 2 * n

    devtools.attach(actions)
    async with opened(actions) as site:
        run_id = (await send(site, post("/double", {"n": 1}))).headers["run-id"]
        first = await tried(site, run_id, times=1)
        again = await send(site, post(f"/dev/runs/{run_id}/webhooks", {}))
        second = await tried(site, run_id, times=2)
        (entry,) = (await listed(site))["runs"]

    assert [(each["type"], each["url"]) for each in first] == [
        ("run.ended", "https://127.0.0.1/…"),
        ("run.ended", "https://127.0.0.2/…"),
    ]
    assert all("no address that is allowed" in each["failure"] for each in [*first, *second])
    assert (again.status, entry["hasWebhooks"]) == (200, True)


async def tried(site: Actions, run_id: str, *, times: int) -> Any:  # noqa: ANN401 - JSON
    """Return the two webhooks of a run when that many tries of each have failed."""
    async with asyncio.timeout(30.0):
        while True:
            found = (await send(site, get(f"/dev/runs/{run_id}"))).json()["webhooks"]
            lost, waits = (each["againIn"] for each in found)
            has_failed = lost is None and waits > 500.0  # else a try is under way
            if has_failed and [each["tries"] for each in found] == [times] * 2:
                return found
            await asyncio.sleep(0)


@pytest.mark.parametrize("query", ["status=lost", "limit=0", "limit=x"])
async def test_an_invalid_query_is_refused(site: Actions, query: str) -> None:
    assert (await send(site, get(f"/dev/runs?{query}"))).status == 400


@pytest.mark.parametrize(
    "call",
    [
        get("/dev/runs/rNone"),
        post("/dev/runs/rNone/cancel", {}),
        post("/dev/runs/rNone/webhooks", {}),
    ],
)
async def test_a_run_that_does_not_exist_is_not_found(site: Actions, call: Call) -> None:
    assert (await send(site, call)).status == 404
