"""The Lua scripts: each is one atomic step of the server.

They check what makes a step safe (fence, status, seq, version) and write. They decide nothing
else: what a step means is in `yieldwire.log.transitions`, in Python.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final, TypeAlias

from yieldwire.clock import Clock

Argument: TypeAlias = bytes | str | float
RedisCommand: TypeAlias = tuple[Argument, ...]
"""One command for the server, with its arguments."""

_ALONE: Final = frozenset({"append"})
"""Scripts that need nothing of ``shared.lua``: the cost of an append is that of its commands."""


@cache
def sources() -> Mapping[str, bytes]:
    """Return the text of every script by its name."""
    folder = files("yieldwire.stores.redis").joinpath("lua")
    texts = {file.name.removesuffix(".lua"): file.read_bytes() for file in folder.iterdir()}
    shared = texts.pop("shared")
    return {name: text if name in _ALONE else shared + text for name, text in texts.items()}


@cache
def hashes() -> Mapping[str, bytes]:
    """Return the hash of every script by its name: what the server knows it by."""
    return {
        name: sha1(text, usedforsecurity=False).hexdigest().encode()
        for name, text in sources().items()
    }


def in_full(command: RedisCommand) -> RedisCommand:
    """Return a call of a script that the server does not know with the script's text."""
    _, known_by, *rest = command
    name = next(name for name, each in hashes().items() if each == known_by)
    return (b"EVAL", sources()[name], *rest)


class Scripts:
    """Makes commands for the keys with one prefix, with the time of one clock.

    ``clock``: if ``None``, the server's clock.
    """

    def __init__(self, prefix: str, clock: Clock | None) -> None:
        self.keys: Final = f"{{{prefix}}}:"
        """What every key begins with: in braces, so that a cluster has all of them in one slot."""
        self._clock = clock
        self._hashes = hashes()

    def key(self, kind: str, name: str = "") -> str:
        """Return the key of something."""
        return f"{self.keys}{kind}{name}"

    def call(self, script: str, *arguments: Argument) -> RedisCommand:
        """Return the call of a script that begins with ``shared.lua``."""
        clock = self._clock
        now, mono = ("", "") if clock is None else (repr(clock.now()), repr(clock.monotonic()))
        return (b"EVALSHA", self._hashes[script], 1, self.keys, now, mono, *arguments)

    def append(self, *arguments: Argument) -> RedisCommand:
        """Return the call of the script ``append``, which does not look at the time."""
        return (b"EVALSHA", self._hashes["append"], 1, self.keys, *arguments)

    def now(self, server_time: tuple[bytes, bytes]) -> float:
        """Return the time since the epoch, given what the server says."""
        return self._clock.now() if self._clock is not None else seconds(server_time)


def seconds(server_time: tuple[bytes, bytes]) -> float:
    """Return the reply of ``TIME`` as seconds since the epoch."""
    whole, micro = server_time
    return int(whole) + int(micro) / 1e6
