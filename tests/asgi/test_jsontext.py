import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from yieldwire.asgi import jsontext
from yieldwire.asgi.jsontext import parse_json
from yieldwire.errors import Json, ParseError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
TRICKS = st.lists(st.sampled_from([b'"', b"\\", b"[", b"]", b"{", b"}", b"x", b"\n"])).map(b"".join)

HOSTILE = {
    "quotes behind a backslash": lambda n: b'"' + b'\\"' * n + b"[" * 40 + b"\\",
    "quotes": lambda n: b"[" * 33 + b'"' * (2 * n + 1),
    "backslashes": lambda n: b"[]" * 40 + b'"' + b"\\" * (2 * n + 1),
    "a string without an end": lambda n: b"[]" * 40 + b'"' + b"x[" * n,
    "strings without an end": lambda n: b"[]" * 40 + b'"x\\' * n,
    "empty arrays": lambda n: b"[" + b"[]," * n + b"\\",
}


@given(VALUES)
def test_what_is_written_as_json_is_read_as_it_was(value: object) -> None:
    assert parse_json(to_json(value), 100) == value


@given(st.binary(max_size=80) | TRICKS)
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        value = parse_json(body, 32)
    except ParseError:
        return

    assert from_json(body) == value


@given(TRICKS)
@example(b'"\\"\\"\\')
@example(b'"\\')
def test_every_quote_begins_a_token_so_that_nothing_is_searched_twice(body: bytes) -> None:
    tokens = jsontext.TOKENS

    quotes = [place for place, byte in enumerate(body) if byte == ord('"')]

    assert all(tokens.match(body, place) for place in quotes)


@given(VALUES, st.integers(0, 5))
def test_the_depth_is_counted_as_the_parser_would_nest(value: object, limit: int) -> None:
    body = to_json(value)

    if depth_of(value) > limit:
        with pytest.raises(ParseError, match="nests deeper"):
            parse_json(body, limit)
    else:
        assert parse_json(body, limit) == value


def depth_of(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_time_does_not_grow_as_the_square_of_the_body(kind: str) -> None:
    # 16 times the bytes; were it the square, 256 times as long. The best of several counts.
    small, large = (HOSTILE[kind](n) for n in (4_000, 64_000))

    assert best_of(5, large) < 80 * max(best_of(5, small), 0.0002)


def best_of(times: int, body: bytes) -> float:
    taken: list[float] = []
    for _ in range(times):
        started = time.process_time()
        with pytest.raises(ParseError):
            parse_json(body, 32)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "at line 1, column 2"),
        (b'{"a":1,"a":2}', "an object has the same key twice"),
        (b"NaN", "NaN is not a JSON number"),
        (b"1e999", "a number is too large"),
        (b"1" * 5000, "a number is too large"),
        (b"\xff", "it is not UTF-8"),
        (b'"\\ud800"', "a lone surrogate"),
        (b"\xef\xbb\xbf1", "a byte order mark"),
        (b"[[[", "deeper than 2 levels"),
    ],
)
def test_a_refusal_says_why(body: bytes, why: str) -> None:
    with pytest.raises(ParseError, match=why):
        parse_json(body, 2)
