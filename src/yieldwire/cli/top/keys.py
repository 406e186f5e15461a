"""The keys and lines of a terminal that a live view has for itself."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, Self

from yieldwire.cli.dialog import Away
from yieldwire.cli.output import note, say
from yieldwire.display.progress import clean

_BYTES: Final = 64 * 1024
_SEQUENCES: Final[Mapping[str, str]] = {
    **{f"\x1b{lead}{end}": name for lead in "[O" for end, name in (("A", "up"), ("B", "down"))},
    **{f"\x1b{lead}{end}": name for lead in "[O" for end, name in (("H", "home"), ("F", "end"))},
    "\x1b[1~": "home",
    "\x1b[4~": "end",
    "\x1b[5~": "pageup",
    "\x1b[6~": "pagedown",
}
_NAMES: Final[Mapping[str, str]] = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b": "escape",
}


class TerminalKeys:
    """A terminal that sends every key at once; for a question, it takes whole lines.

    It is also the person of `dialog`: one reader of the terminal, so no key is lost between both.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._input = asyncio.Queue[bytes]()
        self._before = termios.tcgetattr(self._fd)

    def __enter__(self) -> Self:
        tty.setcbreak(self._fd, termios.TCSANOW)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self.restore()

    def restore(self) -> None:
        """Give the terminal back as it was."""
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)

    def grab(self) -> None:
        """Take every key at once again."""
        tty.setcbreak(self._fd, termios.TCSANOW)

    async def pressed(self) -> list[str]:
        """Wait for keys, and return their names: ``up``, ``enter`` or the character.

        Raises:
            Away: If the terminal is gone.
        """
        data = await self._input.get()
        if not data:
            raise Away
        return list(keys_in(data.decode("utf-8", "replace")))

    async def ask(self, prompt: str) -> str:
        """Write a prompt, and return the line that the person enters.

        Raises:
            Away: If the person has closed the input.
        """
        say(clean(prompt))
        data = await self._input.get()
        if not data:
            say("\n")
            raise Away
        return data.decode("utf-8", "replace").rstrip("\r\n")

    def retract(self) -> None:
        """Remove the prompt whose line is no longer needed."""
        say("\r\x1b[K")
        termios.tcflush(self._fd, termios.TCIFLUSH)

    def tell(self, text: str) -> None:
        """Write a line."""
        note(text)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _BYTES)
        except OSError:
            data = b""
        if not data and not self._takes_lines():
            asyncio.get_running_loop().remove_reader(self._fd)
        self._input.put_nowait(data)

    def _takes_lines(self) -> bool:
        try:
            return bool(termios.tcgetattr(self._fd)[3] & termios.ICANON)
        except termios.error:
            return False


def keys_in(text: str) -> Iterator[str]:
    """Yield the names of the keys in what a terminal has sent at once."""
    while text:
        found = next((each for each in _SEQUENCES if text.startswith(each)), None)
        if found is not None:
            yield _SEQUENCES[found]
            text = text[len(found) :]
        elif text.startswith(("\x1b[", "\x1bO")):  # a key without a meaning here
            rest = text[2:].lstrip("0123456789;")
            text = rest[1:]
        else:
            yield _NAMES.get(text[0], text[0])
            text = text[1:]
