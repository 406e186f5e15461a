"""Messages to runs."""

from collections.abc import Sequence
from typing import Any

from yieldwire.log.message import Message
from yieldwire.stores import no_such_run
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import packed_message, to_message
from yieldwire.stores.redis.scripts import Scripts


class InboxKeys:
    """The lists of the runs' messages."""

    def __init__(self, links: RedisLinks, scripts: Scripts) -> None:
        self._links, self._scripts = links, scripts

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Do what a store's `send` does."""
        send = self._scripts.call(
            "send",
            run_id,
            "" if message.key is None else f"k={message.key}",
            "" if message.question is None else f"q={message.question}",
            most,
            most_bytes,
            int(message.is_timeout),
            len(message.data),
            packed_message(message),
        )
        while True:
            outcome, *rest = await self._links.writer.finish(send)
            if outcome == b"missing":
                raise no_such_run(run_id)
            if outcome == b"ok":
                return message._replace(number=int(rest[0]), at=float(rest[1]))
            known = accept(message, _state(*rest), most=most, most_bytes=most_bytes)
            if known is not None:
                return known

    async def behind(self, run_id: str, after: int) -> Sequence[Message]:
        """Return the messages to a run after number ``after``."""
        run, box = self._scripts.key("run:", run_id), self._scripts.key("inbox:", run_id)
        first = max(0, after)
        is_there, messages = await self._links.reader.ask(
            (b"EXISTS", run), (b"LRANGE", box, first, -1)
        )
        if not is_there:
            raise no_such_run(run_id)
        return [to_message(number, kept) for number, kept in enumerate(messages, first + 1)]


def _state(*reply: Any) -> InboxState:  # noqa: ANN401 - the parts of a reply
    known, answer, last, count, size, has_ended = reply
    return InboxState(
        known=None if known is None else to_message(int(known[0]), known[1]),
        answer=None if answer is None else to_message(int(answer[0]), answer[1]),
        last=last,
        count=count,
        size=size,
        has_ended=bool(has_ended),
    )
