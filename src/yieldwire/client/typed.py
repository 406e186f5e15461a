"""Actions with types: what a module that ``yieldwire types --python`` writes is made of.

The module has each action as a method that returns a `TypedCall`: its input, and in the annotation
the types of its run, which are read from there at run time. `action` makes a `DeclaredAction` of
the method. For an object with an `AsyncClient` it is an `AsyncAction`, and for one with a `Client`
a `BlockingAction`. So a signature is written once, for both clients.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Concatenate, Final, TypeAlias, overload

from yieldwire.client.asynchronous import AsyncClient
from yieldwire.client.blocking import Client
from yieldwire.client.blockingcall import BlockingAction
from yieldwire.client.calling import A, AsyncAction, C, Declaration, M, P, R, TypedCall, default
from yieldwire.client.places import UploadLike
from yieldwire.errors import ActionError

__all__ = [
    "AsyncCaller",
    "BlockingCaller",
    "DeclaredAction",
    "Declaring",
    "FileLike",
    "TypedCall",
    "action",
    "default",
    "feed",
]

FileLike: TypeAlias = Path | BinaryIO | UploadLike
"""What is sent as a file: a path, a file opened in binary mode, or an `Upload`."""


class AsyncCaller:
    """An application's actions, called by an `AsyncClient`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client: Final = client


class BlockingCaller:
    """An application's actions, called by a `Client`."""

    def __init__(self, client: Client) -> None:
        self._client: Final = client


class DeclaredAction(Declaration[P, C, R, A, M]):
    """An action that is declared by a method, of an object that has a client."""

    @overload
    def __get__(
        self, actions: AsyncCaller, kind: type | None = None
    ) -> "AsyncAction[P, C, R, A, M]": ...
    @overload
    def __get__(
        self, actions: BlockingCaller, kind: type | None = None
    ) -> "BlockingAction[P, C, R, A, M]": ...
    def __get__(
        self, actions: AsyncCaller | BlockingCaller, kind: type | None = None
    ) -> "AsyncAction[P, C, R, A, M] | BlockingAction[P, C, R, A, M]":
        """Return the action for the client that ``actions`` has."""
        # Private, so that no name of theirs is in the way of an action's.
        client = actions._client  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        if isinstance(client, AsyncClient):
            return AsyncAction(self, client)
        loop, inner = client._loop, client._client  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return BlockingAction(loop, AsyncAction(self, inner))


class Declaring:
    """Makes a `DeclaredAction` of the method that returns its `TypedCall`."""

    def __init__(self, name: str, *, is_feed: bool, errors: Sequence[type[ActionError]]) -> None:
        self._name, self._is_feed, self._errors = name, is_feed, errors

    def __call__(
        self, function: Callable[Concatenate[Any, P], TypedCall[C, R, A, M]]
    ) -> DeclaredAction[P, C, R, A, M]:
        """Return the action."""
        return DeclaredAction(function, self._name, is_feed=self._is_feed, errors=self._errors)


def action(name: str, *, errors: Sequence[type[ActionError]] = ()) -> Declaring:
    """Declare an action by the method that returns its `TypedCall`.

    Args:
        name: Its name on the server.
        errors: The classes of its own errors.
    """
    return Declaring(name, is_feed=False, errors=errors)


def feed(name: str, *, errors: Sequence[type[ActionError]] = ()) -> Declaring:
    """Declare a feed, as `action` does an action."""
    return Declaring(name, is_feed=True, errors=errors)
