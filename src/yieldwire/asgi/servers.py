"""Which of the callables that an application gets are a known server's own.

Middleware around ``send`` or ``receive`` can set a time limit or a context variable, or open a
cancel scope: those belong to the task of the response. A server's own keeps nothing of the task.
"""

from asyncio import Transport
from collections.abc import Callable
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, Final

from starlette.types import Message, Send

from yieldwire.log.events import Block

_H11: Final = "uvicorn.protocols.http.h11_impl.RequestResponseCycle"
_HTTPTOOLS: Final = "uvicorn.protocols.http.httptools_impl.RequestResponseCycle"
_GRANIAN: Final = "granian._granian.ASGIHTTPProtocol"
"""What Granian's method returns belongs to the loop, and to no task."""
_UVICORNS: Final = (f"{_H11}.send", f"{_HTTPTOOLS}.send")
_SENDS: Final = (*_UVICORNS, f"{_GRANIAN}.send")
_RECEIVES: Final = (f"{_H11}.receive", f"{_HTTPTOOLS}.receive")
_SOCKETS: Final = (
    "uvicorn.protocols.websockets.websockets_sansio_impl.WebSocketsSansIOProtocol.send",
    "uvicorn.protocols.websockets.wsproto_impl.WSProtocol.send",
)
"""Those of WebSockets that wait for nothing but the loop's futures."""
_BUFFERED: Final = 65_536
"""With more bytes than this in a connection's buffer only `send` continues, which can wait."""


def is_servers_own(send: object) -> bool:
    """Whether ``send`` is uvicorn's or Granian's method itself, with nothing around it.

    A proxy has the attributes of the object that it wraps, including its class, and a patched
    method is still bound to the server's object. So this checks the exact types, and then the
    module in which the function was defined, which a wrapper cannot imitate.
    """
    return _name_of(send) in _SENDS


def receives_on_futures(receive: object) -> bool:
    """Whether ``receive`` is uvicorn's method itself, which waits for the loop's futures alone."""
    return _name_of(receive) in _RECEIVES


def is_servers_own_socket(send: object) -> bool:
    """Whether ``send`` is uvicorn's method of a WebSocket itself, with nothing around it."""
    return _name_of(send) in _SOCKETS


def has_closed(receive: object) -> bool:
    """Whether ``receive`` is uvicorn's method itself, and the connection below it is closed.

    uvicorn tells that only to the last request of a connection: if a client has sent another one
    behind it, the ``receive`` of the one that is being answered never returns.
    """
    if not receives_on_futures(receive):
        return False
    is_closed: bool = receive.__self__.transport.is_closing()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    return is_closed


_LARGE: Final = 8192
"""Frames of more bytes are written as they are, next to the size and the end of their chunk: a copy
of each would make the process larger while a reader does not read."""
_newest: Final[list[tuple[Block | None, object, bytes | tuple[bytes, ...]]]] = [(None, None, b"")]
"""The last block, what encoded it, and its chunk or the pieces of that: the readers of a live run
get the same one after another. It is one tuple, so that an event loop in another thread never takes
a part of it."""


def write_chunk(transport: Transport, block: Block, encode: Callable[[Block], bytes]) -> bool:
    """Write the frames of a block as a chunk; return whether that was possible.

    If it was not, nothing is written: the connection is closed, or its buffer is full.
    """
    if transport.is_closing() or transport.get_write_buffer_size() > _BUFFERED:
        return False
    known, encoder, chunk = _newest[0]
    if block is not known or encode is not encoder:
        frames = encode(block)
        if len(frames) > _LARGE:
            chunk = b"%x\r\n" % len(frames), frames, b"\r\n"
        else:
            chunk = b"%x\r\n%b\r\n" % (len(frames), frames) if frames else b""
        _newest[0] = block, encode, chunk
    if isinstance(chunk, tuple):
        transport.writelines(chunk)
    elif chunk:
        transport.write(chunk)
    return True


def chunked_transport_of(send: object) -> Transport | None:
    """Return the connection of uvicorn's response whose head ``send`` has sent, if it is known.

    The body is sent there in chunks (RFC 9112, 7.1). `write_chunk` does what ``send`` does with
    each piece, without a message and the steps around it.
    """
    if _name_of(send) != f"{_HTTPTOOLS}.send":
        return None
    response = getattr(send, "__self__", None)
    is_chunked = getattr(response, "chunked_encoding", None) is True
    transport: Transport | None = getattr(response, "transport", None)
    return transport if is_chunked else None


class _Corked:
    """A connection whose first piece is written together with the second one."""

    __slots__ = ("_first", "_transport")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._first: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._first is None:
            self._first = data
        else:
            first, self._first = self._first, b""
            self._transport.write(first + data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self.uncork()
        self._transport.close()

    def uncork(self) -> None:
        """Write the first piece, if there was no second one."""
        first, self._first = self._first, b""
        if first and not self._transport.is_closing():
            self._transport.write(first)


async def send_together(send: Send, head: Message, body: Message) -> None:
    """Send the head of a response and the first piece of its body.

    uvicorn writes each to the connection when it gets it. If ``send`` is its method itself, both
    are one write: one system call less, and mostly one packet for a short answer.
    """
    # Without a body nothing follows the head, which would then be written too late.
    is_known = body["body"] and _name_of(send) in _UVICORNS
    response: Any = getattr(send, "__self__", None) if is_known else None
    transport: Transport | None = getattr(response, "transport", None)
    if transport is None:
        await send(head)
        await send(body)
        return
    response.transport = corked = _Corked(transport)
    try:
        await send(head)
        await send(body)
    finally:
        response.transport = transport
        corked.uncork()


_functions: Final[dict[FunctionType, str]] = {}
"""The names of uvicorn's functions above, which are asked for with every request."""


def _name_of(method: object) -> str | None:
    """Return the full name of a built-in method, or of the function that a plain method calls."""
    if type(method) is BuiltinMethodType:
        owner = type(method.__self__)
        return f"{owner.__module__}.{owner.__name__}.{method.__name__}"
    if type(method) is not MethodType or type(method.__func__) is not FunctionType:
        return None
    function = method.__func__
    name = _functions.get(function)
    if name is None:
        name = f"{function.__globals__.get('__name__')}.{function.__qualname__}"
        if name in _SENDS or name in _RECEIVES:
            _functions[function] = name
    return name
