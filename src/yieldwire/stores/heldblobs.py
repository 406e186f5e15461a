"""The files of runs in this process, for a store that does not outlive it.

A file is held in memory, or in a temporary file without a name if it is large, so that nothing of
it is left after the process.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterable, Sequence
from threading import Lock
from typing import BinaryIO, Final, cast
from weakref import finalize

from yieldwire.stores.blobs import MESSAGE_MARK
from yieldwire.stores.direct import DirectUploads

_BLOCK_BYTES: Final = 1024 * 1024
_IN_MEMORY: Final = 64 * 1024
"""Bytes of one file that are held in memory."""


class HeldBlobs:
    """Files of runs in this process: a `Blobs`. Several threads can use it at a time."""

    def __init__(self) -> None:
        self.settles_after: float | None = None
        self.direct: DirectUploads | None = None
        self.held: Final[dict[str, dict[str, BinaryIO]]] = {}
        self.locked: Final[set[str]] = set()
        """Names that nobody can seize."""
        self.lock: Final = Lock()
        finalize(self, _close_all, self.held)

    def of(self, name: str, /) -> "HeldFiles":
        """Return the files of one run, or of one message."""
        return HeldFiles(self, name)

    def names(self) -> Sequence[str]:
        """Return the names that have files."""
        with self.lock:
            return list(self.held)

    def forget(self, run_ids: Collection[str], /) -> None:
        """Delete the files of runs, and of the messages to them."""
        for name in self.names():
            if name.partition(MESSAGE_MARK)[0] in run_ids:
                self.of(name).forget()


class HeldFiles:
    """The files of one name: a `RunBlobs`."""

    def __init__(self, blobs: HeldBlobs, name: str) -> None:
        self._blobs, self._name = blobs, name

    def keep(self, files: Iterable[tuple[str, BinaryIO]], /) -> None:
        """Copy every file; all or none. Until `release`, nobody can `seize` them.

        Raises:
            OSError: If one cannot be written.
        """
        copies = dict[str, BinaryIO]()
        try:
            for name, file in files:
                copies[name] = _copy(file)
        except BaseException:
            _close(copies)
            raise
        with self._blobs.lock:
            self._blobs.held[self._name] = copies
            self._blobs.locked.add(self._name)

    def open(self, name: str, /) -> BinaryIO:
        """Return a copy of a file that was kept, which is open.

        Raises:
            OSError: If there is none of that name.
        """
        with self._blobs.lock:  # the file has one position
            try:
                return _copy(self._blobs.held[self._name][name])
            except KeyError:
                raise FileNotFoundError(name) from None

    def release(self) -> None:
        """Let others seize the files."""
        self._blobs.locked.discard(self._name)

    def seize(self) -> bool:
        """Return whether there are files, and nobody is about to use them."""
        with self._blobs.lock:
            return self._name in self._blobs.held and self._name not in self._blobs.locked

    def forget(self) -> None:
        """Delete the files; none is fine."""
        with self._blobs.lock:
            _close(self._blobs.held.pop(self._name, {}))
            self._blobs.locked.discard(self._name)


def _copy(file: BinaryIO) -> BinaryIO:
    spooled = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - it is returned
    copy = cast("BinaryIO", spooled)
    try:
        file.seek(0)
        shutil.copyfileobj(file, copy, _BLOCK_BYTES)
        file.seek(0)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _close_all(held: dict[str, dict[str, BinaryIO]]) -> None:
    for files in held.values():
        _close(files)


def _close(files: dict[str, BinaryIO]) -> None:
    for file in files.values():
        file.close()
