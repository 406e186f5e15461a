"""The files of runs: kept while an attempt can need them, and no longer. Here in a folder.

Theory of operation. Each run has its own folder, which is complete before the store has the
run. A crash between the two leaves the folder of a run that no store knows. The process that
creates the run holds a shared lock on the folder from its first byte until the store has the run,
and the system releases the lock when the process dies. So a folder whose run is unknown, and
which can be locked exclusively, belongs to nobody and can be deleted. No clock is involved.

On systems without such locks (Windows), a folder that a crash left is not deleted.
"""

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from yieldwire.stores.direct import DirectUploads

MESSAGE_MARK: Final = "~"
"""Between the id of a run and the rest of the name of a message's files. No id has it."""
_BLOCK_BYTES: Final = 1024 * 1024
_TRIES: Final = 100
"""How often to create a folder that is deleted each time."""


if sys.platform == "win32":

    def _lock(folder: Path, *, alone: bool) -> int:
        if alone:
            raise OSError(f"Windows has no lock on a folder such as {folder}.")
        return os.open(os.devnull, os.O_RDONLY)

else:
    import fcntl

    def _lock(folder: Path, *, alone: bool) -> int:
        """Return a descriptor that holds a lock on ``folder``.

        Raises:
            FileNotFoundError: If it was deleted meanwhile.
            OSError: If another process holds a lock on it and the lock must be exclusive.
        """
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            if not os.path.samestat(os.fstat(held), folder.stat()):
                raise FileNotFoundError(folder)
        except BaseException:
            os.close(held)
            raise
        return held


class RunBlobs(Protocol):
    """The files of one name: of a run's input, or of a message to it.

    Every method blocks, and is called in a thread.
    """

    def keep(self, files: Iterable[tuple[str, BinaryIO]], /) -> None:
        """Write every file under its name, safe from the end of the process; all or none.

        Until `release`, nobody can `seize` the run's files.

        Raises:
            OSError: If one cannot be written. The others are deleted then.
        """
        ...

    def open(self, name: str, /) -> BinaryIO:
        """Open a file that was kept, also in another process.

        Raises:
            FileNotFoundError: If there is none of that name; also `NotADirectoryError`.
            OSError: If it cannot be read now.
        """
        ...

    def release(self) -> None:
        """End what `keep` or `seize` has begun: the store has the run, or the files are deleted."""
        ...

    def seize(self) -> bool:
        """Keep others from writing the run's files, and return whether that succeeded.

        It fails while the run is being created, and if there are no files.
        """
        ...

    def forget(self) -> None:
        """Delete the files; none is fine."""
        ...


class Blobs(Protocol):
    """Where the files of runs are kept until no attempt can need them.

    A name is a run's id, or, for the files of one message to it, the id and more: ``r123~abc``.
    """

    @property
    def settles_after(self) -> float | None:
        """How many seconds files must be old to be seized; ``None``: there is a lock instead."""
        ...

    @property
    def direct(self) -> DirectUploads | None:
        """Lets clients write files themselves, if that is possible here."""
        ...

    def of(self, name: str, /) -> RunBlobs:
        """Return the files of one name."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names that have files. It blocks, and is called in a thread.

        Raises:
            OSError: If that cannot be read.
        """
        ...

    def forget(self, run_ids: Collection[str], /) -> None:
        """Delete the files of runs, and of the messages to them. It blocks as `names`.

        Raises:
            OSError: If they cannot be searched for.
        """
        ...


class RunFolder:
    """The files of one run, in their own folder: a `RunBlobs`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None

    def keep(self, files: Iterable[tuple[str, BinaryIO]]) -> None:
        """Write every file under its name, safe from the end of the process; all or none.

        Until `release`, no other process treats the folder as left by a crash.

        Raises:
            OSError: If one cannot be written. The others are deleted then.
        """
        try:
            for name, file in files:
                self._hold()
                self._write(name, file)
        except BaseException:
            self.forget()
            raise

    def _hold(self) -> None:
        tries_left = 0 if self._lock is not None else _TRIES
        while tries_left:
            tries_left -= 1
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._lock = _lock(self._folder, alone=False)
                return
            except (FileNotFoundError, FileExistsError):
                # It can be deleted at any moment before it is locked; then it is created again.
                if not tries_left:
                    raise  # there is something else in its place, or above it

    def _write(self, name: str, file: BinaryIO) -> None:
        with (self._folder / name).open("wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy, _BLOCK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
        file.seek(0)

    def open(self, name: str) -> BinaryIO:
        """Open a file that was kept.

        Raises:
            OSError: If there is none of that name.
        """
        return (self._folder / Path(name).name).open("rb")

    def seize(self) -> bool:
        """Lock the folder exclusively, and return whether that succeeded.

        It fails while the run that the folder belongs to is being created.
        """
        with suppress(OSError):
            self._lock = _lock(self._folder, alone=True)
        return self._lock is not None

    def release(self) -> None:
        """Unlock the folder: the store has its run."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def forget(self) -> None:
        """Delete the files; none is fine."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self.release()


class FolderBlobs:
    """Files of runs below one folder, which has no other use: the `Blobs` of a local store."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.settles_after: float | None = None
        self.direct: DirectUploads | None = None

    def of(self, run_id: str) -> RunFolder:
        """Return the files of one run."""
        return RunFolder(self.folder / run_id)

    def names(self) -> list[str]:
        """Return the names that have files.

        Raises:
            OSError: If the folder cannot be read.
        """
        try:
            with os.scandir(self.folder) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []

    def forget(self, run_ids: Collection[str]) -> None:
        """Delete the files of runs, and of the messages to them.

        Raises:
            OSError: If the folder cannot be searched for those of messages.
        """
        for run_id in run_ids:
            self.of(run_id).forget()
        for name in self.names():
            if name.partition(MESSAGE_MARK)[0] in run_ids:
                self.of(name).forget()
