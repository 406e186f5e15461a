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


def is_told(block: Block) -> bool:
    """Whether webhooks can be told about a block: about its end, or about a question in it.

    Only the step that appends such a block needs the run's record and `deliveries_of`. This is
    cheap enough for every append.
    """
    return block.end is not None or block.has(EventType.QUESTION)


def deliveries_of(run: RunRecord, block: Block | None) -> Sequence[Delivery]:
    """Return the deliveries to create in the step that appends ``block`` and results in ``run``.

    There is one for each question in the block and each of the run's ``question_webhooks``, and,
    if the block ends the run, one for each of its ``webhooks``.
    """
    if block is None:
        return ()
    return [*_questions(run, block), *_endings(run, block)]


def _questions(run: RunRecord, block: Block) -> Sequence[Delivery]:
    urls = run.question_webhooks
    if not (urls and block.has(EventType.QUESTION)):
        return ()
    return [
        delivery
        for event in block.events()
        if event.type is EventType.QUESTION
        for delivery in _deliveries(run, urls, event.seq, _question(run, event), event.at)
    ]


def _endings(run: RunRecord, block: Block) -> Sequence[Delivery]:
    if not run.webhooks or block.end is None:
        return ()
    at = run.ended_at or block.newest_at
    body = _body(ENDED, at, {**summary(run), **_outcome(block)})
    return _deliveries(run, run.webhooks, block.last, body, at)


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
