"""The messages to one run in memory, and those who wait for the next one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from yieldwire.log.message import Message
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.memory.awaited import Awaited

MESSAGE_BYTES: Final = 300
"""The size of a message without its data."""


@dataclass(slots=True)
class MemoryInbox(Awaited):
    """One run's inbox. It is created when somebody sends to it or reads it.

    It changes with each message, and with the end of the run.
    """

    messages: list[Message] = field(default_factory=list)

    def send(
        self, message: Message, at: float, *, most: int, most_bytes: int, has_ended: bool
    ) -> Message:
        """Accept a message, and wake those who wait for it."""
        state = InboxState.of(self.messages, message, has_ended=has_ended)
        known = accept(message, state, most=most, most_bytes=most_bytes)
        if known is not None:
            return known
        message = message._replace(number=state.last + 1, at=at)
        self.messages.append(message)
        self.wake()
        return message

    def behind(self, after: int) -> Sequence[Message]:
        """Return the messages after number ``after``."""
        return self.messages[max(0, after) :]

    def size(self) -> int:
        """Return about how many bytes the messages take."""
        data = sum(len(message.data) for message in self.messages)
        return data + len(self.messages) * MESSAGE_BYTES
