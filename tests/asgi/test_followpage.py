import pytest

from tests.support.calls import Call, get, post, send
from tests.support.world import ALICE, BOB, PAGE, begun, ended
from yieldwire import Actions


async def page_of(site: Actions, run_id: str, root_path: str = "") -> str:
    answer = await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE], root_path=root_path))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.body.decode()


async def test_the_page_of_a_run_that_continues_asks_again_and_can_stop_it(site: Actions) -> None:
    run_id = await begun(site)

    page = await page_of(site, run_id)

    assert '<meta http-equiv="refresh" content="1">' in page
    assert f'action="/runs/{run_id}/cancel"' in page
    assert f'data-run="{run_id}" data-status="running" data-cursor="{run_id}.1"' in page
    assert '<pre data-role="text">waiting</pre>' in page
    assert '<pre data-role="result" hidden></pre>' in page


@pytest.mark.parametrize(
    ("action", "value", "shown"),
    [
        ("say", {"text": "a < b"}, '<pre data-role="text">a &lt; b</pre>'),
        ("send_tree", {"name": "<x>"}, '<pre data-role="result">&lt;x&gt;</pre>'),
        ("add", {"a": 1, "b": 2}, '<pre data-role="result">3</pre>'),
        ("fail", {"code": "REFUSED"}, '<strong data-role="code">REFUSED</strong>'),
    ],
)
async def test_the_page_of_an_ended_run_shows_how_it_ended_and_asks_no_more(
    site: Actions, action: str, value: object, shown: str
) -> None:
    page = await page_of(site, await ended(site, action, value))

    assert shown in page
    assert "refresh" not in page
    assert "<form" not in page


async def test_the_page_shows_how_far_a_run_is(site: Actions) -> None:
    progress = {"type": "progress", "current": 3, "total": 10, "message": "a & b"}
    page = await page_of(site, await ended(site, "echo", {"value": progress}))

    assert '<progress data-role="progress" max="10" value="3"></progress>' in page
    assert '<p data-role="message">a &amp; b</p>' in page


async def test_the_page_knows_where_it_is_mounted(site: Actions) -> None:
    run_id = await begun(site)

    page = await page_of(site, run_id, "/api/_actions")

    assert f'action="/api/_actions/runs/{run_id}/cancel"' in page
    assert 'src="/api/_actions/follow.js"' in page
    assert 'href="/api/_actions/follow.css"' in page


async def test_a_browser_that_asks_for_events_behind_a_seq_gets_json(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}?after=0", [*ALICE, PAGE]))

    assert answer.headers["content-type"] == "application/json"


async def test_a_browser_that_cannot_see_a_run_gets_a_page_that_says_so(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}", [*BOB, PAGE]))

    assert answer.status == 403
    assert b"<h1>This run belongs to somebody else.</h1>" in answer.body


async def test_a_form_that_does_not_fit_gets_a_page_that_names_the_fields(site: Actions) -> None:
    form = ("content-type", "application/x-www-form-urlencoded")
    call = Call(method="POST", target="/add", headers=[form, PAGE], body=[b"a=x&<i>=1"])

    answer = await send(site, call)

    assert answer.status == 422
    assert b"<li><strong>a</strong>: " in answer.body
    assert b"<strong>&lt;i&gt;</strong>" in answer.body


async def test_an_unexpected_error_gets_a_page_with_its_id(site: Actions) -> None:
    started = await send(site, post("/fail", {}, [*ALICE, PAGE]))
    assert started.status == 303

    page = await page_of(site, await ended(site, "fail", {}))

    assert "INTERNAL_ERROR" in page
