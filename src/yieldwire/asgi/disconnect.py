"""Detects that a client has left during the work for its request.

ASGI reports it through `receive`, for which a task must wait. Most answers are over before such a
task would be useful, so it starts only when an answer has lasted for a moment.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from starlette.types import Receive

from yieldwire.tasks import Tasks

T = TypeVar("T")

WATCH_AFTER: Final = 0.1
"""Seconds after which the connection of an unfinished answer is watched."""


class Disconnected(Exception):
    """The client has gone."""


class Disconnects:
    """Watches for the clients of one application, in ``tasks`` that end with it."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def until_disconnect(self, receive: Receive, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``; cancel it if the client leaves first.

        The request's body must have been read, so that ``receive`` only returns the disconnect.

        Raises:
            Disconnected: If the client left.
        """
        watch = _DisconnectWatch(receive, self._tasks)
        timer = asyncio.get_running_loop().call_later(WATCH_AFTER, watch.begin)
        try:
            return await work
        except asyncio.CancelledError:
            if watch.is_cause:
                raise Disconnected from None
            raise
        finally:
            timer.cancel()
            watch.end()


class _DisconnectWatch:
    """The watch for one request. It cancels the task that created it."""

    __slots__ = ("_asked", "_has_left", "_receive", "_task", "_tasks", "_watching")

    def __init__(self, receive: Receive, tasks: Tasks) -> None:
        self._receive, self._tasks = receive, tasks
        self._task = asyncio.current_task()
        self._asked = 0 if self._task is None else self._task.cancelling()
        self._watching: asyncio.Task[None] | None = None
        self._has_left = False

    def begin(self) -> None:
        """Wait for the disconnect, in a task."""
        self._watching = self._tasks.own(self._watch())

    async def _watch(self) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":  # noqa: ASYNC110 - ASGI's
                # Middleware that has read the body can return it again at every call.
                await asyncio.sleep(WATCH_AFTER)
        except Exception:
            self._leave()  # the server cannot report it any more, so nobody is there
            raise
        self._leave()

    def _leave(self) -> None:
        if self._task is not None:
            self._has_left = True
            self._task.cancel()

    @property
    def is_cause(self) -> bool:
        """Whether the task was cancelled because the client left, and for no other reason."""
        return self._has_left and self._task is not None and self._task.uncancel() <= self._asked

    def end(self) -> None:
        """Stop watching."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
