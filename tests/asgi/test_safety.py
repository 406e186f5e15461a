import pytest

from tests.support.calls import Call, send
from tests.support.world import opened, world
from yieldwire.asgi.safety import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    Incoming,
    Raw,
    Safety,
    by_name,
)
from yieldwire.errors import Forbidden, ParseError, PayloadTooLarge, UsageError

APP = "https://app.example"


def headers_of(**fields: str) -> Raw:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]


def request_of(headers: Raw, method: str = "POST", server: str = "192.0.2.1") -> Incoming:
    here, there = (server, 80), ("192.0.2.9", 1)
    return Incoming.of_http({"method": method, "headers": headers, "server": here, "client": there})


@pytest.mark.parametrize("origin", ["null", "app.example", "https://app.example/", "https://", ""])
def test_what_is_not_an_origin_is_refused_at_once(origin: str) -> None:
    with pytest.raises(UsageError, match="is not an origin: scheme and host"):
        Safety(origins=[origin])


@pytest.mark.parametrize("proxy", ["proxy.example", "10.0.0.0/99", ""])
def test_what_is_not_a_network_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(UsageError, match="is not an address or a network"):
        Safety(trusted_proxies=[proxy])


def test_a_request_has_a_length_or_a_coding() -> None:
    headers = headers_of(content_length="1", transfer_encoding="chunked")

    with pytest.raises(ParseError, match="must not have both"):
        Safety().check(request_of(headers))


def test_as_many_headers_as_the_limit_are_taken_and_no_more() -> None:
    most = [(b"x", b"y")] * MAX_HEADERS
    more = [(b"x", b"y")] * (MAX_HEADERS + 1)

    Safety().check(request_of(most))
    with pytest.raises(PayloadTooLarge, match="200 headers"):
        Safety().check(request_of(more))


def test_headers_are_as_large_as_the_limit_and_no_larger() -> None:
    most = [(b"x", b"y" * (MAX_HEADER_BYTES - 1))]
    more = [(b"x", b"y" * MAX_HEADER_BYTES)]

    Safety().check(request_of(most))
    with pytest.raises(PayloadTooLarge, match="65536 bytes"):
        Safety().check(request_of(more))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_origin_matters_where_something_can_change(method: str) -> None:
    with pytest.raises(Forbidden, match="origins="):
        Safety().check(request_of(headers_of(origin="https://evil.example", host="here"), method))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_request_that_changes_nothing_can_come_from_anywhere(method: str) -> None:
    Safety().check(request_of(headers_of(origin="https://evil.example", host="here"), method))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://app.example", "app.example"),
        ("https://app.example", "app.example:443"),
        ("http://app.example:80", "app.example"),
        ("http://app.example:8000", "app.example:8000"),
        ("https://APP.example", "app.EXAMPLE"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_an_origin_is_the_same_when_host_and_port_are(origin: str, host: str) -> None:
    Safety().check(request_of(headers_of(origin=origin, host=host)))


def test_a_star_lets_every_page_call_without_a_cookie() -> None:
    Safety(origins=["*"]).check(request_of(headers_of(origin="null", host="here")))


def test_a_star_is_a_host_of_any_name() -> None:
    Safety(hosts=["*"]).check(request_of(headers_of(host="evil.example"), server="127.0.0.1"))


def test_a_unix_socket_has_no_host_to_guard() -> None:
    for server in (("/run/app.sock", None), None):
        scope = {"method": "GET", "headers": headers_of(host="x"), "server": server}
        Safety().check(Incoming.of_http(scope))


def test_an_answer_to_ones_own_page_has_no_headers_for_others() -> None:
    assert Safety(origins=[APP]).cors(by_name(headers_of())) == []
    assert Safety().cors(by_name(headers_of(origin=APP))) == []


async def test_a_preflight_of_an_allowed_page_is_told_what_it_can_send() -> None:
    call = Call(
        method="OPTIONS",
        target="/runs/r1",
        headers=[
            ("origin", APP),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "idempotency-key, last-event-id"),
        ],
    )
    async with opened(world(origins=[APP])) as site:
        answer = await send(site, call)

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-methods"] == "GET, DELETE, HEAD, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "idempotency-key, last-event-id"
    assert answer.headers["access-control-max-age"] == "600"


def test_options_that_are_not_a_preflight_say_nothing_of_origins() -> None:
    assert Safety(origins=[APP]).preflight(by_name(headers_of(origin=APP)), ["GET"]) == []


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "9.9.9.9", "192.0.2.1"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9, 10.0.0.2", "9.9.9.9"),
        ("10.0.0.1", "9.9.9.9,,", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "unknown", "unknown"),
        ("::1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_not_a_trusted_proxy(
    client: str, forwarded: str, address: str
) -> None:
    safety = Safety(trusted_proxies=["10.0.0.0/8", "::1"])
    headers = headers_of(x_forwarded_for=forwarded)

    found = safety.client_address(Incoming(headers, by_name(headers), client=client))

    assert found == address


def test_every_forwarding_header_counts_the_last_of_them_first() -> None:
    headers = [(b"x-forwarded-for", b"8.8.8.8"), (b"x-forwarded-for", b"9.9.9.9")]

    found = Safety(trusted_proxies=["10.0.0.1"]).client_address(
        Incoming(headers, by_name(headers), client="10.0.0.1")
    )

    assert found == "9.9.9.9"


def test_a_server_that_does_not_know_its_client_has_one_of_them() -> None:
    request = Incoming.of_http({"method": "GET", "headers": [], "client": None})

    assert Safety().client_address(request) == "unknown"


def test_a_handshake_of_another_transport_is_checked_by_the_same_facts() -> None:
    headers = headers_of(origin="https://evil.example", host="here")

    with pytest.raises(Forbidden, match="origins="):
        Safety().check(Incoming(headers, by_name(headers)))
