"""The person at the terminal of this process."""

import asyncio
import os
import sys
import threading
from contextlib import suppress
from typing import Final

from yieldwire.cli.dialog import Away
from yieldwire.cli.output import note, say
from yieldwire.display.progress import clean

_LINE_BYTES: Final = 64 * 1024


class Keyboard:
    """Reads lines from the terminal, so that waiting for one can be given up.

    Nothing can stop a read of a terminal. It is done in a thread that the process does not wait
    for at its end, and the line of a prompt that was removed is dropped.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._reading: asyncio.Future[bytes] | None = None

    async def ask(self, prompt: str) -> str:
        """Write a prompt, and return the line that the person enters.

        Raises:
            Away: If the person has closed the input.
        """
        say(clean(prompt))
        if self._reading is None or self._reading.done():
            self._reading = self._read()
        reading = self._reading
        line = await asyncio.shield(reading)
        self._reading = None
        if not line:
            say("\n")
            raise Away
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def retract(self) -> None:
        """Remove the prompt whose line is no longer needed."""
        say("\r\x1b[K")
        if sys.platform != "win32":
            import termios  # noqa: PLC0415 - not on Windows

            with suppress(termios.error):  # the terminal is gone
                termios.tcflush(self._fd, termios.TCIFLUSH)  # what was typed of the line

    def tell(self, text: str) -> None:
        """Write a line."""
        note(text)

    def _read(self) -> asyncio.Future[bytes]:
        loop = asyncio.get_running_loop()
        line: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            try:
                data = os.read(self._fd, _LINE_BYTES)
            except OSError:
                data = b""  # the terminal is gone
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(line.set_result, data)

        threading.Thread(target=read, name="yieldwire-keyboard", daemon=True).start()
        return line


def keyboard() -> Keyboard | None:
    """Return the person at the terminal, if input, output and messages are one."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return Keyboard() if all(stream.isatty() for stream in streams) else None
