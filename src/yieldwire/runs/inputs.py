"""The input of runs, from the start that brings it to the last attempt that needs it.

The process that validates an input has its arguments in memory; every other one reads them from
the run's record and from the files stored with it. If the store outlives the process, the files
are written before the store has the run, so that no attempt ever misses one, and deleted when
the run has ended, and again when it is purged, in case the process was killed in between.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from pydantic_core import PydanticSerializationError, from_json

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.schema import Arguments
from yieldwire.actions.upload import Upload, Uploads
from yieldwire.errors import NotFound, StoreError, ValidationFailed
from yieldwire.executors import Work
from yieldwire.log.jsonvalue import UNCHECKED_BYTES, Unreadable, check_readable
from yieldwire.log.run import RunRecord
from yieldwire.runs.blocking import carry_out
from yieldwire.runs.start import dump, record_of, uploads_in
from yieldwire.stores import RunStore
from yieldwire.stores.blobs import RunBlobs

logger = logging.getLogger("yieldwire.app")

_AT_ONCE: Final = 256
"""How many runs are requested from the store at a time."""


class NewRun:
    """A start in progress: the record that it creates, and what its first attempt needs.

    It ends with one of `close`, `drop` and `hand_over`.
    """

    def __init__(self, record: RunRecord, work: Work, files: RunBlobs | None) -> None:
        self.record = record
        self.is_abandoned = False
        """Whether its caller was cancelled while the store was creating the run."""
        self._work, self._files = work, files

    @property
    def _described(self) -> Sequence[Upload]:
        uploads = self._work.uploads
        return () if uploads is None else list(uploads.described.values())

    async def keep(self) -> None:
        """Write the files if they can outlive the process.

        Raises:
            StoreError: If they cannot be written.
        """
        if self._files is None or not self._described:
            return
        try:
            files = [(upload.sha256(), upload.file) for upload in self._described]
            await carry_out(partial(self._files.keep, files))
        except OSError as exc:
            raise StoreError(f"Files cannot be kept: {exc.strerror or exc}.") from exc

    def hand_over(self) -> Work:
        """Return what the first attempt needs: the store has the run, which now owns the files."""
        if self._files is not None:
            self._files.release()
        return self._work

    def close(self) -> None:
        """Close the files, but do not delete them: the store can have the run."""
        self.hand_over().close()

    async def drop(self) -> None:
        """Close and delete the files: the run does not exist."""
        self._work.close()
        if self._files is not None and self._described:
            await carry_out(self._files.forget)


async def _dump_with_files(action: Action[..., Any, Any], arguments: Arguments) -> bytes:
    try:
        return await dump(action, arguments)
    except PydanticSerializationError as exc:
        # A field of any type accepts a file, but no later attempt could read it back.
        reason = "The action does not take a file here; declare an Upload for it."
        raise ValidationFailed({"_root": [reason]}) from exc


def _check_readable(dumped: bytes) -> None:
    try:
        check_readable(dumped)
    except Unreadable as exc:
        raise ValidationFailed({"_root": [f"The input {exc}."]}) from exc


class Inputs:
    """Reads and stores the input of runs, for one store."""

    def __init__(self, store: RunStore) -> None:
        self._store, self._blobs = store, store.blobs
        self.has_doubts = False
        """Whether a failed start can have left files behind."""

    def _files(self, run_id: str) -> RunBlobs | None:
        return None if self._blobs is None else self._blobs.of(run_id)

    async def read(
        self, action: Action[..., Any, Any], ctx: Context, data: object, *, detached: bool
    ) -> NewRun:
        """Validate the input of a start.

        The start owns every file in it from here on, even if this raises.

        Raises:
            ValidationFailed: If the input is invalid.
        """
        given = uploads_in(data)  # also those that no field of the input takes
        uploads = Uploads(given) if given or action.takes_files else None
        try:
            if uploads is None:
                arguments = action.signature.validate(data)
                dumped = action.signature.dump(arguments)
            else:
                with uploads.collecting():
                    arguments = action.signature.validate(data)
                    dumped = await _dump_with_files(action, arguments)
            if len(dumped) > UNCHECKED_BYTES:
                _check_readable(dumped)
            record = record_of(action, ctx, dumped, detached=detached)
            # Read from its JSON if possible, so that it is the same as for later attempts.
            state = from_json(record.context)["state"] if ctx.state else {}
        except BaseException:
            if uploads is not None:
                uploads.close()
            raise
        context = {"state": state, "request": ctx.request}
        if record.parent is not None:
            context |= {"parent": record.parent, "depth": ctx.depth}
        work = Work(action=action, arguments=arguments, context=context, uploads=uploads)
        return NewRun(record, work, self._files(record.id) if uploads is not None else None)

    async def find_after(self, failure: StoreError, start: NewRun) -> RunRecord:
        """Return the run of ``start`` if the store has it, although it failed to say so.

        Raises:
            StoreError: The ``failure``, if the run does not exist or the store cannot be asked.
        """
        try:
            return await self._store.get(start.record.id)
        except NotFound:
            await start.drop()
        except BaseException as exc:
            start.close()
            self.has_doubts = True  # the store can have the run, which then needs its files
            if not isinstance(exc, StoreError):
                raise
        raise failure

    def load(self, run: RunRecord, action: Action[..., Any, Any]) -> Work:
        """Return what an attempt at ``run`` needs, from the run's record.

        Raises:
            ValidationFailed: If the run's input no longer matches its action, or one of its
                files is gone.
        """
        files = self._files(run.id)
        uploads = Uploads(reopen=None if files is None else partial(reopened, files))
        try:
            with uploads.collecting():
                arguments = action.signature.validate(from_json(run.input))
            facts = from_json(run.context)
            context = {**facts, "request": RequestFacts(**facts["request"])}
        except BaseException:
            uploads.close()
            raise
        return Work(action=action, arguments=arguments, context=context, uploads=uploads)

    async def forget(self, run_ids: Sequence[str]) -> None:
        """Delete the files of runs that will have no further attempt."""
        if self._blobs is not None and run_ids:
            await carry_out(partial(_forget, [self._blobs.of(run_id) for run_id in run_ids]))

    async def remove_leftovers(self) -> None:
        """Delete files left by a crash: of runs that have ended, or were never created.

        Files of a run that is being created are kept.

        Raises:
            StoreError: If the store cannot be asked.
        """
        if self._blobs is None:
            return
        pool = ThreadPoolExecutor(1)  # removed at once, as many applications never take files
        try:
            names = await carry_out(self._blobs.run_ids, pool)
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
                    await self._remove(name, self._blobs.of(name))
        self.has_doubts = False

    async def _is_needed(self, run_id: str) -> bool:
        try:
            return not (await self._store.get(run_id)).status.is_terminal
        except NotFound:
            return False

    async def _remove(self, run_id: str, files: RunBlobs) -> None:
        try:
            # Checked again under the lock: the run can have been created since.
            if await carry_out(files.seize) and not await self._is_needed(run_id):
                logger.info("deleting files that no run needs: %s", run_id)
                await carry_out(files.forget)
        finally:
            files.release()


def _forget(kept: Iterable[RunBlobs]) -> None:
    for files in kept:
        files.forget()


def reopened(files: RunBlobs, record: object) -> Upload:
    """Return the upload for a record in a run's input.

    Raises:
        ValueError: If it is not a record, or its file is not kept.
    """
    match record:
        case {"filename": str(name), "contentType": str(kind), "sha256": str(digest)}:
            pass
        case _:
            raise ValueError("this is not a record of a file")
    try:
        file = files.open(digest)
    except OSError as exc:
        raise ValueError(f"the file {name!r} no longer exists") from exc
    try:
        return Upload(file, filename=name, content_type=kind)
    except BaseException:
        file.close()
        raise
