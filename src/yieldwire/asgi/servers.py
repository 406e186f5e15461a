"""Which of the callables that an application gets are a known server's own.

Middleware around ``send`` or ``receive`` can set a time limit or a context variable, or open a
cancel scope: those belong to the task of the response. A server's own keeps nothing of the task.
"""

from asyncio import Transport
from collections.abc import Container
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Final

_HTTPTOOLS: Final = "uvicorn.protocols.http.httptools_impl"
_UVICORN: Final = frozenset({"uvicorn.protocols.http.h11_impl", _HTTPTOOLS})
"""Where uvicorn defines its ``send`` and ``receive``."""
_SEND: Final = "RequestResponseCycle.send"
_UVICORNS_SOCKETS: Final = {
    "uvicorn.protocols.websockets.websockets_sansio_impl": "WebSocketsSansIOProtocol.send",
    "uvicorn.protocols.websockets.wsproto_impl": "WSProtocol.send",
}
"""Where it defines those of WebSockets that wait for nothing but the loop's futures."""
_BUFFERED: Final = 65_536
"""With more bytes than this in a connection's buffer only `send` continues, which can wait."""
_GRANIAN: Final = ("granian._granian", "ASGIHTTPProtocol")
"""The class of Granian's method; what it returns belongs to the loop, and to no task."""


def is_servers_own(send: object) -> bool:
    """Whether ``send`` is uvicorn's or Granian's method itself, with nothing around it.

    A proxy has the attributes of the object that it wraps, including its class, and a patched
    method is still bound to the server's object. So this checks the exact types, and then the
    module in which the function was defined, which a wrapper cannot imitate.
    """
    if type(send) is MethodType:
        return _is_uvicorns(send, _UVICORN, _SEND)
    if type(send) is BuiltinMethodType:
        owner = type(send.__self__)
        return send.__name__ == "send" and (owner.__module__, owner.__name__) == _GRANIAN
    return False


def receives_on_futures(receive: object) -> bool:
    """Whether ``receive`` is uvicorn's method itself, which waits for the loop's futures alone."""
    name = "RequestResponseCycle.receive"
    return type(receive) is MethodType and _is_uvicorns(receive, _UVICORN, name)


def is_servers_own_socket(send: object) -> bool:
    """Whether ``send`` is uvicorn's method of a WebSocket itself, with nothing around it."""
    return type(send) is MethodType and any(
        _is_uvicorns(send, {module}, name) for module, name in _UVICORNS_SOCKETS.items()
    )


def has_closed(receive: object) -> bool:
    """Whether ``receive`` is uvicorn's method itself, and the connection below it is closed.

    uvicorn tells that only to the last request of a connection: if a client has sent another one
    behind it, the ``receive`` of the one that is being answered never returns.
    """
    if type(receive) is not MethodType or not receives_on_futures(receive):
        return False
    is_closed: bool = receive.__self__.transport.is_closing()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    return is_closed


_newest: Final = [(b"", b"")]
"""The last body and its chunk: the readers of a live run get the same one after another. It is one
tuple, so that an event loop in another thread never pairs a body with another's chunk."""


def write_chunk(transport: Transport, body: bytes) -> bool:
    """Write a piece of a body, which is not empty, as a chunk; return whether that was possible.

    If it was not, nothing is written: the connection is closed, or its buffer is full.
    """
    if transport.is_closing() or transport.get_write_buffer_size() > _BUFFERED:
        return False
    known, chunk = _newest[0]
    if body is not known:
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        _newest[0] = body, chunk
    transport.write(chunk)
    return True


def chunked_transport_of(send: object) -> Transport | None:
    """Return the connection of uvicorn's response whose head ``send`` has sent, if it is known.

    The body is sent there in chunks (RFC 9112, 7.1). `write_chunk` does what ``send`` does with
    each piece, without a message and the steps around it.
    """
    if type(send) is not MethodType or not _is_uvicorns(send, {_HTTPTOOLS}, _SEND):
        return None
    response = send.__self__
    is_chunked = getattr(response, "chunked_encoding", None) is True
    transport: Transport | None = getattr(response, "transport", None)
    return transport if is_chunked else None


def _is_uvicorns(method: MethodType, modules: Container[object], name: str) -> bool:
    function = method.__func__
    return (
        type(function) is FunctionType
        and str(function.__globals__.get("__name__")) in modules
        and function.__qualname__ == name
    )
