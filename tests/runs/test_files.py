"""A run's files are on disk while an attempt can need them, and leave nothing behind."""

import asyncio
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support.descriptors import open_files
from yieldwire.actions.upload import Upload, Uploads
from yieldwire.runs.files import KeptFiles, carry_out, delete, folders_in

ADAPTER: TypeAdapter[Upload] = TypeAdapter(Upload)


def reopened(files: KeptFiles, record: object) -> Upload:
    with Uploads(reopen=files.open).collecting():
        return ADAPTER.validate_python(record)


def test_kept_files_are_found_again_by_their_record(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path / "r1")
    upload = Upload(BytesIO(b"abc"), filename="a.csv", content_type="text/csv")
    upload.file.seek(2)

    files.keep([upload, Upload(BytesIO(b"abc"), filename="same.csv")])
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
    files = KeptFiles(tmp_path / "runs" / "r1")
    files.keep([Upload(BytesIO(b"abc"))])

    with pytest.raises(ValidationError, match=message):
        reopened(files, record)


def test_kept_files_are_forgotten_whole(tmp_path: Path) -> None:
    files, before = KeptFiles(tmp_path / "r1"), open_files()
    files.keep([Upload(BytesIO(b"abc"))])

    files.forget()
    files.forget()

    assert folders_in(tmp_path) == []
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
    files, before = KeptFiles(tmp_path / "files" / "r1"), open_files()

    with pytest.raises(OSError, match="No space left"):
        files.keep(uploads)

    assert folders_in(tmp_path / "files") == []
    assert open_files() == before


# Leftovers.


def test_a_folder_cannot_be_seized_until_its_run_is_in_the_store(tmp_path: Path) -> None:
    files, other = KeptFiles(tmp_path / "r1"), KeptFiles(tmp_path / "r1")
    files.keep([Upload(BytesIO(b"abc"))])

    assert not other.seize()
    files.release()
    assert other.seize()

    other.release()


def test_what_is_gone_cannot_be_seized(tmp_path: Path) -> None:
    assert not KeptFiles(tmp_path / "r1").seize()


def test_a_folder_that_is_deleted_before_it_is_locked_is_made_again(tmp_path: Path) -> None:
    folder, before = tmp_path / "r1", open_files()
    folder.mkdir()
    cleaner, files = KeptFiles(folder), KeptFiles(folder)
    assert cleaner.seize()

    writing = threading.Thread(target=files.keep, args=[[Upload(BytesIO(b"abc"))]])
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
        KeptFiles(tmp_path / "files" / "r1").keep([Upload(BytesIO(b"abc"))])


def test_only_folders_are_taken_for_those_of_runs(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "r1")

    assert folders_in(tmp_path) == ["r1"]
    assert folders_in(tmp_path / "absent") == []
    delete([tmp_path / "r1", tmp_path / "absent"])
    assert folders_in(tmp_path) == []


# Threads.


async def test_a_cancelled_caller_waits_until_the_work_is_done() -> None:
    begun, may_end, steps = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        may_end.wait(30)
        steps.append("done")

    async def wait() -> None:
        try:
            await carry_out(work)
        finally:
            steps.append("told")

    async with asyncio.timeout(30):
        task = asyncio.ensure_future(wait())  # noqa: TID251 - cancelled by hand
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait({task})

    assert task.cancelled()
    assert steps == ["done", "told"]


def fails() -> int:
    raise ValueError("no")


@pytest.mark.parametrize("work", [lambda: 3, fails])
async def test_what_comes_of_the_work_comes_back(work: Callable[[], int]) -> None:
    if work is fails:
        with pytest.raises(ValueError, match="no"):
            await carry_out(work)
    else:
        assert await carry_out(work) == 3
