"""A header that is a list can come in several lines, which are one list (RFC 9110, 5.3)."""

import pytest
from starlette.requests import HTTPConnection

from tests.conftest import Serve
from tests.support.calls import JSON, Call, get, post, send
from tests.support.wire import send_raw
from tests.support.world import ALICE, BRISK, PAGE, SSE, ended, identify, opened, world
from yieldwire import Actions, Context
from yieldwire.asgi.safety import Fields, by_name

APP = "https://app.example"


def headers_of(*pairs: tuple[str, str]) -> Fields:
    return by_name([(name.encode(), value.encode("latin-1")) for name, value in pairs])


def test_lines_of_one_name_are_one_list_in_their_order() -> None:
    headers = headers_of(
        ("accept", "a"), ("x", "\xe9"), ("accept", "b"), ("accept", ""), ("x", "1")
    )

    assert headers == {"accept": "a, b, ", "x": "\xe9, 1"}


def test_the_parts_of_a_cookie_are_one_cookie() -> None:
    assert headers_of(("cookie", "a=1"), ("cookie", "b=2; c=3"))["cookie"] == "a=1; b=2; c=3"


def test_very_many_lines_are_joined_in_time_that_grows_with_them_alone() -> None:
    headers = headers_of(*[(f"x{n}", "") for n in range(50_000)], *[("y", "1")] * 50_000)

    assert len(headers["y"]) == 3 * 50_000 - 2


async def test_a_format_can_be_in_any_line_of_accept() -> None:
    async with opened(world()) as site:
        headers = [("accept", "image/png"), ("accept", "application/json;q=0.5"), SSE]
        answer = await send(site, post("/say", {}, headers))
        refused = await send(site, post("/say", {}, [("accept", "image/png"), ("accept", "a/b")]))

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert refused.status == 406


async def test_a_preference_can_be_in_any_line_of_prefer() -> None:
    async with opened(world()) as site:
        prefer = [("prefer", "wait=5"), ("prefer", "respond-async"), ("prefer", "wait=6")]
        answer = await send(site, post("/say", {}, prefer))

    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"


async def test_an_etag_can_be_in_any_line_of_if_none_match() -> None:
    async with opened(world()) as site:
        run_id = await ended(site)
        etag = (await send(site, get(f"/runs/{run_id}", ALICE))).headers["etag"]
        known = [("if-none-match", '"a", "b"'), ("if-none-match", f"W/{etag}")]
        answer = await send(site, get(f"/runs/{run_id}", [*ALICE, *known]))

    assert answer.status == 304


async def test_the_lines_of_x_forwarded_for_are_one_way() -> None:
    addresses: list[str | None] = []
    actions = Actions(trusted_proxies=["127.0.0.1", "10.0.0.1"], timing=BRISK)

    @actions.action
    async def who(ctx: Context) -> None:
        addresses.append(ctx.request.client)

    async with opened(actions) as site:
        way = [("x-forwarded-for", "6.6.6.6, 9.9.9.9"), ("x-forwarded-for", "10.0.0.1")]
        await send(site, post("/who", {}, way))

    assert addresses == ["9.9.9.9"]


async def test_a_run_sees_every_line_of_a_header() -> None:
    seen: list[str] = []
    actions = Actions(timing=BRISK)

    @actions.action
    async def look(ctx: Context) -> None:
        seen.append(ctx.request.headers["accept-language"])

    async with opened(actions) as site:
        languages = [("accept-language", "de"), ("accept-language", "en;q=0.5")]
        await send(site, post("/look", {}, languages))

    assert seen == ["de, en;q=0.5"]


async def test_a_cookie_in_several_lines_identifies_the_caller() -> None:
    cookies: list[str] = []

    async def ask(request: HTTPConnection) -> str | None:
        cookies.append(request.cookies.get("session", ""))
        return await identify(request)

    async with opened(world(identify=ask)) as site:
        lines = [("cookie", "theme=dark"), ("cookie", "session=alice")]
        listed = await send(site, get("/runs", lines))
        form = ("content-type", "application/x-www-form-urlencoded")
        refused = await send(
            site, Call(method="POST", target="/say", headers=[form, *lines], body=[b"text=x"])
        )

    assert listed.status == 200
    assert cookies == ["alice"]
    assert refused.status == 403  # a form with a cookie says its origin


@pytest.mark.parametrize("origins", [[APP], ["*"], [APP, "*"]])
@pytest.mark.parametrize("second", [APP, "https://evil.example"])
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
async def test_an_origin_that_was_sent_twice_is_named_by_no_answer(
    method: str, second: str, origins: list[str]
) -> None:
    headers = [JSON, ("origin", APP), ("origin", second), ("access-control-request-method", "GET")]
    call = Call(method=method, target="/say", headers=headers, body=[b"{}"])

    async with opened(world(origins=origins)) as site:
        answer = await send(site, call)

    assert answer.status == 400
    assert not {name for name in answer.headers if name.startswith("access-control-")}
    assert answer.headers["vary"] == "Origin"


async def test_a_refusal_can_be_read_by_an_allowed_page() -> None:
    async with opened(world(origins=[APP], hosts=["here"])) as site:
        twice = [("origin", APP), ("authorization", "a"), ("authorization", "b")]
        malformed = await send(site, get("/runs", twice, host="here"))
        elsewhere = await send(site, get("/runs", [("origin", APP)], host="there"))

    assert (malformed.status, elsewhere.status) == (400, 403)
    for answer in (malformed, elsewhere):
        assert answer.headers["access-control-allow-origin"] == APP


async def test_who_asks_is_not_asked_for_a_request_that_is_refused() -> None:
    asked: list[str] = []

    def ask(request: HTTPConnection) -> str | None:
        asked.append(request.url.path)
        return None

    async with opened(world(identify=ask)) as site:
        for headers in (
            [("origin", APP)] * 2,
            [("authorization", "a")] * 2,
            [PAGE, *ALICE, *ALICE],
        ):
            answer = await send(site, get("/runs", headers))
            assert answer.status == 400

    assert asked == []


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Accept: image/png", "Accept: application/json"], b"200"),
        (["Prefer: wait=3", "Prefer: respond-async"], b"202"),
        (["Origin: http://a", "Origin: http://b"], b"400"),
        (["Host: b"], b"400"),
        (["Idempotency-Key: a", "idempotency-key: a"], b"400"),
    ],
)
async def test_it_is_so_behind_a_real_server(serve: Serve, lines: list[str], status: bytes) -> None:
    server = serve(world())
    head = ["POST /say HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    head += [*lines, "Content-Length: 2", "Connection: close", "", ""]

    answer = await send_raw(server.port, "\r\n".join(head).encode() + b"{}")

    assert answer.split()[1] == status
