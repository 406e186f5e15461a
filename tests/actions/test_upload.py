"""An upload is a file that its run owns, under a name that harms nobody."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from tests.support.descriptors import open_files
from yieldwire.actions.upload import KeptFile, Upload, Uploads


def test_a_file_reports_its_size_and_is_at_its_beginning() -> None:
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


def test_python_can_hand_in_a_path_a_file_or_an_upload(tmp_path: Path) -> None:
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


# The files of one input.


def test_what_is_made_or_validated_meanwhile_closes_together(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")
    given, before = Upload(BytesIO(b"x")), Upload(BytesIO(b"y"))
    uploads = Uploads([before])

    with uploads.collecting():
        made = [ADAPTER.validate_python(value) for value in (given, path, BytesIO(b"z"))]
    after = ADAPTER.validate_python(BytesIO(b"z"))
    assert not any(upload.file.closed for upload in (*made, before))
    uploads.close()
    uploads.close()

    assert all(upload.file.closed for upload in (*made, before))
    assert not after.file.closed


def test_what_is_written_into_an_input_is_known_by_its_hash() -> None:
    uploads, upload = Uploads(), Upload(BytesIO(b"abc"))

    with uploads.collecting():
        ADAPTER.dump_json(upload)

    assert uploads.described == {upload.sha256(): upload}


def test_a_file_that_cannot_be_closed_keeps_no_other_open() -> None:
    class Stubborn(BytesIO):
        has_failed = False

        def close(self) -> None:
            if not self.has_failed:
                self.has_failed = True
                raise OSError("the disk is full")

    other = Upload(BytesIO(b"b"))
    Uploads([Upload(Stubborn(b"a")), other]).close()

    assert other.file.closed


def test_a_file_that_another_run_has_closed_is_refused() -> None:
    upload = Upload(BytesIO(b"abc"))
    upload.close()

    with pytest.raises(ValidationError, match="open it for each run"):
        ADAPTER.validate_python(upload)


def test_a_path_that_is_not_a_file_leaves_nothing_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    other_end = os.open(tmp_path / "pipe", os.O_RDWR)
    before = open_files()

    with pytest.raises(ValidationError, match="seek"):
        ADAPTER.validate_python(tmp_path / "pipe")

    assert open_files() == before
    os.close(other_end)


def test_a_file_is_binary_in_the_schema() -> None:
    assert ADAPTER.json_schema() == {"type": "string", "format": "binary"}


def test_a_file_that_is_sent_on_is_described_as_it_is_told() -> None:
    schema = ADAPTER.json_schema(mode="serialization")

    told = from_json(ADAPTER.dump_json(Upload(BytesIO(b"abc"))))

    assert list(told) == list(schema["properties"]) == schema["required"]


def test_a_file_that_is_kept_elsewhere_is_opened_when_it_is_needed() -> None:
    opened = list[BytesIO]()

    def open_() -> BytesIO:
        opened.append(BytesIO(b"abc"))
        return opened[-1]

    upload = Upload(KeptFile(open_, 3, "hash"), filename="a/b.csv", content_type="text/csv")
    assert (upload.filename, upload.size, upload.sha256()) == ("b.csv", 3, "hash")
    assert (upload.is_open, opened) == (False, [])

    upload.fetch()
    upload.fetch()

    assert upload.file.read() == b"abc"
    assert len(opened) == 1
    upload.close()
    assert opened[0].closed


def test_a_file_that_is_opened_while_its_run_ends_is_closed() -> None:
    opened = BytesIO(b"abc")

    def open_() -> BytesIO:
        upload.close()  # another thread does this meanwhile
        return opened

    upload = Upload(KeptFile(open_, 3, "hash"))

    upload.fetch()

    assert opened.closed
    assert upload.is_closed
