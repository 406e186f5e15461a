"""Threats 5, 6 and 8: other sites' pages, and names that resolve to this machine."""

from collections.abc import Callable
from typing import Final

import pytest

from tests.support.calls import Call, Fields, get, send
from tests.support.world import begun, ended, opened, world
from yieldwire import Actions, devtools
from yieldwire.asgi.routes import ROUTES

HERE: Final = "http://127.0.0.1:8000"
EVIL: Final = "https://evil.example"
COOKIE: Final = ("cookie", "session=alice")

FORMS: Final = {
    "form": ("application/x-www-form-urlencoded", b"text=x"),
    "multipart": (
        "multipart/form-data; boundary=B",
        b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nx\r\n--B--\r\n',
    ),
    "text": ("text/plain", b'{"text":"x"}'),
    "nothing": ("", b'{"text":"x"}'),
    "json": ("application/json", b'{"text":"x"}'),
}
each_form = pytest.mark.parametrize("kind", FORMS)

FOREIGN: Final[dict[str, Fields]] = {
    "another origin": [("origin", EVIL)],
    "the null origin": [("origin", "null")],
    "another site": [("sec-fetch-site", "cross-site")],
    "a sister site": [("sec-fetch-site", "same-site")],
    "a sister's origin": [("origin", "http://sister.127.0.0.1:8000")],
    "another port": [("origin", "http://127.0.0.1:8001")],
    "an origin that begins alike": [("origin", "http://127.0.0.1:8000.evil.example")],
    "an origin with a user": [("origin", "http://127.0.0.1:8000@evil.example")],
    "an origin that is none": [("origin", "http://[")],
    "no origin at all": [("origin", "")],
    "both, at odds": [("origin", HERE), ("sec-fetch-site", "cross-site")],
}
each_foreign = pytest.mark.parametrize("who", FOREIGN)


def form(kind: str, headers: Fields, target: str = "/say") -> Call:
    content_type, body = FORMS[kind]
    sent = [("content-type", content_type)] if content_type else []
    return Call(method="POST", target=target, headers=[*sent, *headers], body=[body])


async def runs_of(site: Actions) -> list[str]:
    return [run["id"] for run in (await send(site, get("/runs", [COOKIE]))).json()["runs"]]


# 5: a page of another site makes the browser post, with the cookies it has.


@each_form
@each_foreign
async def test_a_page_of_another_site_starts_nothing_with_the_users_cookie(
    site: Actions, kind: str, who: str
) -> None:
    answer = await send(site, form(kind, [COOKIE, *FOREIGN[who]]))

    assert answer.status == 403
    assert await runs_of(site) == []


@each_foreign
@pytest.mark.parametrize("deed", ["cancel", "delete"])
async def test_a_page_of_another_site_changes_no_run(site: Actions, who: str, deed: str) -> None:
    run_id = await begun(site, headers=[COOKIE])
    call = (
        Call(method="DELETE", target=f"/runs/{run_id}", headers=[COOKIE, *FOREIGN[who]])
        if deed == "delete"
        else form("text", [COOKIE, *FOREIGN[who]], f"/runs/{run_id}/cancel")
    )

    answer = await send(site, call)

    assert answer.status == 403
    assert (await site.app.store.get(run_id)).cancel_reason is None


@pytest.mark.parametrize("kind", ["form", "multipart", "text", "nothing"])
async def test_a_form_with_a_cookie_that_does_not_say_its_origin_is_refused(
    site: Actions, kind: str
) -> None:
    answer = await send(site, form(kind, [COOKIE]))

    assert answer.status == 403
    assert await runs_of(site) == []


@pytest.mark.parametrize("kind", ["form", "multipart", "json"])
@pytest.mark.parametrize(
    "said",
    [[("origin", HERE)], [("sec-fetch-site", "same-origin")], [("sec-fetch-site", "none")]],
    ids=["origin", "same-origin", "none"],
)
async def test_a_page_of_this_site_can_post_with_its_cookie(
    site: Actions, kind: str, said: Fields
) -> None:
    answer = await send(site, form(kind, [COOKIE, *said]))

    assert answer.status == 200
    assert len(await runs_of(site)) == 1


async def test_json_with_a_cookie_needs_no_origin_because_a_form_cannot_send_it(
    site: Actions,
) -> None:
    answer = await send(site, form("json", [COOKIE]))

    assert answer.status == 200


@pytest.mark.parametrize("kind", ["form", "multipart", "json"])
async def test_a_program_without_cookies_can_post_anything(site: Actions, kind: str) -> None:
    answer = await send(site, form(kind, []))

    assert answer.status == 200


@pytest.mark.parametrize("kind", ["text", "nothing"])
async def test_json_that_does_not_say_so_is_not_read(site: Actions, kind: str) -> None:
    answer = await send(site, form(kind, []))

    assert answer.status == 415


async def test_a_get_never_starts_a_run_of_an_action_that_is_not_a_feed(site: Actions) -> None:
    for name in ("say", "wait", "add", "take", "sendTree"):
        for method in ("GET", "HEAD"):
            answer = await send(site, Call(method=method, target=f"/{name}", headers=[COOKIE]))

            assert answer.status == 405

    assert await runs_of(site) == []


async def test_a_get_of_a_run_changes_nothing(site: Actions) -> None:
    run_id = await begun(site, headers=[COOKIE])
    before = await site.app.store.get(run_id)

    for target in (f"/runs/{run_id}", f"/runs/{run_id}/cancel", f"/runs/{run_id}/events?after=1"):
        await send(site, Call(method="HEAD", target=target, headers=[COOKIE]))

    assert await site.app.store.get(run_id) == before


async def test_an_allowed_origin_can_post() -> None:
    async with opened(world(origins=["https://app.example"])) as site:
        headers = [COOKIE, ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]

        assert (await send(site, form("json", headers))).status == 200


async def test_where_every_origin_can_call_none_can_with_a_cookie() -> None:
    async with opened(world(origins=["*"])) as site:
        without = await send(site, form("json", [("origin", EVIL)]))
        with_cookie = await send(site, form("json", [("origin", EVIL), COOKIE]))

    assert (without.status, with_cookie.status) == (200, 403)


# 6: a page of another site opens a stream, with the cookies the browser has.


READS: Final[dict[str, Callable[[str], str]]] = {
    "snapshot": lambda run: f"/runs/{run}",
    "events": lambda run: f"/runs/{run}/events",
    "list": lambda run: "/runs",
    "feed": lambda run: "/tick",
    "manifest": lambda run: "/manifest.json",
    "nothing there": lambda run: "/runs/none",
}
each_read = pytest.mark.parametrize("read", READS)


@each_read
@pytest.mark.parametrize("origin", [EVIL, "null", "https://app.example.evil.example"])
async def test_a_foreign_page_cannot_read_an_answer(read: str, origin: str) -> None:
    async with opened(world(origins=["https://app.example"])) as site:
        run_id = await ended(site, headers=[COOKIE])

        answer = await send(site, get(READS[read](run_id), [COOKIE, ("origin", origin)]))

    assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert "Origin" in answer.headers["vary"]


@each_read
async def test_without_allowed_origins_no_page_but_ones_own_can_read(
    site: Actions, read: str
) -> None:
    run_id = await ended(site, headers=[COOKIE])

    answer = await send(site, get(READS[read](run_id), [COOKIE, ("origin", EVIL)]))

    assert [name for name in answer.headers if name.startswith("access-control")] == []


@each_read
async def test_an_allowed_origin_is_named_and_can_send_credentials(read: str) -> None:
    async with opened(world(origins=["https://app.example"])) as site:
        run_id = await ended(site, headers=[COOKIE])
        headers = [COOKIE, ("origin", "https://app.example")]

        answer = await send(site, get(READS[read](run_id), headers))

    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Run-Id" in answer.headers["access-control-expose-headers"]


@each_read
async def test_a_star_never_goes_with_credentials(read: str) -> None:
    async with opened(world(origins=["*"])) as site:
        run_id = await ended(site, headers=[COOKIE])

        answer = await send(site, get(READS[read](run_id), [COOKIE, ("origin", EVIL)]))

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_of_a_foreign_page_allows_nothing() -> None:
    async with opened(world(origins=["https://app.example"])) as site:
        call = Call(
            method="OPTIONS",
            target="/say",
            headers=[("origin", EVIL), ("access-control-request-method", "POST")],
        )

        answer = await send(site, call)

    assert [name for name in answer.headers if name.startswith("access-control")] == []


# 8: a name of the web that resolves to this machine's loopback address.


REBOUND: Final = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.nip.io:8000",
    "localhost.evil.example",
    "notlocalhost",
    "0.0.0.0:8000",
    "10.0.0.1:8000",
    "2130706433",
    "[::ffff:10.0.0.1]:8000",
    "[fe80::1]",
]
each_rebound = pytest.mark.parametrize("host", REBOUND)
ADDRESSES: Final = [
    (method, "/" + "/".join(pattern).replace("{}", "say"))
    for pattern, methods in ROUTES.items()
    if pattern[0:1] != ("health",)  # which answers balancers, by any name
    for method in [*methods, "OPTIONS"]
]


@each_rebound
async def test_on_loopback_no_route_answers_to_a_name_of_the_web(host: str | None) -> None:
    actions = world()
    devtools.attach(actions)
    async with opened(actions) as site:
        targets = [*ADDRESSES, ("GET", "/"), ("GET", "/dev/dev.js")]
        targets += [("GET", "/dev/runs"), ("GET", "/dev/runs/r"), ("POST", "/dev/runs/r/cancel")]
        targets += [("POST", "/dev/runs/r/webhooks")]

        statuses = {
            (await send(site, Call(method=method, target=target, host=host))).status
            for method, target in targets
        }

    assert statuses == {403}


@pytest.mark.parametrize("server", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
async def test_every_loopback_address_is_guarded(site: Actions, server: str) -> None:
    call = get("/manifest.json", host="evil.example", server=(server, 8000))

    assert (await send(site, call)).status == 403


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST", "app.localhost:8000", "127.0.0.1", "[::1]:8000"],
)
async def test_loopback_names_are_answered_on_loopback(site: Actions, host: str) -> None:
    assert (await send(site, get("/manifest.json", host=host))).status == 200


async def test_a_public_address_answers_to_any_name_unless_told_otherwise(site: Actions) -> None:
    call = get("/manifest.json", host="app.example", server=("192.0.2.1", 443))

    assert (await send(site, call)).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("app.example", 200),
        ("APP.example:443", 200),
        ("a.tenants.example", 200),
        ("tenants.example", 403),
        ("app.example.evil.example", 403),
        ("xtenants.example", 403),
        ("127.0.0.1", 403),
        ("", 400),
    ],
)
async def test_only_the_listed_names_are_answered(host: str, status: int) -> None:
    async with opened(world(hosts=["app.example", "*.tenants.example"])) as site:
        answer = await send(site, get("/manifest.json", host=host, server=("192.0.2.1", 443)))

    assert answer.status == status
