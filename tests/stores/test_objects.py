"""Files in an object store, and in other file systems of fsspec, are as those in a folder."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from tests.stores.keeping import Keeping, name_of, named
from tests.support.objectstore import prefix_url, s3_blobs
from yieldwire.clock import SystemClock
from yieldwire.errors import MissingDependency, UsageError
from yieldwire.stores.blobs import FolderBlobs
from yieldwire.stores.location import blobs_at
from yieldwire.stores.objects import LEFT_AFTER, ObjectBlobs
from yieldwire.testing.clock import MovingClock


def now() -> MovingClock:
    return MovingClock(SystemClock().now())


class InObjects(Keeping):
    @pytest.fixture
    def clock(self) -> MovingClock:
        return now()

    @pytest.fixture
    def age(self, clock: MovingClock) -> Callable[[], object]:
        return lambda: clock.advance(LEFT_AFTER + 60.0)


class TestMemory(InObjects):
    @pytest.fixture
    def blobs(self, clock: MovingClock) -> ObjectBlobs:
        return ObjectBlobs.at(f"memory://test-{uuid4().hex}", clock)


class TestLocal(InObjects):
    @pytest.fixture
    def blobs(self, clock: MovingClock, tmp_path: Path) -> ObjectBlobs:
        return ObjectBlobs(LocalFileSystem(auto_mkdir=True), f"{tmp_path}/files/", clock)


class TestS3(InObjects):
    @pytest.fixture
    def blobs(self, clock: MovingClock) -> ObjectBlobs:
        root = prefix_url().removeprefix("s3://")
        return ObjectBlobs(s3_blobs().filesystem, root, clock)


# Places.


def test_a_location_is_a_folder_or_an_object_store(tmp_path: Path) -> None:
    folders = [blobs_at(each, None) for each in (tmp_path, str(tmp_path), f"file://{tmp_path}")]

    assert blobs_at(None, None) is None
    assert all(isinstance(each, FolderBlobs) and each.folder == tmp_path for each in folders)
    assert isinstance(blobs_at("memory://files", None), ObjectBlobs)


def test_an_unknown_kind_of_url_is_told() -> None:
    with pytest.raises(UsageError, match="'s5://bucket' cannot be used: Protocol not known"):
        blobs_at("s5://bucket", None)


def test_a_kind_of_url_whose_package_is_missing_is_told() -> None:
    with pytest.raises(UsageError, match=r"names gs://, which needs a package: .*gcsfs"):
        blobs_at("gs://bucket/prefix", None)


def test_fsspec_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)

    with pytest.raises(MissingDependency, match=re.escape("pip install 'yieldwire[files]'")):
        blobs_at("memory://files", None)


def test_files_are_not_seized_on_the_day_when_they_were_written() -> None:
    clock = now()
    files = ObjectBlobs.at(f"memory://test-{uuid4().hex}", clock).of("r1")
    files.keep(named(b"abc"))

    clock.advance(LEFT_AFTER - 60.0)
    is_seized_early = files.seize()
    clock.advance(120.0)

    assert (is_seized_early, files.seize()) == (False, True)


# Faults.


class Refusing:
    """A file system whose library raises errors of its own."""

    def find(self, *_: object, **__: object) -> object:
        raise RuntimeError("Unable to locate credentials")

    def open(self, *_: object, **__: object) -> object:
        raise RuntimeError("Unable to locate credentials.")


def test_an_error_of_the_library_says_where_and_what_to_check() -> None:
    blobs = ObjectBlobs(Refusing(), "/bucket", now())
    said = "/bucket: RuntimeError: Unable to locate credentials. Check the address"

    for ask in (
        blobs.names,
        lambda: blobs.forget(["r1"] * 9),
        lambda: blobs.of("r1").keep(named(b"abc")),
        lambda: blobs.of("r1").open("abc"),
    ):
        with pytest.raises(OSError, match=re.escape(said)):
            ask()


def test_files_that_cannot_be_reached_are_neither_seized_nor_forgotten() -> None:
    files = ObjectBlobs(Refusing(), "/bucket", now()).of("r1")

    files.forget()

    assert not files.seize()


def test_a_file_with_another_content_is_told() -> None:
    blobs = ObjectBlobs.at(f"memory://test-{uuid4().hex}", now())
    blobs.of("r1").keep([(name_of(b"abc"), BytesIO(b"abd"))])

    with pytest.raises(OSError, match="is damaged: its SHA-256"):
        blobs.of("r1").open(name_of(b"abc"))
