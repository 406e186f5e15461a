"""What the requests of all the AI SDK's clients have in common."""

from collections.abc import Awaitable, Callable
from typing import Final

from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.head import Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.errors import ErrorObject, Json, ParseError

_CHAT: Final = "chat:"


async def body_of(call: ForeignCall) -> dict[str, Json]:
    """Return the request's body.

    Raises:
        CallError: If it cannot be read, or is not an object.
    """
    body = await call.json()
    if not isinstance(body, dict):
        raise ParseError("The AI SDK sends an object.")
    return body


def reading(action: AnyAction, body: dict[str, Json]) -> Callable[[], Awaitable[Json]]:
    """Return what reads the action's input: what it takes of a body, which always has more."""
    known: dict[str, Json] = action.input_schema.get("properties", {})

    async def read() -> Json:
        return {name: value for name, value in body.items() if name in known}

    return read


def label_of(chat: Json) -> str:
    """Return the label of the runs of a chat; empty without one."""
    return _CHAT + chat if isinstance(chat, str) and chat else ""


def as_text(error: ErrorObject) -> Reply:
    """Return an error's message as a body, which the client makes an ``Error`` of."""
    body = error.message.encode()
    return Reply(status=error.status, body=body, media_type="text/plain; charset=utf-8")
