"""What an attempt leaves for the next one: the contract of a run's checkpoints."""

from collections.abc import Mapping
from typing import Protocol


class Checkpoints(Protocol):
    """JSON by name, kept with a run from one attempt to the next, and deleted with it."""

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        """Keep ``data`` as the checkpoint ``name``, in place of what it was before.

        This is one step, and kept as safely as an event.

        Args:
            run_id: A run created by `Store.create`.
            name: The checkpoint, within the run.
            data: JSON.
            seq: If given, the checkpoint is the run's saved place, and ``saved_seq`` of its record
                becomes this: the event up to which the log stays valid if another attempt follows.
            fence: The writer's right to write, as `Leases.claim` gave it.

        Raises:
            NotFound: If there is no such run.
            Fenced: If another writer holds the run, or it is not running.
            AppendConflict: If ``seq`` is beyond the log's end.
            StoreError: If the store failed; whether it was kept is unknown, and the same call can
                be repeated.
        """
        ...

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        """Return the run's checkpoints by name.

        Raises:
            NotFound: If there is no such run.
        """
        ...
