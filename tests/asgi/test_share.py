"""A run's page and its log for somebody without an account, by a signed link."""

from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import pytest

from tests.support.calls import Call, Fields, get, post, send
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, NOBODY, PAGE, SSE, begun, ended, log_of, opened, world
from yieldwire import Actions
from yieldwire.log.run import Verb
from yieldwire.testing.clock import MovingClock

URL = "https://app.example.com/api/_actions"
HOUR = 3600.0


def sharing() -> Actions:
    return world(secret="s" * 32, url=URL)


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(sharing()) as actions:
        yield actions


async def link_of(
    site: Actions, run_id: str, verbs: Sequence[Verb] = ("read",), expires: float = HOUR
) -> str:
    run = await site.runs.get(run_id)
    return run.share(expires=expires, verbs=verbs)


def query_in(link: str) -> str:
    return "?" + urlsplit(link).query


async def visit(site: Actions, path: str, headers: Fields = NOBODY) -> Answer:
    return await send(site, get(path, headers))


async def test_a_link_leads_to_the_runs_page(site: Actions) -> None:
    run_id = await ended(site)

    link = await link_of(site, run_id)
    page = await visit(site, link.removeprefix(URL), [PAGE])

    assert link.startswith(f"{URL}/runs/{run_id}?share=")
    assert (page.status, b"hello" in page.body) == (200, True)


async def test_a_link_reads_the_snapshot_and_the_events_without_signing_in(site: Actions) -> None:
    run_id = await ended(site)
    share = query_in(await link_of(site, run_id))

    snapshot = await visit(site, f"/runs/{run_id}{share}&input=1")
    events = await visit(site, f"/runs/{run_id}/events{share}", [SSE])

    assert (snapshot.status, snapshot.json()["text"]) == (200, "hello")
    assert "input" not in snapshot.json()
    assert (events.status, events.body.count(b"event: done")) == (200, 1)


async def test_the_header_does_the_same_as_the_query(site: Actions) -> None:
    run_id = await ended(site)
    share = query_in(await link_of(site, run_id)).removeprefix("?share=")

    answer = await visit(site, f"/runs/{run_id}", [("run-share", share)])

    assert answer.status == 200


async def test_the_pages_own_requests_carry_the_link(site: Actions) -> None:
    run_id = await begun(site)
    share = query_in(await link_of(site, run_id, ["read", "cancel"]))

    page = (await visit(site, f"/runs/{run_id}{share}", [PAGE])).body.decode()

    assert f'action="/runs/{run_id}/cancel{share}"' in page


@pytest.mark.parametrize("who", [NOBODY, BOB, ALICE], ids=["-", "bob", "alice"])
async def test_a_link_gives_its_own_rights_whoever_uses_it(site: Actions, who: Fields) -> None:
    run_id = await begun(site)
    before = await log_of(site, run_id)
    share = query_in(await link_of(site, run_id))

    stopped = await send(site, post(f"/runs/{run_id}/cancel{share}", None, who))
    deleted = await send(site, Call(method="DELETE", target=f"/runs/{run_id}{share}", headers=who))

    assert [stopped.status, deleted.status] == [403, 403]
    assert stopped.json()["error"]["message"] == "This link does not allow that."
    assert await log_of(site, run_id) == before


async def test_a_link_that_allows_it_stops_the_run(site: Actions) -> None:
    run_id = await begun(site)
    share = query_in(await link_of(site, run_id, ["cancel"]))

    stopped = await send(site, post(f"/runs/{run_id}/cancel{share}", None, NOBODY))

    assert stopped.status == 200


async def test_a_link_opens_no_other_run(site: Actions) -> None:
    mine, other = await ended(site), await ended(site)
    share = query_in(await link_of(site, mine))

    answer = await visit(site, f"/runs/{other}{share}", ALICE)

    assert answer.status == 403


async def test_an_expired_link_is_refused() -> None:
    clock = MovingClock()
    async with opened(world(secret="s" * 32, url=URL, clock=clock)) as site:
        run_id = await ended(site)
        share = query_in(await link_of(site, run_id, expires=-1.0))

        answer = await visit(site, f"/runs/{run_id}{share}", ALICE)

    assert (answer.status, answer.json()["error"]["message"]) == (403, "This link has expired.")


@pytest.mark.parametrize("share", ["", "a.b", "%00", "é", "x" * 5000])
async def test_a_link_that_nobody_signed_is_refused(site: Actions, share: str) -> None:
    run_id = await ended(site)

    answer = await visit(site, f"/runs/{run_id}?share={share}", ALICE)

    assert (answer.status, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_link_lists_no_runs(site: Actions) -> None:
    run_id = await ended(site)
    share = query_in(await link_of(site, run_id))

    answer = await visit(site, f"/runs{share}")

    assert answer.status == 401
