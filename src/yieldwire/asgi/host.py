"""What a host framework does for requests to the actions that are mounted in it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol, TypeAlias

from pydantic_core import from_json, to_json
from starlette.requests import HTTPConnection, Request
from starlette.types import Message

from yieldwire.actions.action import Action
from yieldwire.asgi.exchange import Exchange
from yieldwire.errors import (
    CallError,
    Conflict,
    ErrorObject,
    Forbidden,
    Json,
    NotFound,
    ParseError,
    Unauthorized,
    UsageError,
    ValidationFailed,
    YieldwireError,
)
from yieldwire.runs.access import Identity
from yieldwire.setting import function_of

_KINDS: Final[Mapping[int, type[CallError]]] = {
    kind.status: kind
    for kind in (ParseError, Unauthorized, Forbidden, NotFound, Conflict, ValidationFailed)
}
"""The errors with which answers of a host agree, by status."""
HOST: Final = "yieldwire.host"
"""Where the scope of a request has its host."""

Known: TypeAlias = str | Identity | None
Identify: TypeAlias = Annotated[
    Callable[[HTTPConnection], Known | Awaitable[Known]], function_of("the connection")
]
"""Identifies the sender of a request: a name, an `Identity`, ``None`` if anonymous; or raises."""


class HostAnswer(YieldwireError):
    """Raised while a host resolves something, with its answer to the request.

    Args:
        messages: The whole answer, as ASGI messages.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__()
        (head, *bodies) = messages
        self.answer_status: Final[int] = head["status"]
        self._headers: Final[list[tuple[bytes, bytes]]] = [*head["headers"]]
        self._body = b"".join(message.get("body", b"") for message in bodies)

    @property
    def is_unauthorized(self) -> bool:
        """Whether it asks the sender to sign in."""
        return self.answer_status == Unauthorized.status

    @property
    def error(self) -> ErrorObject:
        """The error object that says the same."""
        told = self._told()
        detail = None if told is None else told.get("detail")
        message = detail if isinstance(detail, str) else HTTPStatus(self.answer_status).phrase
        kind = _KINDS.get(self.answer_status, CallError)
        code = "HTTP_ERROR" if kind is CallError else kind.code
        return ErrorObject(code=code, message=message, status=self.answer_status)

    def messages(self) -> Sequence[Message]:
        """Return the answer, as ASGI messages.

        Clients take an unsuccessful answer without an error object for a proxy's, and repeat the
        request. So an object of JSON gets it as another member.
        """
        headers, body, told = self._headers, self._body, self._told()
        if told is not None and self.answer_status >= HTTPStatus.BAD_REQUEST:
            body = to_json({**told, "error": told.get("error", self.error.to_dict())})
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
            headers.append((b"content-length", b"%d" % len(body)))
        return [
            {"type": "http.response.start", "status": self.answer_status, "headers": headers},
            {"type": "http.response.body", "body": body},
        ]

    def _told(self) -> dict[str, Json] | None:
        """Return the body if it is an object of JSON."""
        kinds = [value for name, value in self._headers if name.lower() == b"content-type"]
        if not any(kind.partition(b";")[0].endswith(b"json") for kind in kinds):
            return None
        try:
            told: Json = from_json(self._body)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None


class HostFailure(Exception):
    """Raised from an error that the host's outer middleware answers, and no one else."""


class HostFramework(Protocol):
    """A host framework."""

    @property
    def identify(self) -> Identify | None:
        """Identifies the sender of each request; ``None``: as the application says."""
        ...

    async def resolve(
        self, request: Request, action: Action[..., Any, Any], /
    ) -> Mapping[str, object]:
        """Return the values of an action's dependencies for the request that starts a run of it.

        It is called only for an action that has some. Nothing that a dependency holds open is open
        any more.

        Raises:
            HostAnswer: If a dependency refuses, with the host's answer.
            HostFailure: If one fails.
            YieldwireError: Any error of this package that a dependency raises.
        """
        ...

    def reads_of_query(self, action: Action[..., Any, Any], /) -> AbstractSet[str]:
        """Return what the host reads of the query, so that the input of a feed does not have it."""
        ...


class _NoHost:
    """No host: the application is served alone, or was mounted without an integration."""

    identify = None

    def reads_of_query(self, _: Action[..., Any, Any], /) -> AbstractSet[str]:
        return frozenset()

    async def resolve(
        self, request: Request, action: Action[..., Any, Any], /
    ) -> Mapping[str, object]:
        raise unresolved(action)


def unresolved(action: Action[..., Any, Any]) -> UsageError:
    """Return the error of an action with dependencies, if the host resolves none."""
    return UsageError(
        f"{action.name} has dependencies of FastAPI, which resolves them only for what is "
        "mounted with yieldwire.integrations.fastapi.mount(app, actions); this request did "
        "not come through such a mount."
    )


_NO_HOST: Final[HostFramework] = _NoHost()


def host_of(exchange: Exchange) -> HostFramework:
    """Return the host through which a request came."""
    host: HostFramework = exchange.scope.get(HOST, _NO_HOST)
    return host


async def answer_as_host(exchange: Exchange, answer: HostAnswer) -> None:
    """Answer a request as its host does; a dialect's client in the form that it reads."""
    if exchange.refuse is None:
        await exchange.forward(answer.messages())
    else:
        await exchange.answer_error_object(answer.error)


def resolving(
    exchange: Exchange, action: Action[..., Any, Any]
) -> Callable[[], Awaitable[Mapping[str, object]]] | None:
    """Return what resolves the dependencies of an action from its request, if it has some."""
    if not action.signature.dependencies:
        return None
    return partial(host_of(exchange).resolve, exchange.request, action)
