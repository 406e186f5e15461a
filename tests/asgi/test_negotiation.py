import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.asgi.negotiation import (
    HTML,
    JSON,
    NDJSON,
    SSE,
    TEXT,
    Format,
    Formats,
    preferences,
    seconds,
)
from yieldwire.errors import NotAcceptable, ParseError, UsageError

FORMATS = Formats()


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (None, SSE),
        ("", SSE),
        ("*/*", SSE),
        ("text/event-stream", SSE),
        ("TEXT/Event-Stream", SSE),
        ("application/x-ndjson", NDJSON),
        ("application/jsonl", NDJSON),
        ("application/ndjson", NDJSON),
        ("application/jsonlines; charset=utf-8", NDJSON),
        ("text/plain", TEXT),
        ("application/json", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("application/xhtml+xml", HTML),
        ("text/*", SSE),
        ("application/*", JSON),
        ("image/png, */*;q=0.1", SSE),
        ("application/json;q=0.5, text/plain", TEXT),
        ("application/json;q=0, text/plain;q=0.1", TEXT),
        ("application/json, text/event-stream", JSON),
        ("application/json;q=x, text/plain;q=0.1", TEXT),
        (" , ;q=1, text/plain", TEXT),
    ],
)
def test_the_format_is_what_the_caller_likes_best(accept: str | None, format_: Format) -> None:
    assert FORMATS.choose(accept, SSE) is format_


def test_any_application_type_is_the_default_where_that_is_one() -> None:
    assert FORMATS.choose("application/*", NDJSON) is NDJSON


@pytest.mark.parametrize("accept", ["image/png", "application/json", "text/html", "*/*;q=0", "x"])
def test_what_cannot_be_made_is_refused_with_what_can(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="choose from: application/x-ndjson, text/event-stream"):
        FORMATS.choose(accept, SSE, streams=True)


def test_a_format_of_a_dialect_is_chosen_where_it_was_added_only() -> None:
    formats, format_ = Formats(), Format(media_type="application/x-cbor", aliases=("x/cbor",))
    formats.add(format_)

    assert formats.choose("image/png, x/cbor;q=0.5", SSE) is format_
    assert formats.choose("application/*", SSE) is JSON
    with pytest.raises(NotAcceptable, match="choose from: application/json, application/x-ndjson"):
        FORMATS.choose("application/x-cbor", SSE)


def test_a_media_type_has_one_format() -> None:
    formats = Formats()

    with pytest.raises(UsageError, match="a format for text/plain already"):
        formats.add(Format(media_type="text/plain"))


@given(st.text(max_size=60))
def test_any_accept_chooses_something_that_is_allowed_or_is_refused(accept: str) -> None:
    try:
        chosen = FORMATS.choose(accept, SSE, streams=True)
    except NotAcceptable:
        return

    assert chosen in {SSE, NDJSON, TEXT}


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
