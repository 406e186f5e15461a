"""An upload is a file that its run owns, under a name that harms nobody."""

from io import BytesIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from yieldwire.upload import KeptFiles, Upload


def test_a_file_tells_its_size_and_stands_at_its_beginning() -> None:
    upload = Upload(BytesIO(b"abc"), filename="a.txt", content_type="text/plain")

    assert (upload.size, upload.filename, upload.content_type) == (3, "a.txt", "text/plain")
    assert upload.file.read() == b"abc"
    assert repr(upload) == "Upload(filename='a.txt', size=3)"


def test_a_file_of_no_known_type_is_bytes() -> None:
    assert Upload(BytesIO(b"")).content_type == "application/octet-stream"


async def test_a_file_is_read_off_the_loop_piece_by_piece() -> None:
    upload = Upload(BytesIO(b"abcdef"))

    assert await upload.read(4) == b"abcd"
    assert await upload.read() == b"ef"


def test_the_hash_is_of_the_whole_content_and_moves_nothing() -> None:
    upload = Upload(BytesIO(b"abc" * 1_000_000))
    upload.file.seek(5)

    digest = upload.sha256()

    assert digest == "f4096a131e7e6ebfa7a512b5c299e13b065df34d15624ee1202ab394cc4d7e90"
    assert upload.sha256() is digest
    assert upload.file.tell() == 5


def test_closing_lets_the_file_go() -> None:
    upload = Upload(BytesIO(b"abc"))

    upload.close()

    assert upload.file.closed


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.csv", "a.csv"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\Users\\ada\\a.csv", "a.csv"),
        ("..\\..\\a.csv", "a.csv"),
        ("a\0b\r\nc.csv", "abc.csv"),
        ("\u202egpj.exe", "gpj.exe"),
        ("..", "upload"),
        (".", "upload"),
        ("", "upload"),
        ("   ", "upload"),
        ("folder/", "upload"),
        (" .hidden. ", "hidden"),
        ("é✓.csv", "é✓.csv"),
        ("x" * 5000, "x" * 255),
    ],
    ids=ascii,
)
def test_a_name_is_for_showing_only(name: str, shown: str) -> None:
    assert Upload(BytesIO(b""), filename=name).filename == shown


ADAPTER: TypeAdapter[Upload] = TypeAdapter(Upload)


def test_python_may_hand_in_a_path_a_file_or_an_upload(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    upload = Upload(BytesIO(b"x"))

    by_path = ADAPTER.validate_python(path)
    with path.open("rb") as file:
        by_file = ADAPTER.validate_python(file)

    assert (by_path.filename, by_path.size) == (by_file.filename, by_file.size) == ("a.txt", 3)
    assert ADAPTER.validate_python(upload) is upload
    by_path.close()


def test_a_file_without_a_name_has_one_for_showing() -> None:
    assert ADAPTER.validate_python(BytesIO(b"abc")).filename == "upload"


@pytest.mark.parametrize("value", ["/etc/passwd", 3, None, b"abc", {"filename": "a"}, [1]])
def test_nothing_that_comes_as_json_is_a_file(value: object) -> None:
    with pytest.raises(ValidationError, match="send a file"):
        ADAPTER.validate_python(value)


# Files that outlive the process.


def test_kept_files_are_found_again_by_their_record(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "r1")
    upload = Upload(BytesIO(b"abc"), filename="a.csv", content_type="text/csv")
    upload.file.seek(2)

    files.keep([upload, Upload(BytesIO(b"abc"), filename="same.csv")])
    again = ADAPTER.validate_python(ADAPTER.dump_python(upload), context=files)

    assert upload.file.tell() == 0
    assert (again.filename, again.content_type, again.file.read()) == ("a.csv", "text/csv", b"abc")
    assert [path.name for path in (tmp_path / "r1").iterdir()] == [upload.sha256()]
    again.close()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"filename": "a", "contentType": "b", "sha256": "0" * 64}, "not kept any more"),
        ({"filename": "a", "contentType": "b", "sha256": "../../secret"}, "not kept any more"),
        ({"filename": "a", "contentType": "b", "sha256": ".."}, "not kept any more"),
        ({"filename": "a"}, "no record of a file"),
        ("/etc/passwd", "no record of a file"),
        (None, "no record of a file"),
    ],
)
def test_what_is_not_kept_is_not_found(tmp_path: Path, record: object, message: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    files = KeptFiles(tmp_path / "runs" / "r1")
    files.keep([Upload(BytesIO(b"abc"))])

    with pytest.raises(ValidationError, match=message):
        ADAPTER.validate_python(record, context=files)


def test_kept_files_are_forgotten_whole(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "r1")
    files.keep([Upload(BytesIO(b"abc"))])

    files.forget()
    files.forget()

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_binary_in_the_schema() -> None:
    assert ADAPTER.json_schema() == {"type": "string", "format": "binary"}


def test_a_file_that_is_sent_on_is_described_as_it_is_told() -> None:
    schema = ADAPTER.json_schema(mode="serialization")

    told = from_json(ADAPTER.dump_json(Upload(BytesIO(b"abc"))))

    assert list(told) == list(schema["properties"]) == schema["required"]
