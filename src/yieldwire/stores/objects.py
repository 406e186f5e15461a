"""The files of runs in an object store such as S3, or any other file system of fsspec.

Theory of operation. An object has its run's id and the SHA-256 of its content in its name, and is
complete before the store has the run: so a run never refers to a part of a file, and what is read
is checked against the name. Nothing is ever renamed or written twice.

There are no locks. A process that is killed between the two leaves objects of a run that no store
knows. They are deleted when they are old: a start takes much less time than `LEFT_AFTER` between
the end of its last file and its run.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from yieldwire.clock import Clock
from yieldwire.errors import MissingDependency, UsageError
from yieldwire.stores.blobs import MESSAGE_MARK
from yieldwire.stores.direct import DirectUploads
from yieldwire.stores.s3uploads import S3Uploads

LEFT_AFTER: Final = 86_400.0
"""After how many seconds the objects of a run that no store has are left over."""
_BLOCK_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 8 * 1024 * 1024
"""How much of a file is held in memory; S3 takes 10,000 such parts: 80 GiB."""
_IN_MEMORY: Final = 64 * 1024
"""Bytes of a file that is read which are held in memory; a larger one is on disk."""
_FEW: Final = 3
"""For more runs than this, one listing tells which of them have files at all."""


class ObjectBlobs:
    """Files of runs below one prefix, which has no other use: a `Blobs`.

    Several threads and processes can use it at a time.

    Args:
        filesystem: A file system of fsspec, which caches no listings.
        root: The prefix, with the bucket, as the file system writes it.
        clock: Compared with the times of the objects, to the day.
    """

    def __init__(self, filesystem: Any, root: str, clock: Clock) -> None:  # noqa: ANN401 - an extra
        self.filesystem: Final = filesystem
        self.root: Final = root.rstrip("/")
        self.clock: Final = clock
        self.settles_after: float | None = LEFT_AFTER
        self.direct: DirectUploads | None = None

    @classmethod
    def at(cls, url: str, clock: Clock) -> "ObjectBlobs":
        """Return the files below a URL, such as ``s3://bucket/prefix``.

        Raises:
            MissingDependency: If fsspec or the package for this kind of URL is not installed.
            UsageError: If there is no such kind of URL.
        """
        try:
            from fsspec.config import conf  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
            from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra  # pyright: ignore[reportMissingTypeStubs]
        except ImportError as exc:
            raise MissingDependency("fsspec", "files", f"files={url!r}") from exc
        try:
            # Other processes change the listings, and settings can differ between stores.
            options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
            is_s3 = url.startswith("s3://")
            if is_s3:
                configured = conf.get("s3", {}).get("config_kwargs", {})
                options["config_kwargs"] = {**configured, **S3Uploads.CONFIG}
            filesystem, root = url_to_fs(url, **options)
        except ImportError as exc:
            scheme = url.partition("://")[0]
            raise UsageError(f"files= names {scheme}://, which needs a package: {exc}") from exc
        except ValueError as exc:
            raise UsageError(f"files={url!r} cannot be used: {exc}") from exc
        blobs = cls(filesystem, root, clock)
        blobs.direct = S3Uploads(blobs) if is_s3 else None
        return blobs

    def of(self, name: str, /) -> "ObjectFiles":
        """Return the files of one run, or of one message."""
        return ObjectFiles(self, self.folder_of(name))

    def folder_of(self, name: str) -> str:
        """Return the prefix of a name's objects: those of messages are below their run's."""
        run_id, mark, token = name.partition(MESSAGE_MARK)
        return f"{self.root}/{run_id}" + (f"/{mark}{token}" if mark else "")

    def names(self) -> Sequence[str]:
        """Return the names that have files.

        Raises:
            OSError: If they cannot be listed.
        """
        with self.explained():
            paths = self.paths_below(self.root)
        below = (path.removeprefix(f"{self.root}/").rpartition("/")[0] for path in paths)
        return sorted({name.replace("/", "") for name in below if name})

    def forget(self, run_ids: Collection[str], /) -> None:
        """Delete the files of runs, and of the messages to them.

        Raises:
            OSError: If they cannot be listed.
        """
        if len(run_ids) > _FEW:
            run_ids = {name.partition(MESSAGE_MARK)[0] for name in self.names()} & {*run_ids}
        for run_id in run_ids:
            self.of(run_id).forget()

    def paths_below(self, folder: str) -> list[str]:
        """Return the objects below a prefix."""
        try:
            return [str(path) for path in self.filesystem.find(folder)]
        except FileNotFoundError:
            return []

    @contextmanager
    def explained(self) -> Generator[None, None, None]:
        """Turn any error of the file system's library into an `OSError` that says what to do."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as exc:
            said = f"{type(exc).__name__}: {exc}".strip(": ").rstrip(".")
            raise OSError(
                f"{self.root}: {said}. Check the address, that it exists, and that this process "
                "is allowed to read, write, list and delete there"
            ) from exc


class ObjectFiles:
    """The files of one name: a `RunBlobs`."""

    def __init__(self, blobs: ObjectBlobs, folder: str) -> None:
        self._blobs, self._folder = blobs, folder
        self._filesystem = blobs.filesystem

    def keep(self, files: Iterable[tuple[str, BinaryIO]], /) -> None:
        """Write every file under its name; all or none.

        Raises:
            OSError: If one cannot be written. The others are deleted then.
        """
        try:
            for name, file in files:
                with self._blobs.explained():
                    self._write(name, file)
        except BaseException:
            self.forget()
            raise

    def _write(self, name: str, file: BinaryIO) -> None:
        file.seek(0)
        with self._filesystem.open(self._path(name), "wb", block_size=_PART_BYTES) as copy:
            shutil.copyfileobj(file, copy, _BLOCK_BYTES)
        file.seek(0)

    def _path(self, name: str) -> str:
        return f"{self._folder}/{PurePosixPath(name).name}"

    def open(self, name: str, /) -> BinaryIO:
        """Return a local copy of a file, whose content has the SHA-256 in its name.

        Raises:
            FileNotFoundError: If there is none of that name.
            OSError: If it cannot be read now, or has another content.
        """
        spooled = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - it is returned
        copy, digest = cast("BinaryIO", spooled), hashlib.sha256()
        try:
            for piece in self._pieces(name):
                digest.update(piece)
                copy.write(piece)
            if digest.hexdigest() != name:
                raise OSError(f"{self._path(name)} is damaged: its SHA-256 is another one")
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy

    def _pieces(self, name: str) -> Iterator[bytes]:
        with self._blobs.explained():
            file = self._filesystem.open(self._path(name), "rb", block_size=_PART_BYTES)
        try:
            while True:
                with self._blobs.explained():
                    piece: bytes = file.read(_BLOCK_BYTES)
                if not piece:
                    return
                yield piece
        finally:
            file.close()

    def release(self) -> None:
        """Do nothing: there is no lock."""

    def seize(self) -> bool:
        """Return whether there are files, of which the newest is old: see `LEFT_AFTER`."""
        with suppress(OSError), self._blobs.explained():
            paths = self._blobs.paths_below(self._folder)
            written = [self._filesystem.modified(path).timestamp() for path in paths]
            return bool(written) and max(written) + LEFT_AFTER < self._blobs.clock.now()
        return False

    def forget(self) -> None:
        """Delete the files; none is fine. What cannot be deleted now is left over."""
        with suppress(OSError), self._blobs.explained():
            if self._blobs.paths_below(self._folder):
                self._filesystem.rm(self._folder, recursive=True)
