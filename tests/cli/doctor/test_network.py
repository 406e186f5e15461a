"""What is said about TLS, HTTP, times, origins, sockets and sizes, from what was seen."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import to_json

from yieldwire.cli.doctor.finding import Level
from yieldwire.cli.doctor.network import (
    KEY,
    MIB,
    accept_of,
    check_bodies,
    check_clock,
    check_http,
    check_origin,
    check_round_trip,
    check_socket,
    check_tls,
    is_local,
)
from yieldwire.cli.doctor.seen import Arrival, Seen, SeenStream, SeenTLS
from yieldwire.errors import Forbidden, NotFound, UpgradeRequired, YieldwireError

URL = "https://x.example/api/_actions"
LOCAL = "http://127.0.0.1:8000/api/_actions"
NOW = 1_764_374_400.0  # 2025-11-29 00:00:00 UTC
DATE = "Sat, 29 Nov 2025 00:00:00 GMT"
DAY = 86_400
FRIEND = "https://app.example"
NO_STREAM = SeenStream(head=Seen(status=200))


def tls(**facts: Any) -> SeenTLS:  # noqa: ANN401 - a SeenTLS's own
    whole = SeenTLS(version="TLSv1.3", protocol="h2", ends_at=NOW + 60 * DAY)
    return replace(whole, **facts)


@pytest.mark.parametrize(
    ("url", "seen", "level", "words"),
    [
        (URL, tls(), Level.OK, "TLSv1.3, certificate until 2026-01-28 (60 days)"),
        (URL, tls(ends_at=NOW + 13.5 * DAY), Level.WARNING, "(13 days)"),
        (LOCAL, None, Level.OK, "no TLS, to this machine"),
        ("http://x.example", None, Level.WARNING, "no TLS: everybody"),
        (URL, tls(fault="certificate has expired", fault_code=10), Level.PROBLEM, "has expired"),
        (URL, tls(fault="?", fault_code=18), Level.PROBLEM, "is self-signed"),
        (URL, tls(fault="?", fault_code=20), Level.PROBLEM, "fullchain.pem"),
        (URL, tls(fault="?", fault_code=62), Level.PROBLEM, "is for another name"),
        (URL, tls(fault="of the wrong colour", fault_code=7), Level.PROBLEM, "of the wrong colour"),
        (URL, tls(fault="wrong version number"), Level.PROBLEM, "listen 443 ssl;"),
    ],
)
def test_tls_is_judged_by_its_certificate(
    url: str, seen: SeenTLS | None, level: Level, words: str
) -> None:
    finding = check_tls(url, seen, NOW)

    assert (finding.level, bool(finding.advice)) == (level, level is not Level.OK)
    assert words in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("url", "seen", "level"),
    [
        (URL, tls(), Level.OK),
        (URL, tls(protocol="http/1.1"), Level.WARNING),
        (URL, tls(protocol=""), Level.WARNING),
        ("http://x.example", None, Level.WARNING),
        (LOCAL, None, Level.OK),
        ("https://localhost", tls(protocol=""), Level.WARNING),
    ],
)
def test_browsers_that_get_only_http_1_are_a_warning(
    url: str, seen: SeenTLS | None, level: Level
) -> None:
    assert check_http(url, seen).level is level


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.8.0.1:80", True),
        ("http://[::1]:80", True),
        ("http://localhost", True),
        ("http://app.localhost", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_a_url_of_this_machine_is_known(url: str, *, expected: bool) -> None:
    assert is_local(url) is expected


def took(*times: float) -> list[Seen]:
    return [Seen(status=200, seconds=seconds) for seconds in times]


def test_a_round_trip_has_its_range() -> None:
    finding = check_round_trip(took(0.02, 0.01, 0.5))

    assert (finding.level, finding.found) == (Level.OK, "20 ms (10 ms to 500 ms, 3 requests)")
    assert finding.figures == {"medianMs": 20.0, "leastMs": 10.0, "mostMs": 500.0}


def test_a_slow_round_trip_is_a_warning() -> None:
    assert check_round_trip(took(0.4, 0.4, 0.01)).level is Level.WARNING


def dated(date: str, asked_at: float) -> Seen:
    return Seen(status=200, headers={"date": date}, asked_at=asked_at, seconds=0.2)


@pytest.mark.parametrize(
    ("asked_at", "level", "words"),
    [
        (NOW, Level.OK, "within 5 s"),
        (NOW + 4, Level.OK, "within 5 s"),
        (NOW + 20, Level.WARNING, "20 s behind this machine's"),
        (NOW - 20, Level.WARNING, "20 s ahead of this machine's"),
        (NOW - 3600, Level.PROBLEM, "3600 s ahead of this machine's"),
    ],
)
def test_a_clock_is_compared_by_the_date_of_an_answer(
    asked_at: float, level: Level, words: str
) -> None:
    finding = check_clock([dated(DATE, asked_at)], NO_STREAM)

    assert (finding.level, words in finding.found) == (level, True)


def test_a_clock_is_compared_by_the_times_of_a_stream_too() -> None:
    late = Arrival(at=1.2, frame=1, sent=NOW - 3600, keepalive=15)
    prompt = Arrival(at=1.2, frame=6, sent=NOW - 3600 + 1.2, keepalive=15)
    stream = SeenStream(head=Seen(status=200, asked_at=NOW), arrivals=[late, prompt])

    finding = check_clock([dated(DATE, NOW)], stream)

    assert (finding.level, finding.figures) == (Level.PROBLEM, {"offsetSeconds": -3600.0})


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}])
def test_a_clock_without_a_time_is_not_measured(headers: dict[str, str]) -> None:
    assert "not measured" in check_clock([Seen(status=200, headers=headers)], NO_STREAM).found


PREFLIGHT = {
    "access-control-allow-origin": FRIEND,
    "access-control-allow-headers": "content-type, idempotency-key",
}
ANSWER = {
    "access-control-allow-origin": FRIEND,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "Run-Id, Location, Retry-After, ETag",
}


@pytest.mark.parametrize(
    ("preflight", "answer", "level", "words"),
    [
        ({}, {}, Level.OK, "pages of https://app.example can call, with cookies"),
        (
            {"access-control-allow-origin": "*"},
            {"access-control-allow-origin": "*", "access-control-allow-credentials": ""},
            Level.OK,
            "without cookies",
        ),
        ({"access-control-allow-origin": ""}, {}, Level.PROBLEM, "the preflight does not allow"),
        ({}, {"access-control-allow-origin": ""}, Level.PROBLEM, "Actions(origins=['https://app"),
        ({}, {"access-control-allow-origin": f"*, {FRIEND}"}, Level.PROBLEM, "has several"),
        (
            {},
            {"access-control-allow-origin": "https://b"},
            Level.PROBLEM,
            "pages of https://b, not",
        ),
        ({}, {"access-control-expose-headers": "ETag"}, Level.PROBLEM, "location, retry-after"),
        ({"access-control-allow-headers": ""}, {}, Level.PROBLEM, "cannot send Content-Type"),
    ],
)
def test_an_origin_is_judged_by_what_a_browser_would_do(
    preflight: dict[str, str], answer: dict[str, str], level: Level, words: str
) -> None:
    finding = check_origin(
        URL,
        FRIEND,
        Seen(status=204, headers={**PREFLIGHT, **preflight}),
        Seen(status=200, headers={**ANSWER, **answer}),
    )

    assert finding.level is level
    assert words in f"{finding.found} {finding.advice}"


def test_a_preflight_that_is_refused_is_a_problem() -> None:
    seen = Seen(status=405, headers=PREFLIGHT)

    finding = check_origin(URL, FRIEND, seen, Seen(status=200, headers=ANSWER))

    assert (finding.level, "answered with 405" in finding.found) == (Level.PROBLEM, True)


def test_the_servers_own_origin_needs_nothing() -> None:
    finding = check_origin(URL, "https://x.example", Seen(status=405), Seen(status=200))

    assert finding.level is Level.OK


def refusal(error: YieldwireError) -> Seen:
    told = error.error_object()
    return Seen(status=told.status, body=to_json({"error": told.to_dict()}))


@pytest.mark.parametrize(
    ("seen", "level", "words"),
    [
        (
            Seen(status=101, headers={"sec-websocket-accept": accept_of(KEY)}),
            Level.OK,
            "a socket opens",
        ),
        (Seen(status=101), Level.WARNING, "wrong Sec-WebSocket-Accept"),
        (
            refusal(UpgradeRequired(has_arrived=False)),
            Level.WARNING,
            "proxy_set_header Upgrade $http_upgrade;",
        ),
        (
            refusal(UpgradeRequired(has_arrived=True)),
            Level.WARNING,
            "Install yieldwire[websocket]",
        ),
        (refusal(Forbidden("Not from here.")), Level.WARNING, "Not from here."),
        (refusal(NotFound("?")), Level.WARNING, "Update the server"),
        (Seen(status=502), Level.WARNING, "no socket opens: 502"),
        (Seen(status=0, failure="nothing came in time"), Level.WARNING, "nothing came in time"),
    ],
)
def test_a_socket_is_judged_by_the_answer_to_its_handshake(
    seen: Seen, level: Level, words: str
) -> None:
    finding = check_socket(seen)

    assert finding.level is level
    assert words in f"{finding.found} {finding.advice}"


def test_the_answer_to_a_handshakes_key_is_that_of_the_standard() -> None:
    # RFC 6455, 1.3
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("passes", "takes_files", "level", "words"),
    [
        ({1024 * MIB: True}, True, Level.OK, "announces 1 GiB is not refused"),
        ({1024 * MIB: None}, True, Level.OK, "not measured"),
        (
            {1024 * MIB: False, 100 * MIB: True},
            True,
            Level.WARNING,
            "a body of 1 GiB is refused with 413, one of 100 MiB passes",
        ),
        ({10 * MIB: False, MIB: True}, False, Level.OK, "no action takes files"),
        ({10 * MIB: False, MIB: False}, False, Level.PROBLEM, "client_max_body_size 1g;"),
    ],
)
def test_the_limit_for_bodies_is_judged_by_what_the_actions_take(
    passes: dict[int, bool | None],
    takes_files: Any,  # noqa: ANN401 - not a flag, but one of the cases
    level: Level,
    words: str,
) -> None:
    finding = check_bodies(passes, takes_files=takes_files)

    assert finding.level is level
    assert words in f"{finding.found} {finding.advice}"
