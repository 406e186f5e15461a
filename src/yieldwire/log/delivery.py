"""A delivery: what a webhook's URL is told about one event of a run."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import iso_time, summary

MAX_DATA_BYTES: Final = 16 * 1024
"""The largest event whose data a delivery has in full: Standard Webhooks advises 20 kB for a
payload, and the run's facts need some of it."""
_SHOWN: Final = 1_000
"""The maximum length of an error's message, or of a question, in a larger event, in characters."""

ENDED: Final = "run.ended"
QUESTION: Final = "run.question"


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

    @property
    def type(self) -> str:
        """What it tells: ``"run.ended"`` or ``"run.question"``."""
        return str(from_json(self.body)["type"])


def endings(run: RunRecord, block: Block | None) -> Sequence[Delivery]:
    """Return the deliveries to create in the step that appends ``block`` and results in ``run``.

    There is one for each of the run's webhooks if the step ends the run, and none otherwise.
    """
    if not run.webhooks or block is None or block.end is None:
        return ()
    at = run.ended_at or block.newest_at
    body = _body(ENDED, at, {**summary(run), **_outcome(block)})
    return _deliveries(run, run.webhooks, block.last, body, at)


def questions(run: RunRecord, block: Block, urls: Sequence[str]) -> Sequence[Delivery]:
    """Return the deliveries about the questions in a block: one for each of them and URL."""
    return [
        delivery
        for event in block.events()
        if event.type is EventType.QUESTION
        for delivery in _deliveries(run, urls, event.seq, _question(run, event), event.at)
    ]


def _deliveries(
    run: RunRecord, urls: Sequence[str], seq: int, body: bytes, at: float
) -> Sequence[Delivery]:
    # Without a full stop, which separates the parts of what is signed.
    id_ = f"{run.id}_{seq}"
    return [Delivery(id_, url, run.id, run.owner, body, at) for url in urls]


def _body(kind: str, at: float, data: dict[str, Any]) -> bytes:
    return to_json({"type": kind, "timestamp": iso_time(at), "data": data})


def _question(run: RunRecord, event: Event) -> bytes:
    question, is_cut = event.value, len(event.data) > MAX_DATA_BYTES
    if is_cut:
        kept = {name: question.get(name) for name in ("id", "name", "expiresAt")}
        question = {**kept, "prompt": str(question.get("prompt"))[:_SHOWN]}
    data = {**summary(run), "seq": event.seq, "question": question, "truncated": is_cut}
    return _body(QUESTION, event.at, data)


def _outcome(block: Block) -> dict[str, Any]:
    """Return ``result`` and ``error`` of the terminal event, without what is too large."""
    ending = block.ending()
    is_cut = len(ending) > MAX_DATA_BYTES
    if block.end is EventType.DONE:
        result = None if is_cut else from_json(ending).get("result")
        return {"result": result, "error": None, "truncated": is_cut}
    error = from_json(ending)
    error.pop("debug", None)
    if is_cut:
        error |= {"message": error["message"][:_SHOWN], "data": None, "fieldErrors": None}
    return {"result": None, "error": error, "truncated": is_cut}
