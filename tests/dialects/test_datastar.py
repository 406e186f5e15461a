"""How Datastar is answered, by the requests that version 1.0.1 sends."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote, urlencode

import pytest

from tests.dialects.test_fragment import Guest
from tests.dialects.test_hypermedia import run_in
from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, SSE, opened, world
from yieldwire import Actions, Text
from yieldwire.asgi.pages.markup import Markup
from yieldwire.dialects import HTMX, Datastar
from yieldwire.dialects.fragment import Patch

ASKS: Final[Fields] = (
    *ALICE,
    ("accept", "text/event-stream, text/html, application/json"),
    ("datastar-request", "true"),
    ("referer", "http://127.0.0.1:8000/party?tab=2"),
)
FORM: Final = ("content-type", "application/x-www-form-urlencoded")
SIGNALS: Final = f"datastar={quote('{}')}"


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    actions = world()

    @actions.action
    async def invite(guests: int = 2) -> AsyncIterator[Guest | Text]:
        for number in range(guests):
            yield Guest(name=f"Guest {number}")
        yield Text("a\r\nb<")

    actions.mount(HTMX())
    actions.mount(Datastar())
    async with opened(actions):
        yield actions


def form(target: str, **fields: str) -> Call:
    body = [urlencode(fields).encode()]
    return Call(method="POST", target=target, headers=[FORM, *ASKS], body=body)


def test_each_patch_is_an_event_with_its_place() -> None:
    library = Datastar().library(None)  # type: ignore[arg-type] # there is one version
    patches = [
        Patch(id='a"b', html=Markup("<p>1</p>\n<p>2</p>"), appends=True),
        Patch(id="c", html=Markup()),
    ]

    assert library.lines(patches).decode() == (
        "event: datastar-patch-elements\n"
        'data: selector [id="a\\"b"]\n'
        "data: mode append\n"
        "data: elements <p>1</p>\n"
        "data: elements <p>2</p>\n"
        "\n"
        "event: datastar-patch-elements\n"
        'data: selector [id="c"]\n'
        "data: mode inner\n"
    )


async def test_an_element_gets_the_form_of_an_action(site: Actions) -> None:
    heard = await send(site, get(f"/invite?{SIGNALS}", ASKS))

    html = heard.body.decode()
    assert html.startswith('<div id="invite-sheet"')
    expression = "@post(&quot;/invite&quot;, {contentType: &#x27;form&#x27;, headers: {&quot;"
    assert f'data-on:submit="{expression}idempotency-key&quot;:' in html
    assert "hx-" not in html


async def test_a_form_becomes_the_run_which_the_page_s_address_names(site: Actions) -> None:
    heard = await send(site, form("/invite", guests="1"))

    run_id = run_in(heard)
    assert heard.headers["datastar-selector"] == '[id="invite-sheet"]'
    assert heard.headers["datastar-mode"] == "outer"
    assert f"/party?tab=2&amp;run-invite={run_id}&quot;)" in heard.body.decode()
    there = ("referer", f"http://127.0.0.1:8000/party?run-invite={run_id}")
    again = await send(site, get(f"/invite?{SIGNALS}", (*ASKS[:-1], there)))
    assert run_in(again) == run_id
    assert again.headers["datastar-selector"] == '[id="invite-sheet"]'


async def test_what_is_invalid_is_in_the_form_again_with_a_status_that_is_shown(
    site: Actions,
) -> None:
    heard = await send(site, form("/invite", guests="many"))

    assert heard.status == 200
    assert b'<div id="invite-guests-error">' in heard.body
    assert b'value="many"' in heard.body


async def test_patches_continue_behind_an_id_that_only_the_last_of_a_block_has(
    site: Actions,
) -> None:
    run_id = run_in(await send(site, form("/invite")))
    target = f"/runs/{run_id}/datastar?{SIGNALS}"
    whole = (await send(site, get(target, ASKS))).body.decode()

    rest = await send(site, get(target, (*ASKS, ("last-event-id", f"{run_id}.2"))))

    assert whole.count("\nid: ") < whole.count("event: ")
    assert whole.rstrip("\n").rpartition("\n")[2].startswith("id: ")
    text = rest.body.decode()
    assert "data: elements a\ndata: elements b&lt;\n" in text
    assert "Guest" not in text


async def test_signals_are_the_input_of_an_action(site: Actions) -> None:
    started = await send(site, post("/invite", {"guests": 1}, ASKS))

    heard = await send(site, get(f"/runs/{run_in(started)}/datastar", (*ALICE, SSE)))

    assert heard.body.count(b"Guest 0") == 1
    assert b"Guest 1" not in heard.body


async def test_the_signals_of_a_get_are_not_the_input_of_a_feed(site: Actions) -> None:
    started = await send(site, get(f"/tick?times=1&{SIGNALS}", ASKS))

    assert run_in(started)
    assert b'role="alert"' not in started.body


async def test_the_address_of_a_page_calls_no_action(site: Actions) -> None:
    there = ("referer", "http://127.0.0.1:8000/wiki/@post(x")

    heard = await send(site, Call(method="POST", target="/invite", headers=[*ASKS[:-1], there]))

    assert b"@post(x" not in heard.body
    assert b"&quot;/wiki/\\u0040post(x?run-invite=" in heard.body
