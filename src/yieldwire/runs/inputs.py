"""The input of runs, from the start that brings it to the last attempt that needs it.

The process that validates an input has its arguments in memory; every other one reads them from
the run's record and from the files stored with it. If another attempt can need them, the files
are written before the store has the run, so that no attempt ever misses one, and deleted when
the run has ended, and again when it is purged, in case the process was killed in between.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json

from yieldwire.actions.action import Action
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.upload import Upload, Uploads
from yieldwire.errors import NotFound, StoreError, ValidationFailed
from yieldwire.executors import Prepared, Work
from yieldwire.hooks import CARRIED
from yieldwire.log.jsonvalue import UNCHECKED_BYTES, Unreadable, check_readable
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.blocking import carry_out
from yieldwire.runs.files import RunFiles, keep, reopened
from yieldwire.runs.start import dump, record_of, uploads_in
from yieldwire.stores.blobs import RunBlobs


class NewRun(Prepared):
    """A start in progress: the record that it creates, and what its first attempt needs.

    It ends with `drop`, or with `own` before an executor gets it, or with `close`.
    """

    __slots__ = ("_files", "asked_at", "has_files", "is_abandoned", "is_repeated")

    def __init__(self, record: RunRecord, work: Work, files: RunBlobs | None) -> None:
        super().__init__(record, work)
        self._files = files
        self.has_files: Final = files is not None
        """Whether files of the input can outlive the process."""
        self.asked_at: float = 0.0
        """When the store was first asked to create the run, by the loop's clock."""
        self.is_abandoned: bool = False
        """Whether its caller was cancelled while the store was creating the run."""
        self.is_repeated: bool = False
        """Whether its place for uploads has a run, which is then the one that it gets."""

    @property
    def _described(self) -> Sequence[Upload]:
        """The files that are not where they belong yet."""
        uploads = None if self._work is None else self._work.uploads
        described = () if uploads is None else uploads.described.values()
        return [upload for upload in described if not upload.is_kept]

    async def keep(self) -> None:
        """Write the files if they can outlive the process.

        Raises:
            StoreError: If they cannot be written.
        """
        if self._files is not None and self._described:
            await keep(self._files, self._described)

    def own(self, record: RunRecord, *, claims: bool) -> None:
        """Be the run that the store has created as ``record``, which now owns the files.

        ``claims`` says that it was to be claimed in the same step. A later attempt is another's.
        """
        self.record = record
        if claims and record.status is Status.RUNNING and record.attempt == 1:
            self.claimed_at: float | None = self.asked_at
        if self._files is not None:
            self._files.release()

    def close(self) -> None:
        """Close the files, but do not delete them: the store can have the run.

        It has no effect on what was taken: an attempt has that.
        """
        if self._files is not None:
            self._files.release()
        if self._work is not None:
            self._work.close()

    async def drop(self) -> None:
        """Close and delete the files: the run does not exist."""
        super().close()
        if self._files is not None and self._described:
            await carry_out(self._files.forget)


async def _dump_with_files(action: Action[..., Any, Any], model: BaseModel) -> bytes:
    try:
        return await dump(action, model)
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
    """Reads and stores the input of runs."""

    def __init__(self, files: RunFiles) -> None:
        self.files = files
        self._store = files.store

    async def read(
        self, action: Action[..., Any, Any], ctx: Context, data: object, *, detached: bool
    ) -> NewRun:
        """Validate the input of a start.

        The start owns every file in it from here on, even if this raises.

        Raises:
            ValidationFailed: If the input is invalid.
        """
        signature = action.signature
        given = uploads_in(data)  # also those that no field of the input takes
        uploads = Uploads(given) if given or action.takes_files else None
        try:
            if uploads is None:
                model = signature.validate(data)
                dumped = signature.dump(model)
            else:
                with uploads.collecting():
                    model = signature.validate(data)
                    dumped = await _dump_with_files(action, model)
            if len(dumped) > UNCHECKED_BYTES:
                _check_readable(dumped)
            record = record_of(action, ctx, dumped, detached=detached)
            # Read from its JSON if it has more, so that it is the same as for later attempts.
            has_more = ctx.state or ctx.dependencies or record.parent is not None
            facts = from_json(record.context) if has_more else {"state": {}}
        except BaseException:
            if uploads is not None:
                uploads.close()
            raise
        arguments = signature.arguments(model)
        work = Work(action, arguments, {**facts, "request": ctx.request}, uploads)
        are_kept = uploads is not None and self.files.keeps_input(action)
        return NewRun(record, work, self.files.of_input(record.id) if are_kept else None)

    async def find_after(
        self, failure: StoreError, start: NewRun, later: Callable[[], object] | None = None
    ) -> RunRecord:
        """Return the run of ``start`` if the store has it, although it failed to say so.

        If the store cannot be asked, call ``later`` if that is given, and else close ``start``.

        Raises:
            StoreError: The ``failure``, if the run does not exist or the store cannot be asked.
        """
        try:
            return await self._store.get(start.record.id)
        except NotFound:
            await start.drop()
        except BaseException as exc:
            self.files.has_doubts = True  # the store can have the run, which then needs its files
            if later is not None and isinstance(exc, StoreError):
                later()
            else:
                start.close()
            if not isinstance(exc, StoreError):
                raise
        raise failure

    def load(self, run: RunRecord, action: Action[..., Any, Any]) -> Work:
        """Return what an attempt at ``run`` needs, from the run's record. No file is open yet.

        Raises:
            ValidationFailed: If the run's input no longer matches its action.
        """
        files = self.files.of_input(run.id)
        uploads = Uploads(reopen=partial(reopened, files))
        try:
            with uploads.collecting():
                model = action.signature.validate(from_json(run.input))
            facts = from_json(run.context)
            facts.pop(CARRIED, None)
            context = {**facts, "request": RequestFacts(**facts["request"])}
        except BaseException:
            uploads.close()
            raise
        arguments = action.signature.arguments(model)
        return Work(action, arguments, context, uploads)
