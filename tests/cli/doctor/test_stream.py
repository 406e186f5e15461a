"""What is said about a test stream, from what has arrived of it and when."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from yieldwire.cli.doctor.finding import Finding, Level
from yieldwire.cli.doctor.seen import Arrival, Seen, SeenStream, arrivals_in
from yieldwire.cli.doctor.stream import (
    buffering,
    check_streams,
    compression,
    headers,
    keepalive,
    silence,
)

SENT = 1_800_000_000.0
"""When the server sent the first frame, by a clock that is not this machine's."""
HEAD = Seen(
    status=200,
    headers={
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
    },
)


def frame(number: int, at: float, sent: float, every: float = 15.0) -> Arrival:
    return Arrival(at=at, frame=number, sent=SENT + sent, keepalive=every)


def prompt(silence: float = 0.0, *, way: float = 0.02, every: float = 15.0) -> SeenStream:
    """Return a stream of which everything arrives a moment after it is sent."""
    before = [frame(number, way + 0.2 * number, 0.2 * number, every) for number in range(1, 6)]
    last = frame(6, way + 1.2 + silence, 1.2 + silence, every)
    arrivals = [*before, Arrival(at=way + 1.2), last]
    return SeenStream(head=HEAD, arrivals=arrivals, ended=last.at, silence=silence)


def late(stream: SeenStream, until: float) -> SeenStream:
    """Return the same stream behind something that hands nothing on before a moment."""
    return replace(stream, arrivals=[replace(a, at=max(a.at, until)) for a in stream.arrivals])


def cut(stream: SeenStream, after: float) -> SeenStream:
    """Return the same stream without its last frame, cut that long after its keepalive."""
    *rest, _ = stream.arrivals
    return replace(stream, arrivals=rest, ended=rest[-1].at + after)


def with_head(stream: SeenStream, **fields: str) -> SeenStream:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return replace(stream, head=replace(HEAD, headers={**HEAD.headers, **named}))


def without(stream: SeenStream, name: str) -> SeenStream:
    rest = {key: value for key, value in HEAD.headers.items() if key != name}
    return replace(stream, head=replace(HEAD, headers=rest))


def levels(findings: Sequence[Finding]) -> dict[str, Level]:
    return {finding.check: finding.level for finding in findings}


def test_a_stream_that_arrives_as_it_is_sent_gives_nothing_to_change() -> None:
    findings = check_streams(prompt(), prompt(20))

    assert levels(findings) == dict.fromkeys(
        ["buffering", "compression", "headers", "keepalive", "silence"], Level.OK
    )
    assert not any(finding.advice for finding in findings)


def test_frames_and_keepalives_are_read_however_the_bytes_are_cut() -> None:
    body = (
        b': hello\n\nevent: test\ndata: {"frame":1,"atMs":1500,"keepaliveMs":15000}\n\n'
        b'event: test\r\ndata: {"frame":2,"atMs":1700,"keepaliveMs":15000}\r\n\r\n'
        b"retry: 700\n\ndata: {}\n\ndata: [\n\ndata: 7\n\nevent: te"
    )

    for size in (1, 7, 1000):
        pieces = [(float(i), body[i : i + size]) for i in range(0, len(body), size)]
        arrivals = arrivals_in(pieces)

        assert [(a.frame, a.sent, a.keepalive) for a in arrivals] == [
            (0, 0.0, 0.0),
            (1, 1.5, 15.0),
            (2, 1.7, 15.0),
        ]


@pytest.mark.parametrize(
    ("until", "found"),
    [
        (1.3, "6 events arrive up to 1.0 s late, in 1 piece"),
        (0.7, "up to 480 ms late, in 4 pieces"),
    ],
)
def test_a_buffer_is_found_by_what_it_holds_back(until: float, found: str) -> None:
    finding = buffering(late(prompt(), until))

    assert (finding.level, found in finding.found) == (Level.PROBLEM, True)


def test_a_slow_network_is_not_taken_for_a_buffer() -> None:
    assert buffering(prompt(way=2.0)).level is Level.OK


def test_nothing_at_all_is_the_work_of_a_buffer_too() -> None:
    finding = buffering(SeenStream(head=HEAD, ended=16.0))

    assert (finding.level, finding.found) == (Level.PROBLEM, "no event arrived in 16.0 s")


@pytest.mark.parametrize(
    ("server", "advice"),
    [
        ("nginx/1.22.1", "nginx: take proxy_ignore_headers"),
        ("Caddy", "Caddy: set `flush_interval -1`"),
        ("cloud", "`proxy_buffering off;` in nginx, `flush_interval -1` in Caddy"),
    ],
)
def test_the_advice_names_what_to_change_in_the_proxy_that_answered(
    server: str, advice: str
) -> None:
    assert advice in buffering(with_head(late(prompt(), 1.3), server=server)).advice


def test_compression_is_a_problem_only_if_it_holds_events_back() -> None:
    stream = with_head(prompt(), content_encoding="gzip")

    assert compression(stream).level is Level.WARNING
    assert compression(late(stream, 1.3)).level is Level.PROBLEM
    assert compression(replace(stream, arrivals=[])).level is Level.PROBLEM
    assert compression(stream).found == "streams are compressed with gzip"


@pytest.mark.parametrize(
    ("stream", "level", "found"),
    [
        (
            with_head(prompt(), content_type="text/plain"),
            Level.PROBLEM,
            "-Type is text/plain",
        ),
        (without(prompt(), "content-type"), Level.PROBLEM, "Content-Type is missing"),
        (
            with_head(prompt(), cache_control="max-age=60"),
            Level.WARNING,
            "-Control is max-age",
        ),
        (without(prompt(), "cache-control"), Level.WARNING, "Cache-Control is missing"),
        (with_head(prompt(), age="3"), Level.WARNING, "a cache answers: Age is 3"),
    ],
)
def test_headers_that_a_proxy_has_changed_are_found(
    stream: SeenStream, level: Level, found: str
) -> None:
    finding = headers(stream)

    assert (finding.level, found in finding.found) == (level, True)
    assert finding.advice


def test_keepalives_that_do_not_arrive_are_found() -> None:
    stream = prompt()

    finding = keepalive(replace(stream, arrivals=stream.frames))

    assert (finding.level, finding.found) == (
        Level.PROBLEM,
        "events arrive, and keepalives do not",
    )


def test_keepalives_that_are_rarer_than_the_timeouts_of_proxies_are_found() -> None:
    finding = keepalive(prompt(every=60.0))

    assert (finding.level, finding.figures) == (Level.WARNING, {"everySeconds": 60.0})


def test_keepalives_are_not_judged_by_half_a_stream() -> None:
    assert keepalive(cut(prompt(), 1)).found == "not measured: 5 of 6 events arrived"


def test_a_timeout_shorter_than_the_keepalive_is_a_problem() -> None:
    finding = silence(cut(prompt(8), 5.0))

    assert finding.level is Level.PROBLEM
    assert finding.found == "a stream is cut after 5.0 s of silence, before the keepalive at 15 s"
    assert "proxy_read_timeout" in finding.advice
    assert "Timing(keepalive=2.5)" in finding.advice
    assert finding.figures == {"cutAfterSeconds": 5.0, "keepaliveSeconds": 15.0}


@pytest.mark.parametrize(("after", "level"), [(16.0, Level.WARNING), (30.0, Level.OK)])
def test_a_timeout_longer_than_the_keepalive_is_judged_by_how_much(
    after: float, level: Level
) -> None:
    finding = silence(cut(prompt(60), after))

    assert (finding.level, "keepalives come every 15 s" in finding.found) == (level, True)


def test_a_timeout_is_measured_although_a_buffer_held_everything_until_the_cut() -> None:
    finding = silence(late(cut(prompt(8), 5.0), 6.22))

    assert finding.figures["cutAfterSeconds"] == pytest.approx(5.2, abs=0.1)


def test_a_cut_before_any_event_is_a_problem() -> None:
    finding = silence(SeenStream(head=HEAD, ended=6.0, silence=8.0))

    assert (finding.level, finding.figures["cutAfterSeconds"]) == (Level.PROBLEM, 5.0)


def test_a_server_that_stops_is_not_taken_for_a_timeout() -> None:
    finding = silence(replace(cut(prompt(8), 2.0), has_farewell=True))

    assert (finding.level, finding.advice) == (Level.WARNING, "Repeat the command.")


def test_a_silence_shorter_than_the_keepalive_says_how_to_measure_more() -> None:
    assert "--silence 20" in silence(prompt(8)).found
    assert "--silence" not in silence(prompt(20)).found


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (401, "UNAUTHORIZED", "--token"),
        (404, "NOT_FOUND", "Update the server"),
        (429, "RATE_LIMITED", "Repeat the command"),
        (405, "METHOD_NOT_ALLOWED", "Let the proxy pass"),
    ],
)
def test_a_test_stream_that_is_refused_is_one_finding(status: int, code: str, advice: str) -> None:
    body = b'{"error":{"code":"%b","retryable":false,"errorId":null}}' % code.encode()
    refused = SeenStream(head=Seen(status=status, body=body))

    (finding,) = check_streams(refused, refused)

    assert (finding.check, finding.level) == ("stream", Level.WARNING)
    assert (code in finding.found, advice in finding.advice) == (True, True)


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (Seen(status=429), "not measured: the test stream was refused with 429"),
        (Seen(status=0, failure="nothing came in time"), "not measured: nothing came in time"),
    ],
)
def test_a_silence_that_was_refused_is_not_taken_for_a_timeout(head: Seen, found: str) -> None:
    *rest, last = check_streams(prompt(), SeenStream(head=head))

    assert (last.check, last.level, last.found) == ("silence", Level.WARNING, found)
    assert {finding.level for finding in rest} == {Level.OK}


def test_a_test_stream_without_an_answer_is_a_problem() -> None:
    none = SeenStream(head=Seen(status=0, failure="nothing came in time"), ended=16.2)

    (finding,) = check_streams(none, none)

    assert finding.level is Level.PROBLEM
    assert finding.found == "no answer to the test stream in 16.2 s: nothing came in time"
