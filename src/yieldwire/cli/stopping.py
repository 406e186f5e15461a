"""Calls back when the process is asked to stop, in event loops that can."""

import asyncio
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def on_signals(callback: Callable[[], object], signals: Collection[int] = SIGNALS) -> None:
    """Call ``callback`` at each of these signals while the current event loop runs.

    On Windows loops have no such handlers, and Ctrl-C cancels the task instead.
    """
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # on Windows
        for number in signals:
            loop.add_signal_handler(number, callback)
