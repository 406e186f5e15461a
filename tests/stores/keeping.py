"""What every place for the files of runs promises, as a suite that each of them passes."""

import hashlib
import re
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

import pytest

from tests.support.descriptors import open_files
from yieldwire.stores.blobs import Blobs

LARGE = bytes(range(256)) * 4096 * 9
"""More than one part of an upload to an object store, and than what is read at once."""


def named(*contents: bytes) -> list[tuple[str, BinaryIO]]:
    return [(hashlib.sha256(content).hexdigest(), BytesIO(content)) for content in contents]


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Failing(BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(28, "No space left on device")


class Keeping:
    """A subclass has a fixture ``blobs``, which is empty, and ``age``, which makes files old."""

    @pytest.fixture
    def age(self) -> Callable[[], object]:
        return lambda: None

    def test_a_file_is_found_by_its_name(self, blobs: Blobs) -> None:
        (_, file), *_ = files = named(b"abc", b"", LARGE)
        file.seek(2)

        blobs.of("r1").keep(files)

        assert file.tell() == 0
        for content in (b"abc", b"", LARGE):
            with blobs.of("r1").open(name_of(content)) as kept:
                assert kept.read() == content

    def test_each_opening_has_its_own_place_in_the_file(self, blobs: Blobs) -> None:
        blobs.of("r1").keep(named(LARGE))
        name = name_of(LARGE)

        with blobs.of("r1").open(name) as first, blobs.of("r1").open(name) as second:
            first.read(10)

            assert second.read(3) == LARGE[:3]
            assert first.seek(0, 2) == len(LARGE)

    @pytest.mark.parametrize("name", ["0" * 64, "../r2/secret", "..", "../../secret"])
    def test_what_is_not_kept_is_not_found(self, blobs: Blobs, name: str) -> None:
        blobs.of("r1").keep(named(b"abc"))
        blobs.of("r2").keep([("secret", BytesIO(b"abc"))])

        with pytest.raises(OSError, match=re.escape(name.rpartition("/")[2])):
            blobs.of("r1").open(name)

    def test_names_are_those_of_runs_and_messages_with_files(self, blobs: Blobs) -> None:
        assert list(blobs.names()) == []

        for name in ("r1", "r1~tok", "r12", "r2~tok"):
            blobs.of(name).keep(named(b"abc", b"def"))

        assert sorted(blobs.names()) == ["r1", "r12", "r1~tok", "r2~tok"]

    def test_the_files_of_one_name_are_forgotten_alone(self, blobs: Blobs) -> None:
        for name in ("r1", "r1~a", "r1~b"):
            blobs.of(name).keep(named(b"abc"))

        blobs.of("r1~a").forget()
        blobs.of("r1~a").forget()

        assert sorted(blobs.names()) == ["r1", "r1~b"]

    @pytest.mark.parametrize("more", [0, 9])
    def test_the_files_of_runs_are_forgotten_with_those_of_messages(
        self, blobs: Blobs, more: int
    ) -> None:
        for name in ("r1", "r1~a", "r12", "r2~a"):
            blobs.of(name).keep(named(b"abc"))

        blobs.forget({"r1", "r2", "r3", *(f"r5{n}" for n in range(more))})

        assert list(blobs.names()) == ["r12"]

    @pytest.mark.parametrize("place", range(3))
    def test_files_of_which_one_cannot_be_read_leave_nothing(
        self, blobs: Blobs, place: int
    ) -> None:
        files, before = named(b"a", b"b", b"c"), open_files()
        files[place] = ("d", Failing(b"d"))

        with pytest.raises(OSError, match="No space left"):
            blobs.of("r1").keep(files)

        assert list(blobs.names()) == []
        assert open_files() <= before

    def test_files_can_only_be_seized_when_nobody_can_be_about_to_use_them(
        self, blobs: Blobs, age: Callable[[], object]
    ) -> None:
        files = blobs.of("r1")
        files.keep(named(b"abc"))

        assert not blobs.of("r1").seize()
        files.release()
        age()
        other = blobs.of("r1")
        assert other.seize()
        other.forget()
        other.release()

        assert list(blobs.names()) == []
        assert not blobs.of("r1").seize()
