"""A run's files are on disk while an attempt can need them, and leave nothing behind."""

import threading
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.stores.keeping import Keeping, named
from tests.support.descriptors import open_files
from yieldwire.actions.upload import Upload, Uploads
from yieldwire.runs.files import reopened as upload_of
from yieldwire.stores.blobs import FolderBlobs, RunFolder

ADAPTER: TypeAdapter[Upload] = TypeAdapter(Upload)


class TestFolder(Keeping):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FolderBlobs:
        return FolderBlobs(tmp_path / "files")


def reopened(files: RunFolder, record: object) -> Upload:
    with Uploads(reopen=partial(upload_of, files)).collecting():
        return ADAPTER.validate_python(record)


def test_kept_files_are_found_again_by_their_record(tmp_path: Path) -> None:
    files = RunFolder(tmp_path / "r1")
    upload = Upload(BytesIO(b"abc"), filename="a.csv", content_type="text/csv")

    files.keep([(upload.sha256(), upload.file)])
    again = reopened(files, ADAPTER.dump_python(upload))

    assert (again.filename, again.content_type, again.size) == ("a.csv", "text/csv", 3)
    assert (again.sha256(), again.is_open) == (upload.sha256(), False)
    assert again.file.read() == b"abc"
    again.close()


@pytest.mark.parametrize(
    "record",
    [
        {"filename": "a"},
        {"filename": "a", "contentType": "b", "size": "3", "sha256": "0" * 64},
        "/etc/passwd",
        Path("/etc/passwd"),
        None,
    ],
)
def test_what_is_not_a_record_is_refused(tmp_path: Path, record: object) -> None:
    with pytest.raises(ValidationError, match="not a record of a file"):
        reopened(RunFolder(tmp_path / "r1"), record)


# Leftovers.


def test_a_folder_cannot_be_seized_until_its_run_is_in_the_store(tmp_path: Path) -> None:
    files, other = RunFolder(tmp_path / "r1"), RunFolder(tmp_path / "r1")
    files.keep(named(b"abc"))

    assert not other.seize()
    files.release()
    assert other.seize()

    other.release()


def test_what_is_gone_cannot_be_seized(tmp_path: Path) -> None:
    assert not RunFolder(tmp_path / "r1").seize()


def test_a_folder_that_is_deleted_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    folder, before = tmp_path / "r1", open_files()
    folder.mkdir()
    cleaner, files = RunFolder(folder), RunFolder(folder)
    assert cleaner.seize()

    writing = threading.Thread(target=files.keep, args=[named(b"abc")])
    writing.start()  # it waits for the lock, or finds no folder
    cleaner.forget()
    writing.join(30)

    assert len(list(folder.iterdir())) == 1
    files.release()
    assert open_files() == before


@pytest.mark.parametrize("target", ["nowhere/deep", "files", "a-file"])
def test_a_place_that_takes_no_folder_is_told(tmp_path: Path, target: str) -> None:
    (tmp_path / "a-file").write_bytes(b"")
    (tmp_path / "files").symlink_to(tmp_path / target)

    with pytest.raises(OSError, match="files"):
        RunFolder(tmp_path / "files" / "r1").keep(named(b"abc"))


def test_only_folders_are_taken_for_those_of_runs(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "r1")

    assert FolderBlobs(tmp_path).names() == ["r1"]
    assert FolderBlobs(tmp_path / "absent").names() == []
    FolderBlobs(tmp_path).of("r1").forget()
    FolderBlobs(tmp_path).of("absent").forget()
    assert FolderBlobs(tmp_path).names() == []
