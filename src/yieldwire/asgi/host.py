"""What a host framework does for requests to the actions that are mounted in it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, Protocol, TypeAlias

from starlette.requests import HTTPConnection, Request
from starlette.types import Message

from yieldwire.actions.action import Action
from yieldwire.asgi.exchange import Exchange
from yieldwire.errors import Unauthorized, UsageError, YieldwireError
from yieldwire.runs.access import Identity
from yieldwire.setting import function_of

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
        self.messages: Final = messages

    @property
    def is_unauthorized(self) -> bool:
        """Whether it asks the sender to sign in."""
        return any(message.get("status") == Unauthorized.status for message in self.messages)


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

        Nothing that a dependency holds open is open any more.

        Raises:
            HostAnswer: If a dependency refuses, with the host's answer.
            HostFailure: If one fails.
            YieldwireError: Any error of this package that a dependency raises.
        """
        ...


class _NoHost:
    """No host: the application is served alone, or was mounted without an integration."""

    identify = None

    async def resolve(
        self, request: Request, action: Action[..., Any, Any], /
    ) -> Mapping[str, object]:
        return without_dependencies(action)


def without_dependencies(action: Action[..., Any, Any]) -> Mapping[str, object]:
    """Return the dependencies of an action that has none.

    Raises:
        UsageError: If it has some, because its host does not resolve them.
    """
    if not action.signature.dependencies:
        return {}
    raise UsageError(
        f"{action.name} has dependencies of FastAPI, which resolves them only for what is "
        "mounted with yieldwire.integrations.fastapi.mount(app, actions); this request did "
        "not come through such a mount."
    )


_NO_HOST: Final[HostFramework] = _NoHost()


def host_of(exchange: Exchange) -> HostFramework:
    """Return the host through which a request came."""
    host: HostFramework = exchange.scope.get(HOST, _NO_HOST)
    return host


def resolving(
    exchange: Exchange, action: Action[..., Any, Any]
) -> Callable[[], Awaitable[Mapping[str, object]]]:
    """Return what resolves the dependencies of an action from its request."""
    return partial(host_of(exchange).resolve, exchange.request, action)
