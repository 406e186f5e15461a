import io
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from python_multipart import FormParser
from python_multipart.multipart import Field, File, parse_options_header

from yieldwire.client.body import Body, body_of, query_of
from yieldwire.errors import UsageError
from yieldwire.upload import Upload


async def bytes_of(body: Body) -> bytes:
    content = body.content()
    if isinstance(content, bytes):
        return content
    return b"".join([piece async for piece in content])


async def form_of(input: Mapping[str, object]) -> list[tuple[Any, ...]]:
    """Return the fields and files that a server reads from the body, after it was sent twice."""
    body = await body_of(input)
    await bytes_of(body)
    content = await bytes_of(body)
    found: list[tuple[Any, ...]] = []

    def on_field(field: Field) -> None:
        found.append((field.field_name, field.value))

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        found.append((file.field_name, file.file_name, file.file_object.read()))

    kind, options = parse_options_header(body.content_type)
    parser = FormParser(kind.decode(), on_field, on_file, boundary=options[b"boundary"])
    parser.write(content)
    parser.finalize()
    assert body.length == len(content)
    return found


async def test_an_input_is_sent_as_json() -> None:
    body = await body_of({"n": 1, "when": date(2024, 2, 29)})

    assert await bytes_of(body) == b'{"n":1,"when":"2024-02-29"}'
    assert (body.content_type, body.length) == ("application/json", 27)


async def test_a_model_is_an_input_too() -> None:
    class Chat(BaseModel):
        words: list[str]

    assert await bytes_of(await body_of(Chat(words=["a"]))) == b'{"words":["a"]}'


async def test_no_input_is_an_empty_object() -> None:
    assert await bytes_of(await body_of(None)) == b"{}"


async def test_a_path_is_sent_as_a_file_and_more_than_once(tmp_path: Path) -> None:
    path = tmp_path / "kontakte ü.csv"
    path.write_bytes(b"name\nAnna\n")

    fields = await form_of({"file": path})

    assert fields == [(b"file", "kontakte ü.csv".encode(), b"name\nAnna\n")]


async def test_an_open_file_is_sent_whole_wherever_it_stands() -> None:
    file = io.BytesIO(b"0123")
    file.read(2)

    assert await form_of({"file": file}) == [(b"file", b"upload", b"0123")]


async def test_an_upload_keeps_its_name() -> None:
    upload = Upload(io.BytesIO(b"x"), filename="a.png", content_type="image/png")

    assert await form_of({"file": upload}) == [(b"file", b"a.png", b"x")]


async def test_beside_files_scalars_are_text_lists_repeated_and_objects_json() -> None:
    fields = await form_of(
        {
            "files": [io.BytesIO(b"a"), io.BytesIO(b"b")],
            "n": 3,
            "yes": True,
            "none": None,
            "tags": ["a", "ö"],
            "rows": [[1, 2], [3]],
            "deep": {"x": [1]},
            "when": date(2024, 2, 29),
        }
    )

    assert fields == [
        (b"files", b"upload", b"a"),
        (b"files", b"upload", b"b"),
        (b"n", b"3"),
        (b"yes", b"true"),
        (b"tags", b"a"),
        (b"tags", "ö".encode()),
        (b"rows", b"[1,2]"),
        (b"rows", b"[3]"),
        (b"deep", b'{"x":[1]}'),
        (b"when", b"2024-02-29"),
    ]


async def test_a_name_cannot_break_out_of_its_header() -> None:
    body = await body_of({'a"\r\nX-Evil: 1': io.BytesIO(b"x")})

    assert b'name="a%22%0D%0AX-Evil: 1"' in await bytes_of(body)


async def test_a_text_file_is_refused_with_the_way_to_open_it() -> None:
    with pytest.raises(UsageError, match=r"open\(path, 'rb'\)"):
        await body_of({"file": io.StringIO("text")})


async def test_a_file_that_cannot_be_read_twice_is_refused() -> None:
    class Pipe(io.RawIOBase):
        def seekable(self) -> bool:
            return False

    with pytest.raises(UsageError, match="must be seekable"):
        await body_of({"file": Pipe()})


async def test_a_temporary_file_is_a_file() -> None:
    with tempfile.SpooledTemporaryFile() as file:
        file.write(b"x")

        assert [name for name, *_ in await form_of({"file": file})] == [b"file"]


def test_a_feeds_input_is_a_query() -> None:
    assert query_of({"of": ["a", "b c"], "n": 1, "none": None}) == "of=a&of=b+c&n=1"
