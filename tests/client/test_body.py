import io
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import from_json
from python_multipart import FormParser
from python_multipart.multipart import Field, File, parse_options_header

from yieldwire.actions.upload import Upload
from yieldwire.client.body import Content, body_of, query_of
from yieldwire.errors import UsageError


async def bytes_of(body: Content) -> bytes:
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
        found.append((field.field_name, from_json(field.value or b"")))

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

    (envelope, file) = await form_of({"file": path})

    assert envelope == (b":input", {"input": {"file": path.name}, "files": ["/file"]})
    assert file == (b"0", "kontakte ü.csv".encode(), b"name\nAnna\n")


async def test_an_open_file_is_sent_whole_wherever_it_stands() -> None:
    file = io.BytesIO(b"0123")
    file.read(2)

    assert (await form_of({"file": file}))[1:] == [(b"0", b"upload", b"0123")]


async def test_an_upload_keeps_its_name() -> None:
    upload = Upload(io.BytesIO(b"x"), filename="a.png", content_type="image/png")

    assert (await form_of({"file": upload}))[1:] == [(b"0", b"a.png", b"x")]


async def test_next_to_files_everything_is_the_same_json_as_without_them() -> None:
    rest = {"none": None, "tags": ["x\ny"], "deep": {"x": [1]}, "when": date(2024, 2, 29)}

    fields = await form_of({"files": [io.BytesIO(b"a"), io.BytesIO(b"b")], **rest})

    expected = {"files": ["upload", "upload"], **rest, "when": "2024-02-29"}
    assert fields == [
        (b":input", {"input": expected, "files": ["/files/0", "/files/1"]}),
        (b"0", b"upload", b"a"),
        (b"1", b"upload", b"b"),
    ]


@pytest.mark.parametrize("content_type", ["a/b\r\nX-Evil: 1", "a/ü", "\0"])
async def test_neither_a_name_nor_a_type_can_break_out_of_its_header(content_type: str) -> None:
    class Evil:
        file = io.BytesIO(b"x")
        filename = 'a"\r\nX-Evil: 1\udcff'

    setattr(Evil, "content_type", content_type)  # noqa: B010 - read through a protocol

    content = await bytes_of(await body_of({"file": Evil()}))

    assert b'filename="a%22%0D%0AX-Evil: 1?"\r\nContent-Type: application/octet-stream' in content


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

        assert [name for name, *_ in await form_of({"file": file})] == [b":input", b"0"]


def test_a_feeds_input_is_a_query() -> None:
    assert query_of({"of": ["a", "b c"], "n": 1, "none": None}) == "of=a&of=b+c&n=1"
