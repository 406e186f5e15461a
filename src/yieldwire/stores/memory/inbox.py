"""The messages to one run in memory, and those who wait for the next one."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from yieldwire.log.message import Message
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.waiters import resolve

MESSAGE_BYTES: Final = 300
"""The size of a message without its data."""


class MemoryInbox:
    """One run's inbox. It is created when somebody sends to it or reads it."""

    __slots__ = ("_answers", "_count", "_keys", "_messages", "_size", "_waiters")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._keys: dict[str, Message] = {}
        self._answers: dict[str, Message] = {}
        self._count = self._size = 0
        self._waiters: dict[asyncio.Future[bool], None] = {}

    def send(
        self, message: Message, at: float, *, most: int, most_bytes: int, has_ended: bool
    ) -> Message:
        """Accept a message, and wake those who wait for it."""
        state = InboxState(
            known=None if message.key is None else self._keys.get(message.key),
            answer=None if message.question is None else self._answers.get(message.question),
            last=len(self._messages),
            count=self._count,
            size=self._size,
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
        self._messages.append(message)
        if message.key is not None:
            self._keys[message.key] = message
        if message.question is not None:
            self._answers[message.question] = message
        if not message.is_timeout:
            self._count += 1
            self._size += len(message.data)

    def behind(self, after: int) -> Sequence[Message]:
        """Return the messages after number ``after``."""
        return self._messages[max(0, after) :]

    async def wait(self, seconds: float) -> None:
        """Wait for the next message, the run's end or its deletion, at most ``seconds``."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters[waiter] = None
        timer = loop.call_later(seconds, partial(resolve, waiter, is_news=False))
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """Wake all who wait."""
        for waiter in self._waiters:
            resolve(waiter, is_news=True)

    def forget_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop all waits but those in ``loop``."""
        self._waiters = {each: None for each in self._waiters if each.get_loop() is loop}

    def size(self) -> int:
        """Return about how many bytes the messages take."""
        data = sum(len(message.data) for message in self._messages)
        return data + len(self._messages) * MESSAGE_BYTES
