"""A delivery: what a webhook's URL is told about one event of a run."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import iso_time, summary

MAX_ENDING_BYTES: Final = 16 * 1024
"""The largest terminal event that a delivery has in full: Standard Webhooks advises 20 kB for a
payload, and the run's facts need some of it."""
_MESSAGE: Final = 1_000
"""The maximum length of an error's message in a larger one, in characters."""


class Delivery(NamedTuple):
    """One message to one URL. ``id`` and ``url`` identify it, and are the same at each try."""

    id: str
    """The run's id and the seq of the event: the same for each URL that is told about it."""
    url: str
    run_id: str
    owner: str | None
    """The run's owner."""
    body: bytes
    """The JSON that is sent."""
    at: float = 0.0
    """When the event was written, in seconds since the epoch."""
    tries: int = 0
    """How often it was sent, with the try that is under way."""
    failure: str | None = None
    """Why the last try failed."""


def endings(run: RunRecord, block: Block | None) -> Sequence[Delivery]:
    """Return the deliveries to create in the step that appends ``block`` and results in ``run``.

    There is one for each of the run's webhooks if the step ends the run, and none otherwise.
    """
    if not run.webhooks or block is None or block.end is None:
        return ()
    at = run.ended_at or block.newest_at
    body = _body("run.ended", at, {**summary(run), **_outcome(block)})
    return deliveries(run, block.last, body, at)


def deliveries(run: RunRecord, seq: int, body: bytes, at: float) -> Sequence[Delivery]:
    """Return the deliveries about event ``seq``, one for each of the run's webhooks."""
    # Without a full stop, which separates the parts of what is signed.
    id_ = f"{run.id}_{seq}"
    return [Delivery(id_, url, run.id, run.owner, body, at) for url in run.webhooks]


def _body(kind: str, at: float, data: dict[str, Any]) -> bytes:
    return to_json({"type": kind, "timestamp": iso_time(at), "data": data})


def _outcome(block: Block) -> dict[str, Any]:
    """Return ``result`` and ``error`` of the terminal event, without what is too large."""
    ending = block.ending()
    is_cut = len(ending) > MAX_ENDING_BYTES
    if block.end is EventType.DONE:
        result = None if is_cut else from_json(ending).get("result")
        return {"result": result, "error": None, "truncated": is_cut}
    error = from_json(ending)
    error.pop("debug", None)
    if is_cut:
        error |= {"message": error["message"][:_MESSAGE], "data": None, "fieldErrors": None}
    return {"result": None, "error": error, "truncated": is_cut}
