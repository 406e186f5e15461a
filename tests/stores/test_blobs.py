"""A run's files are on disk while an attempt can need them, and leave nothing behind."""

import threading
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support.descriptors import open_files
from yieldwire.actions.upload import Upload, Uploads
from yieldwire.runs.files import reopened as upload_of
from yieldwire.stores.blobs import FolderBlobs, RunFolder

ADAPTER: TypeAdapter[Upload] = TypeAdapter(Upload)


def reopened(files: RunFolder, record: object) -> Upload:
    with Uploads(reopen=partial(upload_of, files)).collecting():
        return ADAPTER.validate_python(record)


def named(*uploads: Upload) -> list[tuple[str, BinaryIO]]:
    return [(upload.sha256(), upload.file) for upload in uploads]


def test_kept_files_are_found_again_by_their_record(tmp_path: Path) -> None:
    files = RunFolder(tmp_path / "r1")
    upload = Upload(BytesIO(b"abc"), filename="a.csv", content_type="text/csv")
    upload.file.seek(2)

    files.keep(named(upload, Upload(BytesIO(b"abc"), filename="same.csv")))
    again = reopened(files, ADAPTER.dump_python(upload))

    assert upload.file.tell() == 0
    assert (again.filename, again.content_type, again.file.read()) == ("a.csv", "text/csv", b"abc")
    assert [path.name for path in (tmp_path / "r1").iterdir()] == [upload.sha256()]
    again.close()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"filename": "a", "contentType": "b", "sha256": "0" * 64}, "no longer exists"),
        ({"filename": "a", "contentType": "b", "sha256": "../../secret"}, "no longer exists"),
        ({"filename": "a", "contentType": "b", "sha256": ".."}, "no longer exists"),
        ({"filename": "a"}, "not a record of a file"),
        ("/etc/passwd", "not a record of a file"),
        (Path("/etc/passwd"), "not a record of a file"),
        (None, "not a record of a file"),
    ],
)
def test_what_is_not_kept_is_not_found(tmp_path: Path, record: object, message: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    files = RunFolder(tmp_path / "runs" / "r1")
    files.keep(named(Upload(BytesIO(b"abc"))))

    with pytest.raises(ValidationError, match=message):
        reopened(files, record)


def test_kept_files_are_forgotten_whole(tmp_path: Path) -> None:
    files, before = RunFolder(tmp_path / "r1"), open_files()
    files.keep(named(Upload(BytesIO(b"abc"))))

    files.forget()
    files.forget()

    assert FolderBlobs(tmp_path).run_ids() == []
    assert open_files() == before


@pytest.mark.parametrize("place", range(3))
def test_files_of_which_one_cannot_be_written_leave_nothing(tmp_path: Path, place: int) -> None:
    class Failing(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    uploads = [Upload(BytesIO(b"%d" % n)) for n in range(3)]
    failing = Upload(BytesIO(b"abc"))
    failing.sha256()
    failing.file = Failing(b"abc")
    uploads[place] = failing
    files, before = RunFolder(tmp_path / "files" / "r1"), open_files()

    with pytest.raises(OSError, match="No space left"):
        files.keep(named(*uploads))

    assert FolderBlobs(tmp_path / "files").run_ids() == []
    assert open_files() == before


# Leftovers.


def test_a_folder_cannot_be_seized_until_its_run_is_in_the_store(tmp_path: Path) -> None:
    files, other = RunFolder(tmp_path / "r1"), RunFolder(tmp_path / "r1")
    files.keep(named(Upload(BytesIO(b"abc"))))

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

    writing = threading.Thread(target=files.keep, args=[named(Upload(BytesIO(b"abc")))])
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
        RunFolder(tmp_path / "files" / "r1").keep(named(Upload(BytesIO(b"abc"))))


def test_only_folders_are_taken_for_those_of_runs(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "r1")

    assert FolderBlobs(tmp_path).run_ids() == ["r1"]
    assert FolderBlobs(tmp_path / "absent").run_ids() == []
    FolderBlobs(tmp_path).of("r1").forget()
    FolderBlobs(tmp_path).of("absent").forget()
    assert FolderBlobs(tmp_path).run_ids() == []
