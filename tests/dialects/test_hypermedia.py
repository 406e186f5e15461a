"""How htmx is answered, by the requests that its two versions send."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, PAGE, SSE, WHOLE, begun, opened, world
from yieldwire import Actions, Context, RequestLimits, Unauthorized
from yieldwire.dialects import HTMX, hypermedia

PLACE: Final = ("hx-current-url", "http://127.0.0.1:8000/party%20time?tab=2&run-say=rOld")
TWO: Final[Fields] = (*ALICE, ("hx-request", "true"), PLACE)
FOUR: Final[Fields] = (*TWO, ("hx-request-type", "partial"))
FORM: Final = ("content-type", "application/x-www-form-urlencoded")


async def signed_in(ctx: Context) -> None:
    if ctx.owner is None:
        raise Unauthorized("Sign in first.")


def new_world() -> Actions:
    actions = world()

    @actions.action(guards=[signed_in])
    async def greet(name: str) -> str:
        """Greet somebody.

        Not shown.
        """
        return f"Hello, {name}!"

    @actions.action(asks=bool)
    async def decide(ctx: Context) -> bool:
        return await ctx.ask(bool, "Continue?", id="go", timeout=60)

    @actions.action
    async def draw(sizes: int) -> AsyncIterator[dict[str, str]]:
        for number in range(sizes):
            yield {"drawing": f"{number}-{1000 * 'x'}"}

    @actions.feed(linger=0)
    async def beat(upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number
        await asyncio.Event().wait()

    actions.mount(HTMX())
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(new_world()) as actions:
        yield actions


def form(target: str, headers: Fields = TWO, **fields: Any) -> Call:  # noqa: ANN401 - text
    return Call(
        method="POST", target=target, headers=[FORM, *headers], body=[urlencode(fields).encode()]
    )


def run_in(answer: Answer) -> str:
    """Return the id of the run that a fragment shows."""
    return answer.body.decode().partition('id="run-')[2].partition('"')[0]


async def patches(site: Actions, run_id: str, headers: Fields = (*ALICE, SSE)) -> Answer:
    return await send(site, get(f"/runs/{run_id}/htmx", headers))


async def test_an_element_gets_the_form_of_an_action(site: Actions) -> None:
    heard = await send(site, get("/greet", TWO))

    html = heard.body.decode()
    assert (heard.status, heard.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'hx-post="/greet" hx-target="closest [data-role=sheet]" hx-swap="outerHTML" ' in html
    assert 'name="name" required id="greet-name"' in html
    assert "Greet somebody." in html
    assert "Not shown" not in html


async def test_a_form_becomes_the_run_which_the_page_s_address_names(site: Actions) -> None:
    heard = await send(site, form("/say", text="ahoy"))

    run_id = run_in(heard)
    address = heard.headers["hx-replace-url"]
    assert address == f"/party%20time?tab=2&run-say={run_id}"
    there = ("hx-current-url", f"http://127.0.0.1:8000{address}")
    again = await send(site, get("/say", (*ALICE, ("hx-request", "true"), there)))
    assert f'id="run-{run_id}"' in again.body.decode()
    assert b"ahoy" in again.body + (await patches(site, run_id)).body


async def test_a_form_that_is_sent_twice_starts_one_run(site: Actions) -> None:
    offered = (await send(site, get("/say", TWO))).body.decode()
    (key,) = re.findall("{&quot;idempotency-key&quot;:&quot;(.{22})&quot;}", offered)
    twice = (*TWO, ("idempotency-key", key))

    first, second = [run_in(await send(site, form("/say", twice))) for _ in range(2)]

    assert first == second
    assert key not in (await send(site, get("/say", TWO))).body.decode()


async def test_the_run_of_another_page_or_person_is_not_shown(site: Actions) -> None:
    run_id = run_in(await send(site, form("/say")))
    there = ("hx-current-url", f"http://127.0.0.1:8000/?run-say={run_id}&run-greet={run_id}")

    theirs = await send(site, get("/say", (*BOB, ("hx-request", "true"), there)))
    others = await send(site, get("/greet", (*ALICE, ("hx-request", "true"), there)))

    assert b'<form method="post" action="/say"' in theirs.body
    assert b'<form method="post" action="/greet"' in others.body


async def test_a_form_of_any_page_can_only_put_a_path_into_the_address(site: Actions) -> None:
    place = ("hx-current-url", "javascript://evil.example/%0aalert(1)")

    heard = await send(site, form("/say", (*ALICE, ("hx-request", "true"), place)))

    assert heard.headers["hx-replace-url"].startswith("/%0aalert(1)?run-say=")


@pytest.mark.parametrize(
    ("page", "address"),
    [("http://127.0.0.1:8000//evil.example/", "/.//evil.example/"), ("http://[", "/")],
)
async def test_no_page_leads_to_another_host_or_to_a_failure(
    site: Actions, page: str, address: str
) -> None:
    there: Fields = (*ALICE, ("hx-request", "true"), ("hx-current-url", page))

    offered, started = await send(site, get("/say", there)), await send(site, form("/say", there))

    assert b"<form" in offered.body
    assert started.headers["hx-replace-url"] == f"{address}?run-say={run_in(started)}"


async def test_a_form_that_cannot_be_read_is_refused_at_once(site: Actions) -> None:
    broken = Call(method="POST", target="/say", headers=[FORM, *FOUR], body=[b"text=%ff"])

    async with asyncio.timeout(5):  # nothing more comes of a body that was read
        heard = await send(site, broken)

    assert heard.status == 400
    assert b"The form is not UTF-8." in heard.body


async def test_a_fragment_has_as_many_bytes_of_output_as_it_can_show(
    site: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_in(await send(site, form("/draw", sizes="3")))
    await patches(site, run_id)
    monkeypatch.setattr(hypermedia, "NEWEST_BYTES", 1500)

    shown = (await send(site, get(f"/runs/{run_id}", TWO))).body.decode()

    assert [f"{number}-{1000 * 'x'}" in shown for number in range(3)] == [False, False, True]


@pytest.mark.parametrize(("headers", "status"), [(TWO, 200), (FOUR, 422)])
async def test_what_is_invalid_is_in_the_form_again(
    site: Actions, headers: Fields, status: int
) -> None:
    heard = await send(site, form("/add", headers, a="<1>", b="2"))

    html = heard.body.decode()
    assert heard.status == status
    assert 'value="&lt;1&gt;"' in html
    assert '<div id="add-a-error"><p class="wrong">' in html
    assert 'role="alert"' in html


async def test_what_was_entered_outlives_a_guard_that_refuses(site: Actions) -> None:
    heard = await send(site, form("/greet", TWO[1:], name="Ada"))

    assert b"Sign in first." in heard.body
    assert b'value="Ada"' in heard.body


async def test_native_requests_are_answered_as_before(site: Actions) -> None:
    whole = await send(site, post("/add", {"a": 1, "b": 2}, (*ALICE, WHOLE)))
    page = await send(site, form("/greet", (*ALICE, PAGE), name="Ada"))
    other = await send(site, get("/manifest.json", TWO))

    assert whole.json()["result"] == 3
    assert page.status == 303
    assert "actions" in other.json()


async def test_patches_begin_with_the_whole_state_and_continue_behind_an_id(site: Actions) -> None:
    run_id = run_in(await send(site, form("/say", text="a\r\nb<", times="2")))
    whole = (await patches(site, run_id)).body.decode()

    rest = await patches(site, run_id, (*ALICE, SSE, ("last-event-id", f"{run_id}.1")))

    first, *_ = whole.split("\n\n")
    assert first.startswith("retry: 1000\ndata: ")
    assert all(line.split(": ")[0] in {"retry", "id", "data"} for line in first.split("\n"))
    assert f'<div id="run-{run_id}-text" hx-swap-oob="' in whole
    text = rest.body.decode().partition('-text" hx-swap-oob="beforeend">')[2]
    assert text.startswith("a\ndata: b&lt;</div>")
    assert rest.body.count(b"b&lt;") == 1


@pytest.mark.parametrize("place", ["rOther.1", "{run}.99", "{run}.3", "x"])
async def test_a_place_that_says_nothing_gets_the_whole_state(site: Actions, place: str) -> None:
    run_id = run_in(await send(site, form("/say", times="2")))
    await patches(site, run_id)

    heard = await patches(site, run_id, (*ALICE, SSE, ("last-event-id", place.format(run=run_id))))

    assert b"hellohello" in heard.body
    assert b"Completed" in heard.body
    assert f'<div id="run-{run_id}-feed" hx-swap-oob="innerHTML"></div>'.encode() in heard.body


async def test_a_page_that_loses_access_is_told_and_does_not_come_back(site: Actions) -> None:
    run_id = run_in(await send(site, form("/wait")))

    heard = await patches(site, run_id, (*BOB, SSE))

    assert heard.status == 200
    assert b'role="alert"' in heard.body
    assert f'<div id="run-{run_id}-feed" hx-swap-oob="innerHTML"></div>'.encode() in heard.body


async def test_a_page_that_can_try_again_later_gets_the_status_that_makes_it_do_so() -> None:
    actions = world(request_limits=RequestLimits(streams=1))
    actions.mount(HTMX())
    async with opened(actions) as site:
        run_id = await begun(site)
        async with stream(site, get(f"/runs/{run_id}/htmx", (*ALICE, SSE))):
            heard = await patches(site, run_id)

    assert (heard.status, heard.body) == (429, b"")


async def test_version_4_is_connected_by_its_own_extension(site: Actions) -> None:
    heard = await send(site, form("/wait", FOUR))

    run_id = run_in(heard)
    feed = f'<div hx-sse:connect="/runs/{run_id}/htmx" hx-swap="none"></div>'
    assert feed.encode() in heard.body
    assert b"sse-swap" not in heard.body


async def test_a_button_stops_a_run(site: Actions) -> None:
    run_id = run_in(await send(site, form("/wait")))

    asked = await send(site, form(f"/runs/{run_id}/cancel"))
    heard = await patches(site, run_id)
    again = await send(site, form(f"/runs/{run_id}/cancel"))

    assert b"Stopping" in asked.body
    assert b"Stopped" in heard.body
    assert again.status == 204


async def test_an_answer_is_a_form_and_its_errors_are_in_it(site: Actions) -> None:
    run_id = run_in(await send(site, form("/decide")))
    async with stream(site, get(f"/runs/{run_id}/htmx", (*ALICE, SSE))) as read:
        while b"Continue?" not in await read.read():
            pass

        wrong = await send(site, form(f"/runs/{run_id}/questions/go", FOUR, value="perhaps"))
        theirs = await send(site, form(f"/runs/{run_id}/questions/go", (*BOB, *FOUR[1:])))
        right = await send(site, form(f"/runs/{run_id}/questions/go", value="true"))
        rest = (await read.rest()).decode()

    assert wrong.status == 422
    assert (
        f'<div id="run-{run_id}-question-go-field-sheet" data-role="sheet">' in wrong.body.decode()
    )
    assert theirs.status == 403
    assert b"Continue?" not in theirs.body
    assert right.status == 204
    assert f'<div id="run-{run_id}-question-go" hx-swap-oob="innerHTML"></div>' in rest
    late = await send(site, form(f"/runs/{run_id}/questions/go", FOUR, value="true"))
    assert late.status == 410
    assert b"<form" not in late.body


async def test_a_feed_starts_by_get_and_waits_for_its_page(site: Actions) -> None:
    started = await send(site, get("/beat?upto=2", TWO))

    run_id = run_in(started)
    async with stream(site, get(f"/runs/{run_id}/htmx", (*ALICE, SSE))) as read:
        heard = await read.read()
    assert b"hx-swap-oob" in heard


async def test_nothing_else_is_below_a_run(site: Actions) -> None:
    heard = await send(site, get("/runs/r1/other", FOUR))

    assert heard.status == 404
    assert b"There is nothing at this URL." in heard.body


async def test_one_action_can_have_a_url_of_its_own() -> None:
    async with opened(new_world()) as actions:
        site = HTMX(actions.greet)

        offered = await send(site, get("/", TWO, root_path="/hello"))
        started = await send(site, form("/", TWO, name="Ada"))

        assert b'action="/hello/"' in offered.body
        heard = await send(site, get(f"/runs/{run_in(started)}/htmx", (*ALICE, SSE)))
        assert b"Hello, Ada!" in heard.body
