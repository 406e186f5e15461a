"""The arguments and facts of runs that have not begun, or are not over.

They are at hand in the process that validated them; every other one reads them from the run's
record and the files that were kept with it.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from yieldwire.actions import Action
from yieldwire.context import Context, RequestFacts
from yieldwire.errors import StoreError
from yieldwire.executors import Work
from yieldwire.run import RunRecord
from yieldwire.starts import close_uploads, uploads_in
from yieldwire.upload import KeptFiles


class Inputs:
    """What runs need, by run. ``folder`` is where uploads outlive the process, if they do."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}

    def _files(self, run_id: str) -> KeptFiles | None:
        return None if self._folder is None else KeptFiles(self._folder / run_id)

    async def keep(
        self,
        run: RunRecord,
        ctx: Context,
        action: Action[..., Any, Any],
        arguments: Mapping[str, Any],
    ) -> None:
        """Hold what a run needs, and write its uploads down where they can outlive the process.

        Raises:
            StoreError: If they cannot be written.
        """
        files = self._files(run.id)
        if files is not None and action.takes_files:
            try:
                await asyncio.to_thread(files.keep, list(uploads_in(arguments)))
            except OSError as exc:
                raise StoreError(
                    f"Files cannot be kept in {self._folder}: {exc.strerror or exc}."
                ) from exc
        # Read from its JSON where there is any, so that it is the same as for a later attempt.
        state = from_json(run.context)["state"] if ctx.state else {}
        self._kept[run.id] = arguments, {"state": state, "request": ctx.request}

    def load(self, run: RunRecord, action: Action[..., Any, Any]) -> Work:
        """Return what an attempt at ``run`` needs.

        Raises:
            ValidationFailed: If the run's input does not fit its action any more, or one of its
                files is gone.
        """
        kept = self._kept.pop(run.id, None)
        if kept is None:
            arguments = action.signature.validate(from_json(run.input), self._files(run.id))
            facts = from_json(run.context)
            kept = arguments, {**facts, "request": RequestFacts(**facts["request"])}
        return Work(action=action, arguments=kept[0], context=kept[1])

    async def forget(self, run_id: str, action: Action[..., Any, Any] | None = None) -> None:
        """Let go of what no attempt will need; of an ``action`` without files there is little."""
        kept = self._kept.pop(run_id, None)
        if kept is not None:
            close_uploads(kept[0])
        if self._folder is None or (action is not None and not action.takes_files):
            return
        files = self._files(run_id)
        if files is not None:
            await asyncio.to_thread(files.forget)
