import asyncio

import pytest

from tests.support.calls import Call, Message, get, joined, post
from tests.support.wire import Answer
from yieldwire.asgi.exchange import (
    PIECE_BYTES,
    BrokenOff,
    Exchange,
    run_headers,
)
from yieldwire.errors import (
    Fenced,
    MethodNotAllowed,
    NotFound,
    ParseError,
    PayloadTooLarge,
    RateLimited,
    RequestTimedOut,
    StoreError,
    Unauthorized,
    Unavailable,
    UsageError,
    ValidationFailed,
)


class Recorded:
    """An exchange whose answer is kept."""

    def __init__(self, call: Call) -> None:
        self.messages: list[Message] = []
        self.exchange = Exchange(call.scope(), self.receive, self.send, stall_timeout=0.01)

    async def receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def answer(self) -> Answer:
        head, *bodies = self.messages
        body = b"".join(message["body"] for message in bodies)
        return Answer(status=head["status"], headers=joined(head["headers"]), body=body)


@pytest.mark.parametrize(
    ("root_path", "target", "base", "path"),
    [
        ("", "/say", "", "/say"),
        ("/api", "/say", "/api", "/say"),
        ("/api/", "say", "/api", "/say"),
        ("/api", "", "/api", ""),
        ("/api", "/api/say", "/api", "/api/say"),
    ],
)
def test_the_base_is_where_the_application_is_mounted(
    root_path: str, target: str, base: str, path: str
) -> None:
    exchange = Recorded(get(target, root_path=root_path)).exchange

    assert (exchange.base, exchange.path) == (base, path)


@pytest.mark.parametrize(
    ("outer", "root_path", "seen", "path"),
    [
        ("", "/run", "/run", ""),
        ("", "/run", "/runs", "/runs"),
        ("", "/run", "/run/runs", "/runs"),
        ("", "/run", "/runs/run", "/runs/run"),
        ("/v1", "/v1/api", "/v1/api/say", "/say"),
        ("/v1", "/v1/api", "/api/say", "/say"),
        ("/v1", "/v1/api", "/api", ""),
        ("/v1", "/v1/api", "/api/v1/api", "/v1/api"),
        ("/v1", "/v1/api", "/apis", "/apis"),
        ("/v1/", "/v1/api", "/api/say/", "/say/"),
        ("/v1", "/v1", "/say", "/say"),
        ("/api", "/api/api", "/api/say", "/say"),
    ],
)
def test_the_path_is_what_is_below_the_base_also_where_a_proxy_takes_the_hosts_part_away(
    outer: str, root_path: str, seen: str, path: str
) -> None:
    call = get("")
    scope = {**call.scope(), "app_root_path": outer, "root_path": root_path, "path": seen}
    recorded = Recorded(call)

    exchange = Exchange(scope, recorded.receive, recorded.send, stall_timeout=0.01)

    assert (exchange.base, exchange.path) == (root_path, path)


async def test_an_answer_has_its_length_and_is_kept_by_nobody() -> None:
    recorded = Recorded(get("/"))

    await recorded.exchange.answer_json(200, {"a": 1})

    assert recorded.answer.body == b'{"a":1}'
    assert recorded.answer.headers == {
        "content-type": "application/json",
        "content-length": "7",
        "cache-control": "no-store, no-transform",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_no_length(status: int) -> None:
    recorded = Recorded(get("/"))

    await recorded.exchange.answer(status)

    assert "content-length" not in recorded.answer.headers


async def test_a_head_has_the_length_of_the_body_that_it_leaves_out() -> None:
    recorded = Recorded(Call(method="HEAD", target="/"))

    await recorded.exchange.answer(200, b"four", media_type="text/plain")

    assert (recorded.answer.headers["content-length"], recorded.answer.body) == ("4", b"")


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (RateLimited("Too many.", retry_after=2.4), {"retry-after": "2"}),
        (RateLimited("Too many.", retry_after=0), {"retry-after": "1"}),
        (Unavailable(), {"retry-after": "1"}),
        (StoreError("x"), {"retry-after": "1"}),
        (MethodNotAllowed("PUT", ["GET", "HEAD"]), {"allow": "GET, HEAD"}),
        (ParseError("x"), {"connection": "close"}),
        (PayloadTooLarge("x"), {"connection": "close"}),
        (RequestTimedOut("x"), {"connection": "close"}),
    ],
)
async def test_an_error_brings_the_headers_that_belong_to_it(
    error: Exception, headers: dict[str, str]
) -> None:
    recorded = Recorded(get("/"))

    await recorded.exchange.answer_error(error)

    assert headers.items() <= recorded.answer.headers.items()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound("There is nothing."), 404, "NOT_FOUND"),
        (Unauthorized(), 401, "UNAUTHORIZED"),
        (ValidationFailed({"a": ["no"]}), 422, "VALIDATION_ERROR"),
        (UsageError("inner"), 500, "INTERNAL_ERROR"),
        (StoreError("inner"), 503, "UNAVAILABLE"),
        (Fenced("inner"), 503, "UNAVAILABLE"),
        (ValueError("inner"), 500, "INTERNAL_ERROR"),
    ],
)
async def test_an_error_is_one_object_and_what_is_inside_stays_inside(
    error: Exception, status: int, code: str
) -> None:
    recorded = Recorded(get("/"))

    await recorded.exchange.answer_error(error)

    told = recorded.answer.json()["error"]
    assert (recorded.answer.status, told["statusCode"], told["code"]) == (status, status, code)
    assert "inner" not in str(told)
    assert (told["errorId"] is not None) == (code == "INTERNAL_ERROR")


async def test_an_error_behind_the_head_breaks_the_answer_off() -> None:
    recorded = Recorded(get("/"))
    await recorded.exchange.send_head(200, [])

    with pytest.raises(ValueError, match="too late"):
        await recorded.exchange.answer_error(ValueError("too late"))


@pytest.mark.parametrize(
    ("accept", "wants_page"),
    [
        ("text/html,application/xhtml+xml;q=0.9", True),
        ("application/xhtml+xml", True),
        ("*/*", False),
        ("application/json, text/html", False),
        ("", False),
    ],
)
def test_a_browser_that_navigates_wants_a_page(accept: str, wants_page: bool) -> None:  # noqa: FBT001
    exchange = Recorded(post("/", headers=[("accept", accept)])).exchange

    assert exchange.wants_page is wants_page


@pytest.mark.parametrize(
    ("base", "location"),
    [("", "/runs/r1"), ("/a b", "/a%20b/runs/r1"), ("/\xfc\r\n", "/%C3%BC%0D%0A/runs/r1")],
)
def test_a_location_is_a_path_whatever_the_base_is(base: str, location: str) -> None:
    assert dict(run_headers("r1", base))[b"location"].decode() == location


# What is large.


async def test_a_large_answer_goes_out_in_pieces_that_are_the_whole() -> None:
    recorded, body = Recorded(get("/say")), bytes(range(250)) * 1000

    await recorded.exchange.answer(200, body)

    _, *bodies = recorded.messages
    assert recorded.answer.body == body
    assert recorded.answer.headers["content-length"] == "250000"
    assert max(len(message["body"]) for message in bodies) == PIECE_BYTES
    assert [message["more_body"] for message in bodies] == [True, True, True, False]


async def test_the_head_of_a_large_answer_has_no_body() -> None:
    recorded = Recorded(Call(method="HEAD", target="/say"))

    await recorded.exchange.answer(200, b"x" * 250_000)

    assert [message.get("body") for message in recorded.messages] == [None, b""]
    assert recorded.answer.headers["content-length"] == "250000"


async def test_a_reader_who_does_not_read_a_large_answer_is_cut() -> None:
    class Stalled(Recorded):
        async def send(self, message: Message) -> None:
            await super().send(message)
            if len(self.messages) > 2:
                await asyncio.Event().wait()

    recorded = Stalled(get("/say"))

    with pytest.raises(BrokenOff, match="does not read"):
        await recorded.exchange.answer(200, b"x" * 250_000)

    assert len(recorded.messages) == 3
