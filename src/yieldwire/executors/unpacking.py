"""Reads what a run was told, and opens the files in it. They close with the attempt."""

import asyncio
from functools import partial
from typing import Any, TypeVar

from pydantic_core import from_json, to_json

from yieldwire.actions.message import MessageType
from yieldwire.actions.upload import Uploads
from yieldwire.errors import ValidationFailed
from yieldwire.executors.fetching import fetch
from yieldwire.executors.services import Services
from yieldwire.log.attachment import attachment_of
from yieldwire.log.message import Message

T = TypeVar("T")


class Unpacking:
    """Reads the messages to one attempt."""

    def __init__(self, services: Services, run_id: str) -> None:
        self._services, self._run_id = services, run_id
        self._opened: list[Uploads] = []

    async def value(self, kind: MessageType[T], data: bytes) -> T:
        """Return a message's value, in which every file is open.

        Raises:
            ValidationFailed: If it does not match the type, or one of its files is gone.
            StoreError: If its files cannot be reached.
        """
        attachment = attachment_of(data) if kind.takes_files else None
        if attachment is None:
            return kind.read(from_json(data))
        reopen = partial(self._services.reopen, self._run_id, attachment.token)
        uploads = Uploads(reopen=reopen)
        self._opened.append(uploads)

        def read() -> T:
            with uploads.collecting():
                return kind.read(from_json(attachment.value))

        value = await asyncio.to_thread(read)  # a validator can open its file
        try:
            await fetch(uploads, self._services.limits.store_patience, self._run_id)
        except FileNotFoundError as exc:
            raise ValidationFailed({"_root": [f"A file no longer exists: {exc}"]}) from exc
        return value

    def close(self) -> None:
        """Close every file, also those that are being opened."""
        for uploads in self._opened:
            uploads.close()


def answer_data(message: Message, kind: MessageType[Any] | None) -> bytes:
    """Return the data of the event for an answer, in which every file is its record."""
    known = {"id": message.question}
    if message.is_timeout:
        outcome = from_json(message.data)
        by = {"by": None} if "value" in outcome else {}
        return to_json({**known, **outcome, **by, "timedOut": True})
    attachment = attachment_of(message.data) if kind is not None and kind.takes_files else None
    value = message.data if attachment is None else attachment.value
    return to_json({**known, "value": from_json(value), "by": message.by})
