"""Detects that a client has left during the work for its request.

ASGI reports it through `receive`, for which a task must wait. Most answers are over before such a
task would be useful, so it starts only when an answer has lasted for a moment. uvicorn's own
`receive` waits for a future of the loop and needs no task: it is continued by the future.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from starlette.types import Message, Receive

from yieldwire.asgi.servers import has_closed, receives_on_futures
from yieldwire.tasks import Tasks

WATCH_AFTER: Final = 0.1
"""Seconds after which the connection of an unfinished answer is watched."""


class Disconnected(Exception):
    """The client has gone."""


def check_connected(receive: Receive) -> None:
    """Return unless the connection is known to be closed, although ``receive`` does not say so.

    Raises:
        Disconnected: If it is.
    """
    if has_closed(receive):
        raise Disconnected


class DisconnectWatch:
    """Cancels the task that enters it if its client leaves, in ``tasks`` that end with it.

    The request's body must have been read, so that ``receive`` only returns the disconnect.

    Raises:
        Disconnected: At the exit, if the client left.
    """

    __slots__ = (
        "_asked",
        "_has_left",
        "_receive",
        "_receiving",
        "_task",
        "_tasks",
        "_timer",
        "_waited",
        "_watching",
    )

    def __init__(self, receive: Receive, tasks: Tasks) -> None:
        self._receive, self._tasks = receive, tasks
        self._task: asyncio.Task[Any] | None = None
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.Task[None] | None = None
        self._receiving: Coroutine[Any, Any, Message] | None = None
        """A call of ``receive`` that needs no task."""
        self._waited: asyncio.Future[Any] | None = None
        """What that waits for."""
        self._has_left = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._asked = 0 if self._task is None else self._task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin)

    def _begin(self) -> None:
        """Wait for the disconnect, in a task if it needs one."""
        self._timer = None
        if receives_on_futures(self._receive):
            self._receiving = self._receive()  # type: ignore[assignment] # a coroutine
            self._step()
        else:
            self._watching = self._tasks.own(self._watch())

    def _step(self, done: object = None, /) -> None:
        """Continue the call of ``receive``. What it raises, the loop's exception handler gets."""
        receiving = self._receiving
        if receiving is None or done is not self._waited:
            return  # the watch ended after the loop had noted this call
        self._waited = None
        try:
            waited = receiving.send(None)
        except StopIteration as stop:
            self._receiving = None
            self._take(stop.value)
        except asyncio.CancelledError:
            self._receiving = None
        except Exception:
            self._receiving = None
            self._leave()  # the server cannot report it any more, so nobody is there
            raise
        else:
            self._waited = waited
            waited._asyncio_future_blocking = False  # noqa: SLF001 - as `asyncio.Task` does
            waited.add_done_callback(self._step)

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._leave()
        else:
            self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin)

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

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        timer, watching, task = self._timer, self._watching, self._task
        receiving, waited = self._receiving, self._waited
        self._timer = self._watching = self._task = self._receiving = self._waited = None
        if timer is not None:
            timer.cancel()
        if watching is not None:
            watching.cancel()
        if waited is not None:
            waited.remove_done_callback(self._step)
        if receiving is not None:
            receiving.close()
        if not self._has_left or task is None or not isinstance(exc, asyncio.CancelledError):
            return
        if task.uncancel() <= self._asked:  # it was not cancelled for another reason as well
            raise Disconnected from None
