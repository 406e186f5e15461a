"""Rows of the tables as records, blocks, messages and deliveries."""

from hashlib import sha256
from typing import Any, Final

from yieldwire.log.delivery import Delivery
from yieldwire.log.events import Block, EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores.postgres.session import Row

_LISTS: Final = ("labels", "webhooks", "question_webhooks")


def digest(text: str | None) -> bytes | None:
    """Return what is kept of a text that is only compared, and can be long."""
    return None if text is None else sha256(text.encode("utf-8", "surrogatepass")).digest()


def to_row(run: RunRecord) -> Row:
    """Return a record as the columns of its rows."""
    lists = {name: [*getattr(run, name)] for name in _LISTS}
    return {**run._asdict(), **lists, "status": run.status.value}


def to_record(row: Row) -> RunRecord:
    """Return a row as a record."""
    lists = {name: tuple(row[name]) for name in _LISTS}
    columns = {**row, **lists, "status": Status(row["status"])}
    return RunRecord._make(map(columns.__getitem__, RunRecord._fields))


def to_block(run_id: str, row: Row) -> Block:
    """Return a row of the log as a block."""
    ending = None if row["ending"] is None else EventType(row["ending"])
    return Block(run_id, row["first"], row["last"], row["body"], ending, row["at"])


def block_row(block: Block | None) -> dict[str, Any]:
    """Return a block as the columns of its row; ``None``: no row."""
    if block is None:
        return dict.fromkeys(("first", "at", "ending", "body"))
    ending = None if block.end is None else block.end.value
    return {"first": block.first, "at": block.at, "ending": ending, "body": block.body}


def to_message(row: Row) -> Message:
    """Return a row of an inbox as a message."""
    return Message._make(map(row.__getitem__, Message._fields))


def to_delivery(row: Row) -> Delivery:
    """Return a row as a delivery."""
    return Delivery._make(map(row.__getitem__, Delivery._fields))
