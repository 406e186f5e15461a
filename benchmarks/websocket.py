"""How a server's streams are asked for over a WebSocket, as `peers.toml` describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""The example of RFC 6455: the load client knows what a server answers to it."""


def filled(text: str, values: Mapping[str, object]) -> str:
    """Return the text with each ``{name}`` replaced."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """What is said over a socket, and how what comes is understood.

    In texts ``{method}``, ``{path}`` and ``{body}`` are those of a stream's request, and ``{id}``
    and ``{credit}`` are numbers of the load client's.

    Attributes:
        path: The target of the handshake.
        protocol: The subprotocol that is offered.
        runs: How many streams share a socket, if there are so many.
        joins: What is said first.
        joined: How the answer to that begins.
        asks: What is said for each stream; without it, the handshake asks for the only one.
        lead: How a message begins that has the id of its stream in its first line.
        opened: What is in the first line of a stream's first message.
        ended: What is in the first line of its last message; without ``lead``, how that message
            begins. Without it, a stream ends when the server closes the socket.
        failed: What is in the first line of a message about a stream that has failed.
        ping: A message that is answered with ``pong``.
        pong: That answer.
        numbered: Whether the load client checks that no event of a stream is missing.
        grants: What is said when half of the credit of a stream has been read.
    """

    path: str = "{path}"
    protocol: str = ""
    runs: int = 1
    joins: str = ""
    joined: str = ""
    asks: str = ""
    lead: str = ""
    opened: str = ""
    ended: str = ""
    failed: str = ""
    ping: str = ""
    pong: str = ""
    grants: str = ""
    numbered: bool = True

    def handshake(self, port: int, request: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
        """Return the request that opens a socket."""
        head = [
            f"GET {filled(self.path, request)} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers.items()),
            *([f"Sec-WebSocket-Protocol: {self.protocol}"] if self.protocol else []),
        ]
        return ("\r\n".join(head) + "\r\n\r\n").encode()

    def options(self, request: Mapping[str, str], streams: int) -> dict[str, float | str | bool]:
        """Return the options of the load client for that many streams."""
        runs = min(self.runs, streams)
        texts = {
            "joins": self.joins,
            "joined": self.joined,
            "asks": filled(self.asks, request).rstrip("\n"),
            "lead": self.lead,
            "opened": self.opened,
            "ended": self.ended,
            "failed": self.failed,
            "ping": self.ping,
            "pong": self.pong,
            "grants": self.grants,
        }
        said = {name: text for name, text in texts.items() if text}
        shape: dict[str, float | str | bool] = {"runs": runs, "connections": streams // runs}
        return {"websocket": True, "numbered": self.numbered, **shape, **said}
