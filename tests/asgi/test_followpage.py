import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asgi.pages.test_link import FOREIGN
from tests.support.calls import Call, Fields, get, post, send
from tests.support.elements import Elements
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, PAGE, begun, ended, opened, world
from yieldwire import ActionError, Actions, Context, Pages, RateLimited, Retry, Text, Upload
from yieldwire.asgi.followpage import OUTPUT

FORM = ("content-type", "application/x-www-form-urlencoded")
ORIGIN = "http://127.0.0.1:8000"


def posted(action: str, body: bytes = b"", headers: Fields = (), **other: Any) -> Call:  # noqa: ANN401
    """Return a browser's post of a plain form."""
    sent = [*ALICE, FORM, PAGE, *headers]
    return Call(method="POST", target=f"/{action}", headers=sent, body=[body], **other)


async def page_of(site: Actions, run_id: str, query: str = "", **other: Any) -> str:  # noqa: ANN401
    answer = await send(site, get(f"/runs/{run_id}{query}", [*ALICE, PAGE], **other))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    return answer.body.decode()


def part(page: str, role: str) -> str:
    """Return the content of the section with a role."""
    (found,) = re.findall(rf'<(\w+)[^>]* data-role="{role}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return str(found[1])


async def test_the_page_of_a_run_that_continues_asks_again_and_can_stop_it(site: Actions) -> None:
    run_id = await begun(site)

    page = await page_of(site, run_id)

    assert '<noscript><meta http-equiv="refresh" content="1"></noscript>' in page
    assert f'action="/runs/{run_id}/cancel"' in page
    assert f'data-run="{run_id}" data-status="running" data-cursor="{run_id}.1"' in page
    assert part(page, "text") == "waiting"
    assert part(page, "status") == "Running"
    assert "<title>Wait: Running</title>" in page


@pytest.mark.parametrize(
    ("action", "value", "role", "shown"),
    [
        ("say", {"text": "a < b"}, "text", "a &lt; b"),
        ("send_tree", {"name": "<x>"}, "result", '<p class="text">&lt;x&gt;</p>'),
        ("add", {"a": 1, "b": 2}, "result", '<p class="number">3</p>'),
        ("echo", {"value": {"a_b": 1}}, "output", "<dt>A b</dt>"),
        ("fail", {"code": "REFUSED"}, "code", "REFUSED"),
        ("fail", {"code": "REFUSED"}, "reason", "As it was asked to."),
        ("add", {"a": 1, "b": 2}, "duration", "Took "),
    ],
)
async def test_the_page_of_an_ended_run_shows_how_it_ended_and_asks_no_more(
    site: Actions, action: str, value: object, role: str, shown: str
) -> None:
    page = await page_of(site, await ended(site, action, value))

    assert shown in part(page, role)
    assert "refresh" not in page
    assert "<form" not in page


@pytest.mark.parametrize("chunk", [{"type": "value"}, {"type": ["value"]}, {"type": "text"}])
async def test_a_chunk_of_any_form_has_a_page(site: Actions, chunk: object) -> None:
    page = await page_of(site, await ended(site, "echo", {"value": chunk}))

    assert part(page, "status") == "Completed"


async def test_the_page_shows_how_far_a_run_is(site: Actions) -> None:
    progress = {"type": "progress", "current": 3, "total": 10, "message": "a & b"}
    page = await page_of(site, await ended(site, "echo", {"value": progress}))

    bar = '<progress data-role="progress" aria-label="Progress" max="10" value="3"></progress>'
    assert bar in page
    assert part(page, "message") == "a &amp; b"
    assert part(page, "percent") == "30%"


@pytest.mark.parametrize("current", [None, "3", [], {}, True])
async def test_progress_that_is_none_does_not_break_the_page(
    site: Actions, current: object
) -> None:
    progress = {"type": "progress", "current": current, "total": "<b>", "message": ["<b>"]}

    page = await page_of(site, await ended(site, "echo", {"value": progress}))

    assert part(page, "message") == "[&#x27;&lt;b&gt;&#x27;]"


async def test_the_page_shows_the_newest_chunks_by_their_schema() -> None:
    actions = world()

    @actions.action
    async def rows(count: int) -> AsyncIterator[dict[str, int] | Text]:
        for n in range(count):
            yield {"row": n}
        yield Text("over")
        yield {"row": count}

    async with opened(actions) as site:
        page = await page_of(site, await ended(site, "rows", {"count": 100}))

    shown = re.findall(r'<p class="number">(\d+)</p>', part(page, "output"))
    assert [int(each) for each in shown] == [*range(53, 101)]
    assert len(shown) < OUTPUT
    assert part(page, "text") == "over"


async def test_the_page_knows_where_it_is_mounted(site: Actions) -> None:
    run_id = await begun(site)

    page = await page_of(site, run_id, root_path="/api/_actions")

    assert f'action="/api/_actions/runs/{run_id}/cancel"' in page
    assert 'src="/api/_actions/follow.js"' in page
    assert 'href="/api/_actions/follow.css"' in page


async def test_a_browser_that_asks_for_events_behind_a_seq_gets_json(site: Actions) -> None:
    run_id = await ended(site)

    answer = await send(site, get(f"/runs/{run_id}?after=0", [*ALICE, PAGE]))

    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("run", "caller", "status", "shown"),
    [
        ("its", BOB, 403, "<h1>This run belongs to somebody else.</h1>"),
        ("its", (), 401, "<h1>Sign in first.</h1>"),
        ("r0", ALICE, 404, "<h1>There is no run r0"),
    ],
)
async def test_a_browser_that_cannot_see_a_run_gets_a_page_that_says_so(
    site: Actions, run: str, caller: Fields, status: int, shown: str
) -> None:
    run_id = await ended(site) if run == "its" else run

    answer = await send(site, get(f"/runs/{run_id}?back=/form", [*caller, PAGE]))

    assert answer.status == status
    assert shown in answer.body.decode()
    assert '<a href="/form">Back</a>' in answer.body.decode()


async def test_an_unexpected_error_gets_a_page_with_its_id(site: Actions) -> None:
    page = await page_of(site, await ended(site, "fail", {}))

    assert re.search(r'data-role="code">INTERNAL_ERROR · [0-9a-f]{16}<', page)


# What a form leads to.


async def location_of(site: Actions, call: Call) -> str:
    answer = await send(site, call)
    assert answer.status == 303
    return answer.headers["location"]


async def test_a_form_leads_to_its_run_and_from_there_on_and_back(site: Actions) -> None:
    referer = ("referer", f"{ORIGIN}/form?id=3")

    location = await location_of(
        site, posted("say?next=/contacts%3Fnew=1", b"text=hello", [referer])
    )
    page = (await send(site, get(location, [*ALICE, PAGE]))).body.decode()

    assert urlsplit(location).path.startswith("/runs/r")
    assert parse_qs(urlsplit(location).query) == {
        "next": ["/contacts?new=1"],
        "back": ["/form?id=3"],
    }
    assert '<a href="/form?id=3">Back</a>' in page


async def test_the_way_on_is_shown_when_the_run_has_completed(site: Actions) -> None:
    query = "?next=/contacts&back=/form"

    completed = await page_of(site, await ended(site), query)
    running = await page_of(site, await begun(site), query)
    failed = await page_of(site, await ended(site, "fail", {}), query)

    onward = '<a href="/contacts" class="primary">Continue</a>'
    assert (onward in completed, onward in running, onward in failed) == (True, False, False)
    for page in (completed, running, failed):
        assert '<a href="/form">Back</a>' in page


async def test_a_run_that_is_stopped_keeps_its_links(site: Actions) -> None:
    run_id = await begun(site)
    page = await page_of(site, run_id, "?next=/contacts&back=/form")

    (form,) = Elements(page).named("form")
    location = await location_of(site, posted(str(form["action"]).removeprefix("/")))

    assert location == f"/runs/{run_id}?next=%2Fcontacts&back=%2Fform"


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        (f"{ORIGIN}/form", "/form"),
        (f"{ORIGIN}/api/runs/r1?back=/x", None),
        (f"{ORIGIN}/api/say", None),
        ("http://evil.example/form", None),
        ("http://127.0.0.1:8001/form", None),
        ("", None),
    ],
)
async def test_the_way_back_is_the_page_with_the_form(
    site: Actions, referer: str, back: str | None
) -> None:
    call = posted("say", b"", [("referer", referer)], root_path="/api")

    location = await location_of(site, call)

    assert parse_qs(urlsplit(location).query).get("back") == (None if back is None else [back])


@pytest.mark.parametrize("url", [url for url in FOREIGN if url])
async def test_a_form_cannot_lead_to_another_origin(site: Actions, url: str) -> None:
    sent = "".join(f"%{byte:02x}" for byte in url.encode())

    answer = await send(site, posted(f"say?next={sent}"))

    assert answer.status == 400
    assert "next= must be the path of a page on this origin" in answer.body.decode()
    assert "location" not in answer.headers
    assert await runs_of(site) == []


async def runs_of(site: Actions) -> list[Any]:
    listed: list[Any] = (await send(site, get("/runs", ALICE))).json()["runs"]
    return listed


@given(url=st.text(max_size=12) | st.text(alphabet="/\\:@.%a2f5c?#\t", max_size=10))
async def test_no_page_has_a_link_to_another_origin(url: str) -> None:
    sent = "".join(f"%{byte:02x}" for byte in url.encode())
    async with opened(world()) as site:
        run_id = await ended(site)

        answer = await send(site, get(f"/runs/{run_id}?next={sent}&back={sent}", [*ALICE, PAGE]))

    links = [str(each["href"]) for each in Elements(answer.body.decode()).named("a")]
    assert answer.status in {200, 400}
    assert all(re.fullmatch(r"/(?!/)[!-\[\]-~]*", link) for link in links)


async def test_the_query_of_a_feed_is_its_input_and_no_link(site: Actions) -> None:
    answer = await send(site, get("/tick?next=/contacts", [*ALICE, PAGE]))

    assert answer.status == 422
    assert "next" in answer.body.decode()


# What is wrong with a form.


async def test_a_form_that_is_not_valid_is_shown_again_as_it_was_sent(site: Actions) -> None:
    call = posted("add?next=/sums", b"a=x&b=2&<i>=1", [("referer", f"{ORIGIN}/form")])

    answer = await send(site, call)

    read = Elements(answer.body.decode())
    assert answer.status == 422
    assert {"method": "post", "action": "/add?next=%2Fsums&back=%2Fform", "data-role": "form"} in (
        read.named("form")
    )
    assert [(each["name"], each["value"]) for each in read.named("input")] == [
        ("a", "x"),
        ("b", "2"),
    ]
    assert {"href": "#field-a"} in read.named("a")
    assert "<i>: " in read.text


async def test_a_form_that_is_corrected_still_knows_the_way(site: Actions) -> None:
    answer = await send(site, posted("add?next=/sums", b"a=x", [("referer", f"{ORIGIN}/form")]))
    (form,) = Elements(answer.body.decode()).named("form")
    referer = ("referer", f"{ORIGIN}/add?next=/sums")  # of the page with the errors

    target = str(form["action"]).removeprefix("/")
    location = await location_of(site, posted(target, b"a=1&b=2", [referer]))

    assert parse_qs(urlsplit(location).query) == {"next": ["/sums"], "back": ["/form"]}


async def test_a_form_with_a_file_is_shown_again_without_it(site: Actions) -> None:
    body = (
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a<b>.txt"\r\n\r\ncanary'
        b'\r\n--x\r\ncontent-disposition: form-data; name="wrong"\r\n\r\n1\r\n--x--\r\n'
    )
    kind = ("content-type", "multipart/form-data; boundary=x")
    call = Call(method="POST", target="/take", headers=[*ALICE, kind, PAGE], body=[body])

    answer = await send(site, call)

    assert answer.status == 422
    assert b'enctype="multipart/form-data"' in answer.body
    assert b"Choose the file again." in answer.body
    assert b"canary" not in answer.body


async def test_a_form_that_a_guard_refuses_gets_a_page_with_the_way_back() -> None:
    async def refuse(_ctx: Context) -> None:
        raise RateLimited("Too many letters; wait a minute.", 60)

    actions = Actions(guards=[refuse])
    actions.action(take_letter)

    async with opened(actions) as site:
        answer = await send(site, posted("take_letter", b"", [("referer", f"{ORIGIN}/form")]))

    page = answer.body.decode()
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert "<h1>Take letter</h1>" in page
    assert "Too many letters; wait a minute." in page
    assert '<a href="/form">Back</a>' in page


async def take_letter(file: Upload | None = None) -> None:
    """Take a letter."""


async def test_the_fields_of_an_actions_own_error_are_named(site: Actions) -> None:
    class Sold(ActionError):
        field_errors = {"seat": ["Taken."]}  # noqa: RUF012 - a constant

    @site.action
    async def book(seat: str) -> None:
        raise Sold("SOLD", "The seat is taken.", status=409)

    page = await page_of(site, await ended(site, "book", {"seat": "7"}))

    assert "<li><strong>seat</strong>: Taken.</li>" in page


# How the application wants it.


async def branded(pages: Pages, call: Call | None = None) -> Answer:
    async with opened(world(pages=pages)) as site:
        return await send(site, call or get(f"/runs/{await ended(site)}", [*ALICE, PAGE]))


async def test_every_page_has_the_applications_name_and_colour() -> None:
    pages = Pages(name="Harbour Office", color="#0d9488")

    run = await branded(pages)
    refused = await branded(pages, get("/runs/r0", [*ALICE, PAGE]))
    form = await branded(pages, posted("add"))
    style = await branded(pages, get("/follow.css"))

    for answer in (run, refused, form):
        assert '<p class="brand">Harbour Office</p>' in answer.body.decode()
    assert style.body.endswith(b"--brand: light-dark(#0b7f75, #0d9488);\n}\n")


async def test_every_page_can_be_made_by_a_template_of_ones_own() -> None:
    def template(parts: Mapping[str, Any]) -> str:
        what = parts["run"] and parts["run"]["status"]
        return f"{parts['title']}|{what}|{parts['error'] and parts['error']['code']}"

    pages = Pages(template=template)

    run = await branded(pages)
    refused = await branded(pages, get("/runs/r0", [*ALICE, PAGE]))
    form = await branded(pages, posted("add"))

    assert run.body == b"Say: Completed|completed|None"
    assert refused.body.endswith(b"|None|NOT_FOUND")
    assert (form.status, form.body) == (422, b"Error: Add|None|VALIDATION_ERROR")
    for answer in (run, refused, form):
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_a_template_that_fails_is_an_error_with_an_id_and_a_page() -> None:
    def broken(_parts: Mapping[str, object]) -> str:
        raise RuntimeError("canary-4711")

    answer = await branded(Pages(template=broken))

    assert answer.status == 500
    assert b"INTERNAL_ERROR" in answer.body
    assert b"canary" not in answer.body


async def test_no_other_site_learns_the_address_of_a_run(site: Actions) -> None:
    answer = await send(site, get(f"/runs/{await ended(site)}", [*ALICE, PAGE]))

    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store, no-transform"


async def test_a_program_still_gets_json_and_a_location_without_a_query(site: Actions) -> None:
    headers = [*ALICE, ("prefer", "respond-async"), ("referer", f"{ORIGIN}/form")]

    answer = await send(site, post("/say?next=//evil.example", {}, headers))

    assert answer.status == 202
    assert re.fullmatch(r"/runs/\w+", answer.headers["location"].replace("-", "_"))


async def test_the_page_shows_the_output_that_a_restart_keeps() -> None:
    actions = Actions()

    @actions.action(retries=Retry(1, backoff=0, on=[ConnectionError]))
    async def rows(ctx: Context) -> AsyncIterator[dict[str, str]]:
        if ctx.attempt == 1:
            yield {"row": "saved"}
            ctx.save(1)
            yield {"row": "lost"}
            raise ConnectionError
        yield {"row": "last"}

    async with opened(actions) as site:
        run = await actions.start(rows)
        await run.result()
        page = await page_of(site, run.id)

    output = part(page, "output")
    assert ["saved" in output, "lost" in output, "last" in output] == [True, False, True]
