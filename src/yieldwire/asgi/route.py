"""Finds the handlers for a path."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

from yieldwire.errors import NotFound

Rest: TypeAlias = Coroutine[Any, Any, None]
"""The part of an answer that can take long. It is awaited when the handler has returned, so that
nothing is kept that only the handler needs."""
Handler: TypeAlias = Callable[..., Awaitable[Rest | None]]
"""Called with the application, the exchange, the caller, and the value for the path's ``{}``."""

Table: TypeAlias = Mapping[tuple[str, ...], Mapping[str, Handler]]

PUBLIC: Final = frozenset(
    {
        *(("client.js",), ("follow.js",), ("follow.css",)),  # files of the package itself
        ("ws",),  # says that a WebSocket was expected
        *(("health",), ("health", "live")),  # for balancers, which have no account
    }
)
"""Routes that are answered for everybody: who sends the request is not asked."""


class Route:
    """The result of a path look-up: its handlers by method, and the value for its ``{}``."""

    def __init__(
        self,
        pattern: tuple[str, ...],
        handlers: Mapping[str, Handler],
        arguments: Sequence[Any] = (),
    ) -> None:
        self.pattern: Final = pattern
        self.handlers: Final = handlers
        self.arguments: Final = arguments

    @property
    def methods(self) -> list[str]:
        """The methods that are answered here."""
        extra = ["HEAD"] if "GET" in self.handlers else []
        return list(dict.fromkeys([*self.handlers, *extra, "OPTIONS"]))


_ANY: Final = ("{}",)
_NO_PAGE: Final = (
    "Actions are mounted at this URL, without a page: manifest.json below it lists them, "
    "openapi.json describes them, and `yieldwire dev` serves a page to try them."
)


def match(path: str, table: Table) -> Route:
    """Find the route of a path; a trailing slash makes no difference.

    Raises:
        NotFound: If there is none.
    """
    below = path.removeprefix("/")
    if len(below) > 1:
        below = below.removesuffix("/")
    parts = tuple(below.split("/"))
    if parts in table and "{}" not in parts:
        return Route(parts, table[parts])
    if not below:
        raise NotFound(_NO_PAGE)
    if len(parts) == 1 and _ANY in table:
        return Route(_ANY, table[_ANY], parts)  # most requests
    for pattern in table:
        if len(pattern) == len(parts) and "{}" in pattern:
            arguments: list[str] = []
            for wanted, part in zip(pattern, parts, strict=True):
                if wanted == "{}":
                    arguments.append(part)
                elif wanted != part:
                    break
            else:
                return Route(pattern, table[pattern], arguments)
    raise NotFound("There is nothing at this URL.")
