import asyncio
import gc
import math
import tempfile
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from tests.support.calls import Call
from tests.support.virtual import run_virtually
from tests.support.world import say, send_tree, take
from yieldwire.actions.action import Action, Options
from yieldwire.actions.upload import Upload
from yieldwire.asgi.bodies import HEAD_BYTES, SPOOL_BYTES, read_input
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.errors import (
    Json,
    ParseError,
    PayloadTooLarge,
    RequestTimedOut,
    StoreError,
    UnsupportedMediaType,
    UsageError,
)

SAY: Action[..., Any, Any] = Action(say, Options())
TAKE: Action[..., Any, Any] = Action(take, Options())
TREE: Action[..., Any, Any] = Action(send_tree, Options())
LIMITS = RequestLimits(json_bytes=1000, upload_bytes=3000, files=2, fields=3, field_bytes=500)
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
    content_type: str | None,
    *pieces: bytes,
    action: Action[..., Any, Any] = SAY,
    limits: RequestLimits = LIMITS,
) -> Json:
    request = request_of(content_type, *pieces)
    return await read_input(request.headers, request.receive, action.input_schema, limits, 5.0)


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
async def test_a_missing_body_is_an_empty_input(kind: str | None) -> None:
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


async def test_a_form_has_a_limited_number_of_fields() -> None:
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
async def test_a_multipart_body_can_say_that_it_is_utf_8(charset: str) -> None:
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


async def test_fields_are_held_up_to_the_limit_of_json() -> None:
    with pytest.raises(PayloadTooLarge, match="Too many bytes in fields"):
        await read(MULTIPART, *[NOTE.replace(b"\xc3\xbc", b"x" * 450)] * 3, END)


def envelope(text: bytes) -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name=":input"\r\n\r\n%b\r\n' % text


PLACED = FILE.replace(b'"file"', b'"0"')
LISTED = envelope(b'{"input":{"file":"b.csv","note":null},"files":["/file"]}')


@pytest.mark.parametrize("pieces", [[LISTED, PLACED, END], [PLACED, LISTED, END]])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_json_with_files_is_read_in_any_order_and_any_pieces(
    pieces: list[bytes], size: int
) -> None:
    body = b"".join(pieces)
    cut = [body[place : place + size] for place in range(0, len(body), size)]

    data = await read(MULTIPART, *cut, action=TAKE, limits=replace(LIMITS, fields=0))

    assert data["note"] is None
    assert (data["file"].filename, data["file"].size) == ("b.csv", 3)
    data["file"].close()


@pytest.mark.parametrize("length", [999, 1000])
async def test_json_next_to_files_can_be_as_large_as_json_alone(length: int) -> None:
    text = b'{"a":"%b"}' % (b"x" * (length - 8))
    whole = {"a": "x" * (length - 8)}

    assert await read("application/json", text) == whole
    assert await read(MULTIPART, envelope(b'{"input":%b,"files":[]}' % text), END) == whole


async def test_json_next_to_files_has_the_limit_of_json() -> None:
    text = b'{"input":"%b","files":[]}' % (b"x" * (1000 + HEAD_BYTES))
    one = replace(LIMITS, files=1)

    with pytest.raises(PayloadTooLarge, match="Too many bytes in fields"):
        await read(MULTIPART, envelope(text), END, limits=one)


async def test_json_next_to_files_nests_as_deep_as_json_alone() -> None:
    text = b'{"a":' * 4 + b"1" + b"}" * 4

    for depth, refused in ((4, False), (3, True)):
        limits = replace(LIMITS, depth=depth)
        for kind, body in (
            ("application/json", text),
            (MULTIPART, envelope(b'{"files":[],"input":%b}' % text) + END),
        ):
            if not refused:
                assert await read(kind, body, limits=limits) == {"a": {"a": {"a": {"a": 1}}}}
                continue
            with pytest.raises(ParseError, match="deeper than 3 levels"):
                await read(kind, body, limits=limits)


@pytest.mark.parametrize(
    "pieces",
    [
        [LISTED],
        [LISTED, PLACED, PLACED],
        [LISTED, LISTED, PLACED],
        [LISTED, PLACED, NOTE],
        [LISTED, PLACED, FILE],
        [envelope(b'{"input":{"file":"\xff"},"files":["/file"]}'), PLACED],
        [envelope(b"{}"), PLACED],
    ],
    ids=["none", "twice", "two inputs", "a field", "one more", "no UTF-8", "no envelope"],
)
async def test_json_whose_files_are_not_the_other_parts_is_refused_and_they_are_closed(
    pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[Any]()

    class Kept(SpooledTemporaryFile[bytes]):
        def __init__(self, max_size: int = 0) -> None:
            super().__init__(max_size)
            opened.append(self)

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", Kept)

    with pytest.raises(ParseError):
        await read(MULTIPART, *pieces, END, limits=replace(LIMITS, fields=9, files=9))

    assert all(file.closed for file in opened)


LONG_NAME = b'--B\r\nContent-Disposition: form-data; name="%b"\r\n\r\nx\r\n' % (b"n" * HEAD_BYTES)
LONG_HEADER = NOTE.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * HEAD_BYTES + b"\r\n\r\n", 1)


@pytest.mark.parametrize("piece", [LONG_NAME, LONG_HEADER], ids=["a name", "a header"])
async def test_the_heads_of_parts_are_held_up_to_a_limit(piece: bytes) -> None:
    request = request_of(MULTIPART, piece, END)
    one = RequestLimits(files=0, fields=1)

    with pytest.raises(PayloadTooLarge, match="Too many bytes in the heads of parts"):
        await read_input(request.headers, request.receive, SAY.input_schema, one, 60.0)


async def test_a_file_in_memory_has_a_limited_number_of_bytes() -> None:
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    large = RequestLimits(json_bytes=1_000)
    pieces = [head, *[b"x" * SPOOL_BYTES] * 12, b"\r\n", END]
    request = request_of(MULTIPART, *pieces)

    tracemalloc.start()
    try:
        fields = await read_input(request.headers, request.receive, TAKE.input_schema, large, 5.0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(fields, dict)
    assert fields["file"].size == 12 * SPOOL_BYTES
    assert taken < 6 * SPOOL_BYTES
    fields["file"].file.close()


async def test_a_file_for_which_the_disk_has_no_place_can_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    pieces = [head, *[b"x" * SPOOL_BYTES] * 3, b"\r\n", END]

    async with no_file_left():
        with pytest.raises(StoreError, match="Files cannot be received: No such file") as caught:
            await read(MULTIPART, *pieces, action=TAKE, limits=RequestLimits())

    assert caught.value.retryable


@pytest.mark.parametrize("kind", ["application/json", FORM, MULTIPART])
async def test_a_client_that_leaves_sent_no_body(kind: str) -> None:
    request = request_of(kind, b"--B\r\n", leaves=True)

    with pytest.raises(ParseError, match="ends too early"):
        await read_input(request.headers, request.receive, SAY.input_schema, LIMITS, 5.0)


BODIES = {
    "application/json": (b'{"text":"', b'"}'),
    FORM: (b"text=", b""),
    MULTIPART: (NOTE.replace(b"note", b"text").removesuffix(b"\xc3\xbc\r\n"), b"\r\n" + END),
}
"""How a body of each type begins and ends, around as much of a text as there can be."""


def arrive(
    kind: str, pieces: list[bytes], every: float, *, rate: float = 240
) -> tuple[Json, float]:
    """Send a body of which a piece comes every few seconds, with 60 s of patience.

    Return what is read, or why it is not, and how many seconds that took.
    """
    begin, end = BODIES[kind]
    left = [begin, *pieces, end]

    async def receive() -> Message:
        await asyncio.sleep(every)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def program() -> tuple[Json, float]:
        headers = Headers({"content-type": kind})
        time = asyncio.get_running_loop().time
        began = time()
        try:
            read = await read_input(
                headers, receive, SAY.input_schema, RequestLimits(body_rate=rate), 60.0
            )
        except RequestTimedOut as refusal:
            read = str(refusal)
        return read, time() - began

    return run_virtually(program())


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_keeps_arriving_takes_as_long_as_its_size_needs(kind: str) -> None:
    read, seconds = arrive(kind, [b"x" * 1000] * 900, every=4.0)

    assert read == {"text": "x" * 900_000}
    assert seconds > 3600


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_stops_arriving_is_refused_when_it_was_silent_for_too_long(kind: str) -> None:
    read, seconds = arrive(kind, [b"x" * 100_000], every=61.0)

    assert read == "No part of the body arrived for 60 s."
    assert seconds == pytest.approx(60.0)


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("every", [0.1, 1.0, 59.0])
def test_a_byte_now_and_then_keeps_no_connection(kind: str, every: float) -> None:
    read, seconds = arrive(kind, [b"x"] * 10_000, every=every)

    assert read == "The body arrives at less than 240 bytes per second."
    assert 60.0 <= seconds < 70.0


def test_what_came_fast_counts_for_what_comes_slowly_later() -> None:
    read, seconds = arrive(FORM, [b"x" * 24_000, *[b"x"] * 100_000], every=1.0)

    assert read == "The body arrives at less than 240 bytes per second."
    assert 160.0 <= seconds < 165.0


def test_without_a_lowest_rate_only_silence_ends_a_body() -> None:
    read, seconds = arrive(FORM, [b"x"] * 300, every=30.0, rate=0)

    assert read == {"text": "x" * 300}
    assert seconds > 9000


@pytest.mark.parametrize("rate", [-1, math.inf, math.nan])
def test_a_lowest_rate_is_a_number_of_bytes(rate: float) -> None:
    with pytest.raises(UsageError, match="is not a number of bytes per second"):
        RequestLimits(body_rate=rate)


LARGE = FILE.replace(b"a,b", b"x" * 1024 * 1024 * 2)
"""A file of which the content does not stay in memory."""


def files_open() -> set[str]:
    """Return the deleted temporary files that this process has open."""
    names = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {name for name in names if name.endswith(" (deleted)")}


@asynccontextmanager
async def no_file_left() -> AsyncGenerator[None]:
    """Fail where a file stays open behind this, without help of the garbage collector."""
    before = files_open()
    gc.disable()
    try:
        yield
        assert files_open() <= before
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("rest", "refusal"),
    [
        ([{"type": "http.disconnect"}], ParseError),
        ([], RequestTimedOut),
        ([b"--B\r\nnonsense\r\n"], ParseError),
        ([FILE, FILE, END], PayloadTooLarge),
        ([NOTE, NOTE, NOTE, NOTE, END], PayloadTooLarge),
        ([b"x" * 2_000_000, END], PayloadTooLarge),
    ],
    ids=["cut off", "silent", "malformed", "too many files", "too many fields", "too large"],
)
async def test_a_form_that_is_not_read_to_its_end_leaves_no_file(
    rest: list[Any], refusal: type[Exception]
) -> None:
    left = [LARGE, *rest]

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        piece = left.pop(0)
        is_body = isinstance(piece, bytes)
        return {"type": "http.request", "body": piece, "more_body": True} if is_body else piece

    limits = replace(LIMITS, upload_bytes=4_000_000)
    headers = Headers({"content-type": MULTIPART})
    async with no_file_left():
        with pytest.raises(refusal) as caught:
            await read_input(headers, receive, TAKE.input_schema, limits, 0.5)
        assert caught.value is not None  # and with it every frame it came through


async def test_a_form_whose_reading_is_cancelled_leaves_no_file() -> None:
    reached = asyncio.Event()
    left = [LARGE]

    async def receive() -> Message:
        if not left:
            reached.set()
            await asyncio.Event().wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    headers = Headers({"content-type": MULTIPART})
    async with no_file_left():
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(
                read_input(headers, receive, TAKE.input_schema, RequestLimits(), 60.0)
            )
            await reached.wait()
            reading.cancel()
        assert reading.cancelled()


async def test_a_form_that_no_input_can_be_made_of_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No schema that is known makes this fail, so the schema itself does.
    monkeypatch.setattr(TAKE, "input_schema", {"required": ["nowhere"], "properties": {}})

    async with no_file_left():
        with pytest.raises(KeyError) as caught:
            await read(MULTIPART, LARGE, END, action=TAKE, limits=RequestLimits())
        assert caught.value.args == ("nowhere",)


async def test_files_that_do_not_get_into_the_input_are_closed() -> None:
    unnamed = FILE.replace(b"../a.csv", b"").replace(b"a,b", b"")
    first, empty = LARGE, unnamed

    async with no_file_left():
        data = await read(MULTIPART, first, empty, FILE, END, action=TAKE, limits=RequestLimits())

    assert data["file"].size == len(b"a,b")
    data["file"].close()


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
