"""A message with files, as a run's inbox keeps it.

The message's data are an envelope: the name under which the files are kept, their bytes, and the
value, in which each file is replaced by its record. Two messages with the same value have files
with the same content, as a record includes a hash.
"""

import re
from secrets import token_urlsafe
from typing import Final, NamedTuple

from yieldwire.log.message import Message

_FORM: Final = re.compile(
    rb'\{"files":"([A-Za-z0-9_-]{22}|)","bytes":([0-9]{1,19}),"value":(.*)\}', re.DOTALL
)


class Attachment(NamedTuple):
    """What a message of a type that takes files consists of."""

    token: str
    """Names its files among those of the run; empty if it has none."""
    size: int
    """The bytes of all of its files."""
    value: bytes
    """The value as JSON."""

    @property
    def data(self) -> bytes:
        """The data of the message."""
        return b'{"files":"%b","bytes":%d,"value":%b}' % (
            self.token.encode(),
            self.size,
            self.value,
        )


def new_token() -> str:
    """Return a name for the files of one message, never used before."""
    return token_urlsafe(16)


def attachment_of(data: bytes) -> Attachment | None:
    """Return what the data of a message consist of, if they are such an envelope."""
    found = _FORM.fullmatch(data)
    return None if found is None else Attachment(found[1].decode(), int(found[2]), found[3])


def repeats(message: Message, known: Message) -> bool:
    """Whether a message says the same as one that was accepted, wherever its files are kept."""
    return (_value(message), message.question) == (_value(known), known.question)


def _value(message: Message) -> bytes:
    attachment = attachment_of(message.data)
    return message.data if attachment is None else attachment.value
