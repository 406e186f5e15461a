import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from starlette.requests import Request
from starlette.types import Message

from tests.support.calls import Call
from tests.support.world import say, send_tree, take
from yieldwire.actions import Action, Options
from yieldwire.asgi.bodies import read_input
from yieldwire.asgi.bounds import Bounds
from yieldwire.errors import (
    Json,
    ParseError,
    PayloadTooLarge,
    RequestTimedOut,
    UnsupportedMediaType,
)
from yieldwire.upload import Upload

SAY: Action[..., Any, Any] = Action(say, Options())
TAKE: Action[..., Any, Any] = Action(take, Options())
TREE: Action[..., Any, Any] = Action(send_tree, Options())
BOUNDS = Bounds(json_bytes=1000, upload_bytes=3000, files=2, fields=3, field_bytes=500)
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"
FILE = (
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="../a.csv"\r\n'
    b"Content-Type: text/csv\r\n\r\na,b\r\n"
)
NOTE = b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\n\xc3\xbc\r\n'
END = b"--B--\r\n"


def request_of(content_type: str | None, *pieces: bytes, leaves: bool = False) -> Request:
    """Return a request whose client sends these pieces, and leaves where it ``leaves``."""
    headers = [] if content_type is None else [("content-type", content_type)]
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append(
        {"type": "http.disconnect"}
        if leaves
        else {"type": "http.request", "body": b"", "more_body": False}
    )

    async def receive() -> Message:
        return messages.pop(0)

    return Request(Call(method="POST", target="/x", headers=headers).scope(), receive)


async def read(
    content_type: str | None, *pieces: bytes, action: Action[..., Any, Any] = SAY
) -> Json:
    request = request_of(content_type, *pieces)
    return await read_input(request.headers, request.receive, action, BOUNDS, 5.0)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ],
)
async def test_json_is_read_whatever_its_type_is_called(kind: str) -> None:
    assert await read(kind, b'{"text":', b'"x"}') == {"text": "x"}


@pytest.mark.parametrize("kind", ["application/json", None])
async def test_no_body_is_no_input(kind: str | None) -> None:
    assert await read(kind) == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "", None, "json"])
async def test_a_body_of_another_type_is_not_read(kind: str | None) -> None:
    with pytest.raises(UnsupportedMediaType, match="Send application/json"):
        await read(kind, b'{"text":"x"}')


async def test_a_form_is_read_by_the_actions_types() -> None:
    assert await read(FORM, b"text=a+%C3%BC&times=3") == {"text": "a \xfc", "times": "3"}


async def test_a_form_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ParseError, match="not UTF-8"):
        await read(FORM, b"text=%ff")
    with pytest.raises(ParseError, match="not UTF-8"):
        await read(FORM, b"text=\xff")


async def test_a_form_has_so_many_fields_and_no_more() -> None:
    assert await read(FORM, b"a=1&b=2&c=3") == {"a": "1", "b": "2", "c": "3"}
    with pytest.raises(PayloadTooLarge, match="3 fields"):
        await read(FORM, b"a=1&b=2&c=3&d=4")


async def test_json_that_is_sent_as_a_form_is_told_so() -> None:
    with pytest.raises(UnsupportedMediaType, match="add the header Content-Type"):
        await read(FORM, b'{"text":"x"}')


async def test_a_file_is_read_with_its_name_and_type() -> None:
    data = await read(MULTIPART, FILE, NOTE + END, action=TAKE)

    file = data["file"]
    assert isinstance(file, Upload)
    assert (file.filename, file.content_type, file.size) == ("a.csv", "text/csv", 3)
    assert data["note"] == "\xfc"
    file.close()


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "Utf8"])
async def test_a_multipart_body_may_say_that_it_is_utf_8(charset: str) -> None:
    assert await read(f"{MULTIPART}; charset={charset}", NOTE, END) == {"note": "\xfc"}


@pytest.mark.parametrize(
    "charset",
    ["punycode", "idna", "undefined", "utf-16", "utf-7", "unicode_escape", "a\0b", "us-ascii"],
)
async def test_a_multipart_body_in_any_other_charset_is_not_read(charset: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="in UTF-8"):
        await read(f"{MULTIPART}; charset={charset}", NOTE, END)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MULTIPART, b"nothing of the kind"),
        (MULTIPART, b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n"),
        (MULTIPART, b"--B\r\n\r\nx\r\n--B--\r\n"),
        ("multipart/form-data", NOTE + END),
        ("multipart/form-data; boundary=" + "B" * 1000, NOTE + END),
    ],
)
async def test_a_multipart_body_that_cannot_be_read_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ParseError, match="multipart body"):
        await read(kind, body)


@pytest.mark.parametrize(
    "pieces",
    [[FILE] * 3, [NOTE] * 4, [NOTE.replace(b"\xc3\xbc", b"x" * 501)], [FILE, b"x" * 3000]],
    ids=["files", "fields", "a field", "all"],
)
async def test_a_multipart_body_has_limits_for_each_of_its_parts(pieces: list[bytes]) -> None:
    with pytest.raises(PayloadTooLarge, match=r"Too many|Part exceeded|limit of 3000"):
        await read(MULTIPART, *pieces, END)


@pytest.mark.parametrize("kind", ["application/json", FORM, MULTIPART])
async def test_a_client_that_leaves_sent_no_body(kind: str) -> None:
    request = request_of(kind, b"--B\r\n", leaves=True)

    with pytest.raises(ParseError, match="ends too early"):
        await read_input(request.headers, request.receive, SAY, BOUNDS, 5.0)


@pytest.mark.parametrize("kind", ["application/json", FORM, MULTIPART])
async def test_a_body_has_so_long_to_arrive(kind: str) -> None:
    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    headers = [("content-type", kind)]
    request = Request(Call(method="POST", target="/x", headers=headers).scope(), receive)

    with pytest.raises(RequestTimedOut, match=r"within 0\.01 s"):
        await read_input(request.headers, request.receive, SAY, BOUNDS, 0.01)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5), st.data())
def test_a_body_is_the_same_however_it_is_cut(value: dict[str, str], data: st.DataObject) -> None:
    body = to_json(value)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert asyncio.run(read("application/json", *pieces)) == value


async def test_a_form_of_a_model_that_nests_is_read_by_its_types() -> None:
    assert await read(FORM, b'name=x&children=[{"name":"y"}]', action=TREE) == {
        "name": "x",
        "children": [{"name": "y"}],
    }
