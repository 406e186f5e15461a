"""The messages to one run in memory, and those who wait for the next one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from yieldwire.log.message import Message
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.waiters import resolve

MESSAGE_BYTES: Final = 300
"""The size of a message without its data."""


@dataclass(slots=True)
class MemoryInbox:
    """One run's inbox. It is created when somebody sends to it or reads it."""

    messages: list[Message] = field(default_factory=list)
    keys: dict[str, Message] = field(default_factory=dict)
    answers: dict[str, Message] = field(default_factory=dict)
    """The first answer to each question, by the question's id."""
    count: int = 0
    """How many messages there are, timeouts not counted."""
    data_bytes: int = 0
    """The size of their data."""
    waiters: dict[asyncio.Future[bool], None] = field(default_factory=dict)

    def send(
        self, message: Message, at: float, *, most: int, most_bytes: int, has_ended: bool
    ) -> Message:
        """Accept a message, and wake those who wait for it."""
        state = InboxState(
            known=None if message.key is None else self.keys.get(message.key),
            answer=None if message.question is None else self.answers.get(message.question),
            last=len(self.messages),
            count=self.count,
            size=self.data_bytes,
            has_ended=has_ended,
        )
        known = accept(message, state, most=most, most_bytes=most_bytes)
        if known is not None:
            return known
        message = message._replace(number=state.last + 1, at=at)
        self._keep(message)
        self.wake()
        return message

    def _keep(self, message: Message) -> None:
        self.messages.append(message)
        if message.key is not None:
            self.keys[message.key] = message
        if message.question is not None:
            self.answers[message.question] = message
        if not message.is_timeout:
            self.count += 1
            self.data_bytes += len(message.data)

    def behind(self, after: int) -> Sequence[Message]:
        """Return the messages after number ``after``."""
        return self.messages[max(0, after) :]

    async def wait(self, seconds: float) -> None:
        """Wait for the next message, the run's end or its deletion, at most ``seconds``."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self.waiters[waiter] = None
        timer = loop.call_later(seconds, partial(resolve, waiter, is_news=False))
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiters.pop(waiter, None)

    def wake(self) -> None:
        """Wake all who wait."""
        for waiter in self.waiters:
            resolve(waiter, is_news=True)

    def forget_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop all waits but those in ``loop``."""
        self.waiters = {each: None for each in self.waiters if each.get_loop() is loop}

    def size(self) -> int:
        """Return about how many bytes the messages take."""
        data = sum(len(message.data) for message in self.messages)
        return data + len(self.messages) * MESSAGE_BYTES
