"""The AI SDK's text streams: `useCompletion` with text, `useObject`, and `TextStreamChatTransport`.

The body is the text, and its end is the end. Nothing can say an error after the first byte, so the
connection of a run that does not complete is broken off, which the client reports.
"""

from collections.abc import Iterable
from typing import ClassVar

from pydantic_core import to_json

from yieldwire.dialects.aicall import as_text, body_of, reading
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event


class AITextEncoder(DialectEncoder):
    """The texts of a run; without any, its result as JSON."""

    media_type: ClassVar[str] = "text/plain; charset=utf-8"
    tells_errors: ClassVar[bool] = False
    _has_text = False

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the chunk's text."""
        text = text_of(event.data)
        self._has_text = self._has_text or bool(text)
        return [text.encode()] if text else []

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the result, if there was no text."""
        result = event.value.get("result")
        return [] if self._has_text or result is None else [to_json(result)]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return nothing: the connection is broken off."""
        return []

    def keepalive(self) -> bytes:
        """Return nothing: anything here would be part of the text."""
        return b""


class AIText(Dialect):
    """Answers the AI SDK's clients that read a text stream; their ``stop()`` stops the run.

    `useCompletion` with ``streamProtocol: "text"`` sends ``prompt``, and `useObject` sends the
    action's input, of which it builds the object while its JSON arrives. What the action does not
    take is left out.
    """

    async def answer(self, call: ForeignCall) -> None:
        """Start the run of the path's action, and answer with its text."""
        action = call.action(call.head.path)
        run = await call.start(action, reading(action, await body_of(call)), linger=0.0)
        await call.stream(run, AITextEncoder())

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error's message as the body, which the client makes an ``Error`` of."""
        return as_text(error)
