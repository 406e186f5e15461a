"""Handles stop signals of the process, in addition to other handlers.

Servers wait for open responses before they tell an application about a stop, and a stream that
follows a long run would keep them waiting. So the application handles the signal itself: readers
are asked to leave at once, and the server finds nothing to wait for.
"""

import asyncio
import signal
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final, TypeAlias

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Callback: TypeAlias = Callable[[int], None]
SignalHandler: TypeAlias = Callable[[int, FrameType | None], object]

_listeners: set["_Listener"] = set()


def listen(callback: Callback) -> None:
    """Call the bound method ``callback`` in this loop, with the signal, at every stop signal.

    Existing handlers are called afterwards. If nobody handles a signal, or outside of the main
    thread, the only one that can set handlers, nothing changes. The method's object can still
    be garbage-collected.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _listeners.add(_Listener(asyncio.get_running_loop(), weakref.WeakMethod(callback)))
    for number in SIGNALS:
        previous = signal.getsignal(number)
        if callable(previous) and not isinstance(previous, _Chained):
            signal.signal(number, _Chained(previous))


def forget(callback: Callback) -> None:
    """Stop calling ``callback``; after the last one the previous handlers are restored."""
    for listener in list(_listeners):
        if listener.method() in {None, callback} or listener.loop.is_closed():
            _listeners.discard(listener)
    if _listeners or threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if isinstance(handler, _Chained):
            signal.signal(number, _former(handler.previous))


def _former(handler: SignalHandler) -> SignalHandler:
    """Return the handler to restore: for a finished `asyncio.run`, the one it would restore."""
    if isinstance(getattr(getattr(handler, "func", None), "__self__", None), asyncio.Runner):
        main: object = getattr(handler, "keywords", {}).get("main_task")
        if isinstance(main, asyncio.Future) and main.done():
            return signal.default_int_handler
    return handler


@dataclass(frozen=True, slots=True)
class _Listener:
    loop: asyncio.AbstractEventLoop
    method: "weakref.WeakMethod[Callback]"

    def tell(self, number: int) -> None:
        callback = self.method()
        if callback is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(callback, number)


class _Chained:
    """Calls every listener, then the previous handler."""

    def __init__(self, previous: SignalHandler) -> None:
        self.previous: Final = previous

    def __call__(self, number: int, frame: FrameType | None) -> None:
        for listener in list(_listeners):
            listener.tell(number)
        self.previous(number, frame)
