"""Opens the files of an attempt: those of its input, and of what it is told."""

import asyncio
from functools import partial

from yieldwire.actions.upload import Uploads
from yieldwire.errors import StoreError
from yieldwire.executors.backoff import with_backoff


async def fetch(uploads: Uploads, patience: float, run_id: str) -> None:
    """Open every file, in a thread; retry for ``patience`` seconds if they cannot be reached.

    Raises:
        FileNotFoundError: If one no longer exists.
        StoreError: If they still cannot be reached then.
    """
    if not uploads.are_open:
        await with_backoff(partial(_fetch, uploads), patience, run_id)


async def _fetch(uploads: Uploads) -> None:
    try:
        await asyncio.to_thread(uploads.fetch)
    except NotADirectoryError as exc:
        raise FileNotFoundError(str(exc)) from exc
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StoreError(f"Files cannot be read: {exc}") from exc
