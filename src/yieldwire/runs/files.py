"""The files of runs, from the acceptance of an input or a message to the last attempt.

Theory of operation. An input's files are kept under the id of its run, and those of a message
under a name of their own: the id, and a random token that the message in the inbox has too. So
nothing is shared: a message that is refused deletes its own files, and those of every message are
deleted with the run. Files are kept before the store has the run or the message, and the process
that keeps them holds a lock until then. After a crash in between, files that can be locked, and
that neither a run nor a message refers to, are deleted when an application opens. An object store
has no locks: there such files are deleted when they are old, by a search from time to time.

If the store does not outlive the process, files are kept in the process. Those of an input are
then kept only if the action is tried again or has a queue: else its one attempt has them anyway.
"""

import asyncio
import logging
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from yieldwire.actions.action import Action
from yieldwire.actions.upload import KeptFile, Upload
from yieldwire.clock import Clock, SystemClock
from yieldwire.errors import NotFound, StoreError, UsageError
from yieldwire.log.attachment import attachment_of
from yieldwire.runs.blocking import carry_out
from yieldwire.stores import RunStore
from yieldwire.stores.blobs import MESSAGE_MARK, Blobs, RunBlobs
from yieldwire.stores.heldblobs import HeldBlobs

logger: Final = logging.getLogger("yieldwire.app")

_AT_ONCE: Final = 256
"""How many runs are requested from the store at a time."""
_SEARCH_EVERY: Final = 3600.0
"""Seconds between searches for leftover files where a crash leaves no lock that says so."""


class RunFiles:
    """The files of the runs of one store."""

    def __init__(self, store: RunStore, clock: Clock | None = None) -> None:
        self.store: Final = store
        self._clock: Final = clock or SystemClock()
        self._held: HeldBlobs | None = None
        if (blobs := store.blobs) is None:
            blobs = self._held = HeldBlobs()
        self.blobs: Final[Blobs] = blobs
        self.has_doubts: bool = False
        """Whether a start or a message that failed can have left files behind."""
        self._searched_at = -math.inf

    def keeps_input(self, action: Action[..., Any, Any]) -> bool:
        """Whether the files of an input are kept, because an attempt can need them later."""
        is_later = action.retry.attempts > 0 or action.options.queue is not None
        return self._held is None or is_later

    def of_input(self, run_id: str) -> RunBlobs:
        """Return the files of a run's input."""
        return self.blobs.of(run_id)

    def of_message(self, run_id: str, token: str) -> RunBlobs:
        """Return the files of a message to a run."""
        return self.blobs.of(f"{run_id}{MESSAGE_MARK}{token}")

    def reopen(self, run_id: str, token: str, record: object, /) -> Upload:
        """Return a file of a message, by its record in the message. It is not open yet.

        Raises:
            ValueError: If it is not a record.
        """
        return reopened(self.of_message(run_id, token), record)

    def check(self, actions: Iterable[Action[..., Any, Any]]) -> None:
        """Return if the files of messages to these actions reach every process.

        Raises:
            UsageError: If an action is told files, and the store does not keep them.
        """
        if self._held is None or self.store.reach == "process":
            return
        for action in actions:
            is_given_files = action.takes_files and action.options.queue is not None
            if is_given_files or action.is_told_files:
                where = "its input" if is_given_files else "asks= or inbox="
                raise UsageError(
                    f"{action.name}: {where} takes a file, which this store does not keep for the "
                    "process that executes the run: name a folder or an object store that all "
                    "processes share, such as RedisStore(…, files='s3://bucket/runs'), or use "
                    "SQLite."
                )

    @property
    def _has_none(self) -> bool:
        return self._held is not None and not self._held.held

    async def forget(self, run_ids: Sequence[str]) -> None:
        """Delete the files of runs that will have no further attempt, and of messages to them."""
        if not run_ids or self._has_none:
            return
        try:
            await carry_out(partial(self.blobs.forget, frozenset(run_ids)))
        except OSError as exc:
            logger.warning("cannot search for files of runs that have ended: %s", exc)

    @property
    def is_search_due(self) -> bool:
        """Whether there can be leftover files that an earlier search did not find."""
        return self.has_doubts or (
            self.blobs.settles_after is not None
            and self._clock.monotonic() >= self._searched_at + _SEARCH_EVERY
        )

    async def remove_leftovers(self) -> None:
        """Delete files left by a crash: those that neither a run nor a message needs.

        Files of a run that is being created, or of a message that is being sent, are kept.

        Raises:
            StoreError: If the store cannot be asked.
        """
        if self._has_none:
            return
        self._searched_at = self._clock.monotonic()
        pool = ThreadPoolExecutor(1)  # removed at once, as many applications never take files
        try:
            names = await carry_out(self.blobs.names, pool)
        except OSError as exc:
            # Runs without files need no folder; a start with files gets an error.
            logger.warning("cannot search for leftover files: %s", exc)
            return
        finally:
            pool.shutdown(wait=False)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            are_needed = await asyncio.gather(*map(self._is_needed, some))
            for name, is_needed in zip(some, are_needed, strict=True):
                if not is_needed:
                    await self._remove(name, self.blobs.of(name))
        self.has_doubts = False

    async def _is_needed(self, name: str) -> bool:
        run_id, is_message, token = name.partition(MESSAGE_MARK)
        try:
            if (await self.store.get(run_id)).status.is_terminal:
                return False
            messages = await self.store.inbox(run_id, 0) if is_message else ()
        except NotFound:
            return False
        attachments = [attachment_of(message.data) for message in messages]
        return not is_message or any(each and each.token == token for each in attachments)

    async def _remove(self, name: str, files: RunBlobs) -> None:
        try:
            # Checked again under the lock: it can have been accepted since.
            if await carry_out(files.seize) and not await self._is_needed(name):
                logger.info("deleting files that no run needs: %s", name)
                await carry_out(files.forget)
        finally:
            files.release()


async def keep(files: RunBlobs, uploads: Iterable[Upload]) -> None:
    """Write the files of ``uploads``, all or none.

    Raises:
        StoreError: If they cannot be written.
    """
    try:
        await carry_out(partial(files.keep, [(each.sha256(), each.file) for each in uploads]))
    except OSError as exc:
        raise StoreError(f"Files cannot be kept: {exc.strerror or exc}.") from exc


def reopened(files: RunBlobs, record: object) -> Upload:
    """Return the upload for a record in a run's input, or in a message to it. It is not open yet.

    Raises:
        ValueError: If it is not a record.
    """
    match record:
        case {
            "filename": str(name),
            "contentType": str(kind),
            "size": int(size),
            "sha256": str(digest),
        }:
            kept = KeptFile(partial(files.open, digest), size, digest)
            return Upload(kept, filename=name, content_type=kind)
        case _:
            raise ValueError("this is not a record of a file")
