"""Runs, blocks, messages and deliveries as the server keeps them.

A run is a hash. Its fields are the columns of its record: those that scripts read or change have
a field of their own, the rest is JSON in ``given``. A log is a stream with an entry for each
block: its id is the block's last and first seq, and its one field has the time as the name and
the lines as the value. What is ``None`` has no field.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic_core import from_json, to_json

from yieldwire.errors import StoreError
from yieldwire.log.delivery import Delivery
from yieldwire.log.events import Block, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import needs_readers
from yieldwire.stores import Admission
from yieldwire.stores.redis.scripts import Argument

RedisHash: TypeAlias = Mapping[bytes, bytes]

_TEXTS: Final = ("owner", "parent", "quota_key", "cancel_reason", "queue")
_NUMBERS: Final = ("fence", "attempt", "seq", "first_seq", "saved_seq", "keep")
_TIMES: Final = ("linger", "retention", "not_before", "created_at", "started_at", "ended_at")
_CHANGING: Final = (
    "status",
    "fence",
    "attempt",
    "cancel_reason",
    "not_before",
    "started_at",
    "ended_at",
)
"""What a step in a run's life changes. The seqs are the scripts' own."""
_LISTS: Final = ("labels", "webhooks", "question_webhooks")
_GIVEN: Final = ("action", "detached", "timeout", "retries", "priority", *_LISTS)


class Kept(NamedTuple):
    """A run as it was read: its record, and what tells whether it has changed since."""

    record: RunRecord
    version: bytes
    fingerprint: str
    now: float
    """The time when it was read, since the epoch."""


def pairs(reply: Sequence[bytes]) -> RedisHash:
    """Return the reply of ``HGETALL`` as a mapping."""
    return dict(zip(reply[::2], reply[1::2], strict=True))


def new_fields(run: RunRecord, admission: Admission) -> Sequence[Argument]:
    """Return the fields and values of a new run's hash, without its time."""
    given = {name: getattr(run, name) for name in _GIVEN}
    fields: dict[str, Argument | None] = {
        "version": 1,
        "status": run.status.value,
        "given": json_of(given),
        "input": run.input,
        "context": run.context,
        "key": None if admission.key is None else optional(admission.key),
        "fingerprint": admission.fingerprint,
        "feed": None if admission.feed is None else optional(admission.feed),
        "lingers": number(run.linger or 0.0) if needs_readers(run) else None,
        **_places(run),
        **{name: getattr(run, name) for name in (*_TEXTS, *_NUMBERS)},
        **{name: number(value) for name in _TIMES if (value := getattr(run, name)) is not None},
    }
    del fields["created_at"]
    return [each for name, value in fields.items() if value is not None for each in (name, value)]


def _places(run: RunRecord) -> Mapping[str, Argument]:
    """Return the group in which a run waits in its queue, and where it counts once it is taken."""
    if run.queue is None:
        return {}
    place = (run.action, run.quota_key)
    return {"group": json_of((*place, run.priority)), "place": json_of(place)}


def changed_fields(run: RunRecord) -> Sequence[Argument]:
    """Return the fields and values that a step in a run's life has changed."""
    fields: list[Argument] = []
    for name in _CHANGING:
        value = getattr(run, name)
        if value is not None:
            fields += (name, number(value) if isinstance(value, float) else value)
    return fields


def to_record(run_id: str, fields: RedisHash) -> RunRecord:
    """Return a hash as a record.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        columns: dict[str, Any] = from_json(fields[b"given"])
        columns |= {"id": run_id, "input": fields[b"input"], "context": fields[b"context"]}
        for names, convert in ((_TEXTS, bytes.decode), (_NUMBERS, int), (_TIMES, float)):
            for name in names:
                value = fields.get(name.encode())
                columns[name] = None if value is None else convert(value)
        columns |= {name: tuple(columns[name]) for name in _LISTS}
        columns["status"] = Status(fields[b"status"].decode())
        return RunRecord(**columns)
    except (KeyError, ValueError, TypeError) as exc:
        error = StoreError(f"The run {run_id} is damaged: {exc!r}.")
        error.retryable = False
        raise error from exc


def json_of(value: object) -> bytes:
    """Return a value as JSON.

    Raises:
        StoreError: If a text in it is not valid Unicode.
    """
    try:
        return to_json(value)
    except ValueError as exc:
        error = StoreError(f"Redis cannot keep one of the values: {exc}.")
        error.retryable = False
        raise error from exc


def number(value: float) -> str:
    """Return a number as text that reads back as the same number."""
    return repr(value)


def optional(value: str | None) -> str:
    """Return a text that can be missing as one that cannot."""
    return "" if value is None else "=" + value


# Blocks.


def entry_of(block: Block) -> tuple[str, str, bytes]:
    """Return the id, the field and the value of a block's entry."""
    end = "" if block.end is None else f" {block.end.value}"
    return f"{block.last}-{block.first}", f"{block.at!r}{end}", block.body


def to_block(run_id: str, entry: Sequence[Any]) -> Block:
    """Return an entry of a log as a block."""
    last, _, first = entry[0].partition(b"-")
    (name, body) = entry[1]
    at, _, end = name.partition(b" ")
    kind = EventType(end.decode()) if end else None
    return Block(run_id, int(first), int(last), body, kind, float(at))


# Messages.


def packed_message(message: Message) -> bytes:
    """Return what the store cannot know of a message, on a line of its own before its data."""
    facts = (message.question, message.by, message.key, message.is_timeout)
    return json_of(facts) + b"\n" + message.data


def to_message(number: int, kept: bytes) -> Message:
    """Return a message as its inbox keeps it: its time, then what `packed_message` returned."""
    at, facts, data = kept.split(b"\n", 2)
    question, by, key, is_timeout = from_json(facts)
    return Message(number, data, question, by, key, float(at), is_timeout)


# Deliveries.


def member_of(delivery: Delivery) -> str:
    """Return what identifies a delivery."""
    return f"{delivery.id} {delivery.url}"


def delivery_fields(deliveries: Sequence[Delivery]) -> Sequence[Argument]:
    """Return deliveries as the arguments of a script: how many, then the fields of each."""
    fields: list[Argument] = [len(deliveries)]
    for each in deliveries:
        fields += (each.id, each.url, each.run_id, optional(each.owner), each.body, number(each.at))
    return fields


def to_delivery(fields: RedisHash) -> Delivery:
    """Return a hash as a delivery."""
    owner, failure = fields[b"owner"].decode(), fields.get(b"failure")
    return Delivery(
        fields[b"id"].decode(),
        fields[b"url"].decode(),
        fields[b"run_id"].decode(),
        owner[1:] if owner else None,
        fields[b"body"],
        float(fields[b"at"]),
        int(fields[b"tries"]),
        None if failure is None else failure.decode(),
    )
