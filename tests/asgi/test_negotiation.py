import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.asgi.negotiation import Format, choose, preferences, seconds
from yieldwire.errors import NotAcceptable, ParseError

ALL = frozenset(Format)
STREAMS = frozenset({Format.SSE, Format.NDJSON, Format.TEXT})


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (None, Format.SSE),
        ("", Format.SSE),
        ("*/*", Format.SSE),
        ("text/event-stream", Format.SSE),
        ("TEXT/Event-Stream", Format.SSE),
        ("application/x-ndjson", Format.NDJSON),
        ("application/jsonl", Format.NDJSON),
        ("application/ndjson", Format.NDJSON),
        ("application/jsonlines; charset=utf-8", Format.NDJSON),
        ("text/plain", Format.TEXT),
        ("application/json", Format.JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.HTML),
        ("application/xhtml+xml", Format.HTML),
        ("text/*", Format.SSE),
        ("application/*", Format.JSON),
        ("image/png, */*;q=0.1", Format.SSE),
        ("application/json;q=0.5, text/plain", Format.TEXT),
        ("application/json;q=0, text/plain;q=0.1", Format.TEXT),
        ("application/json, text/event-stream", Format.JSON),
        ("application/json;q=x, text/plain;q=0.1", Format.TEXT),
        (" , ;q=1, text/plain", Format.TEXT),
    ],
)
def test_the_format_is_what_the_caller_likes_best(accept: str | None, format_: Format) -> None:
    assert choose(accept, Format.SSE, ALL) is format_


def test_any_application_type_is_the_default_where_that_is_one() -> None:
    assert choose("application/*", Format.NDJSON, ALL) is Format.NDJSON


@pytest.mark.parametrize("accept", ["image/png", "application/json", "text/html", "*/*;q=0", "x"])
def test_what_cannot_be_made_is_refused_with_what_can(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="choose from: application/x-ndjson, text/event-stream"):
        choose(accept, Format.SSE, STREAMS)


@given(st.text(max_size=60))
def test_any_accept_chooses_something_that_is_allowed_or_is_refused(accept: str) -> None:
    try:
        chosen = choose(accept, Format.SSE, STREAMS)
    except NotAcceptable:
        return

    assert chosen in STREAMS


@pytest.mark.parametrize(
    ("prefer", "respond_async", "wait"),
    [
        (None, False, None),
        ("respond-async", True, None),
        ("wait=10", False, 10.0),
        ('respond-async, wait="2.5"', True, 2.5),
        ("Respond-Async ,Wait = 3", True, 3.0),
        ("wait=x", False, None),
        ("wait=-1", False, None),
        ("wait=inf", False, None),
        ("wait=nan", False, None),
        ("handling=lenient; respond-async", False, None),
        ("respond-async; why=not, wait=2; x=y", True, 2.0),
        ("wait=10, respond-async, wait=20", True, 10.0),
        (", ,respond-async,,", True, None),
    ],
)
def test_a_preference_is_read_and_unknown_ones_are_ignored(
    prefer: str | None, respond_async: object, wait: float | None
) -> None:
    read = preferences(prefer)

    assert (read.respond_async, read.wait) == (respond_async, wait)


@pytest.mark.parametrize(("text", "number"), [(None, 0), ("", 0), ("2.5", 2.5), ("1e9", 60.0)])
def test_seconds_are_at_most_the_longest(text: str | None, number: float) -> None:
    assert seconds(text, 60.0) == number


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "-inf"])
def test_seconds_that_are_not_a_number_are_refused(text: str) -> None:
    with pytest.raises(ParseError, match="number of seconds"):
        seconds(text, 60.0)
