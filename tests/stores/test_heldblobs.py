"""Files that are held in the process are as those on disk, but for their end."""

from io import BytesIO

import pytest

from yieldwire.stores.heldblobs import HeldBlobs


@pytest.mark.parametrize("size", [3, 100_000])
def test_each_opening_has_its_own_place_in_the_file(size: int) -> None:
    blobs = HeldBlobs()
    files = blobs.of("r1~a")
    files.keep([("sha", BytesIO(b"x" * size))])

    with files.open("sha") as first, files.open("sha") as second:
        assert len(first.read()) == len(second.read()) == size


def test_files_cannot_be_seized_until_they_are_released() -> None:
    blobs = HeldBlobs()
    files = blobs.of("r1~a")
    files.keep([("sha", BytesIO(b"x"))])

    assert not files.seize()
    files.release()

    assert files.seize()
    assert not blobs.of("r2").seize()


def test_forgotten_files_are_gone() -> None:
    blobs = HeldBlobs()
    blobs.of("r1~a").keep([("sha", BytesIO(b"x"))])

    blobs.of("r1~a").forget()
    blobs.of("r1~a").forget()

    assert blobs.run_ids() == []
    with pytest.raises(OSError, match="sha"):
        blobs.of("r1~a").open("sha")


def test_all_files_are_kept_or_none() -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("gone")

    blobs = HeldBlobs()

    with pytest.raises(OSError, match="gone"):
        blobs.of("r1~a").keep([("a", BytesIO(b"x")), ("b", Broken())])

    assert blobs.run_ids() == []
