"""The files of runs on disk: kept while an attempt can need them, and no longer.

Theory of operation. Each run has its own folder, which is complete before the store has the
run. A crash between the two leaves the folder of a run that no store knows. The process that
creates the run holds a shared lock on the folder from its first byte until the store has the run,
and the system releases the lock when the process dies. So a folder whose run is unknown, and
which can be locked exclusively, belongs to nobody and can be deleted. No clock is involved.

On systems without such locks (Windows), a folder that a crash left is not deleted.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from yieldwire.actions.upload import Upload

T = TypeVar("T")

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


async def carry_out(work: Callable[[], T], pool: Executor | None = None) -> T:
    """Do ``work`` in a thread. A cancellation waits until it is done."""
    context = copy_context()
    done = asyncio.get_running_loop().run_in_executor(pool, partial(context.run, work))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({done})
        if not done.cancelled():
            done.exception()  # marks it as retrieved
        raise


class KeptFiles:
    """The files of one run's input, in their own folder.

    Each is stored by its hash, so that its record in the run's input finds it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None

    def keep(self, uploads: Iterable[Upload]) -> None:
        """Write every upload's content, safe from the end of the process; all of them or none.

        Until `release`, no other process treats the folder as left by a crash.

        Raises:
            OSError: If one cannot be written. The others are deleted then.
        """
        try:
            for upload in uploads:
                self._hold()
                self._write(upload)
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

    def _write(self, upload: Upload) -> None:
        with (self._folder / upload.sha256()).open("wb") as copy:
            upload.file.seek(0)
            shutil.copyfileobj(upload.file, copy, _BLOCK_BYTES)
            copy.flush()
            os.fsync(copy.fileno())
        upload.file.seek(0)

    def open(self, record: object) -> Upload:
        """Return the upload for a record in a run's input.

        Raises:
            ValueError: If it is not kept here.
        """
        match record:
            case {"filename": str(name), "contentType": str(kind), "sha256": str(digest)}:
                path = self._folder / Path(digest).name
            case _:
                raise ValueError("this is not a record of a file")
        try:
            return Upload.at(path, filename=name, content_type=kind)
        except OSError as exc:
            raise ValueError(f"the file {name!r} no longer exists") from exc

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
        """Delete the files."""
        delete([self._folder])
        self.release()


def delete(folders: Iterable[Path]) -> None:
    """Delete folders with their contents; one that does not exist is ignored."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def folders_in(folder: Path) -> list[str]:
    """Return the names of the runs that have files in ``folder``."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
