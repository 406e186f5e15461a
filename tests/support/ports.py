"""Ports for servers that are told on which one to listen."""

import socket
from typing import Final

_HELD: Final[list[socket.socket]] = []


def hold_port() -> socket.socket:
    """Return a socket that keeps a port from others until it is closed.

    It is bound and not listening, and `SO_REUSEADDR` lets a server that sets it as well listen
    there, again and again. A port that is only known to be free would soon be somebody else's:
    tests run in several processes, and most of their servers let the kernel choose.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def free_port() -> int:
    """Return a port that nobody else gets as long as this process lives."""
    held = hold_port()
    _HELD.append(held)
    return port_of(held)


def port_of(held: socket.socket) -> int:
    """Return the port of a socket."""
    port: int = held.getsockname()[1]
    return port
