"""The arguments of runs that have not ended.

They are at hand in the process that validated them; every other one reads them from the run's
record and the files that were kept with it.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from yieldwire.actions import Action
from yieldwire.context import RequestFacts
from yieldwire.errors import StoreError
from yieldwire.executors import Work
from yieldwire.run import RunRecord
from yieldwire.starts import close_uploads, uploads_in
from yieldwire.upload import KeptFiles


class Inputs:
    """Arguments by run. ``folder`` is where uploads outlive the process, if they do."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._arguments: dict[str, Mapping[str, Any]] = {}

    def _files(self, run_id: str) -> KeptFiles | None:
        return None if self._folder is None else KeptFiles(self._folder / run_id)

    async def keep(
        self, run_id: str, action: Action[..., Any, Any], arguments: Mapping[str, Any]
    ) -> None:
        """Hold a run's arguments, and write its uploads down where they can outlive the process.

        Raises:
            StoreError: If they cannot be written.
        """
        files = self._files(run_id)
        if files is not None and action.takes_files:
            try:
                await asyncio.to_thread(files.keep, list(uploads_in(arguments)))
            except OSError as exc:
                raise StoreError(
                    f"Files cannot be kept in {self._folder}: {exc.strerror or exc}."
                ) from exc
        self._arguments[run_id] = arguments

    def load(self, run: RunRecord, action: Action[..., Any, Any]) -> Work:
        """Return what an attempt at ``run`` needs.

        Raises:
            ValidationFailed: If the run's input does not fit its action any more, or one of its
                files is gone.
        """
        arguments = self._arguments.pop(run.id, None)
        if arguments is None:
            files = self._files(run.id)
            arguments = action.signature.validate(from_json(run.input), files)
        facts = from_json(run.context)
        context = {"state": facts["state"], "request": RequestFacts(**facts["request"])}
        return Work(action=action, arguments=arguments, context=context)

    async def forget(self, run_id: str, action: Action[..., Any, Any] | None = None) -> None:
        """Let go of what no attempt will need; of an ``action`` without files there is little."""
        close_uploads(self._arguments.pop(run_id, None))
        files = self._files(run_id)
        if files is not None and (action is None or action.takes_files):
            await asyncio.to_thread(files.forget)
