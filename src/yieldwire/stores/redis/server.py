"""The server: where it is, how to connect to it, and what its errors mean.

The one module that imports the client library. All connections speak RESP2, whose replies hiredis
parses without leaks, also on connections that listen.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from yieldwire.errors import MissingDependency, StoreError
from yieldwire.stores.redis.scripts import RedisCommand

try:
    from hiredis import pack_command
    from redis.asyncio.connection import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
    from redis.backoff import NoBackoff
    from redis.exceptions import (
        AuthenticationError,
        BusyLoadingError,
        MovedError,
        NoPermissionError,
        NoScriptError,
        OutOfMemoryError,
        ReadOnlyError,
        RedisError,
        ResponseError,
    )
    from redis.exceptions import (
        ConnectionError as RedisConnectionError,
    )
    from redis.exceptions import (
        TimeoutError as RedisTimeoutError,
    )
except ImportError as _exc:
    raise MissingDependency("redis", "redis", "RedisStore") from _exc

_pack: Final[Any] = pack_command
_Sentinel: Final[Any] = Sentinel
_SentinelPool: Final[Any] = SentinelConnectionPool
"""Their types are too narrow, or missing."""

SENTINEL: Final = "redis+sentinel"
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}
"""Other names of the client library's schemes."""
_ENCRYPTED: Final = ("rediss", "valkeys")
_SENTINEL_PORT: Final = 26379


class Connection(Protocol):
    """What is used of a connection of the client library."""

    is_connected: bool

    async def connect(self) -> None:
        """Connect, and authenticate."""
        ...

    async def disconnect(self, nowait: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is there
        """Close it; ``nowait``: without waiting for what was not sent."""
        ...

    async def can_read(self) -> bool:
        """Whether something arrived that nobody asked for, such as the connection's end."""
        ...

    async def send_packed_command(
        self,
        command: Sequence[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - as it is there
    ) -> None:
        """Write commands."""
        ...

    async def read_response(self, *, timeout: float) -> Any:  # noqa: ANN401 - any reply
        """Return the next reply, or ``None`` after ``timeout`` seconds."""
        ...


class Server:
    """Makes connections to the server of a URL.

    ``timeout``: how many seconds connecting, and one round trip, can take.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self.timeout: Final = timeout
        self._url = url
        self._named: Any = self._pool_of(url)
        self._moved: Any = None

    def _pool_of(self, url: str) -> Any:  # noqa: ANN401 - the client library's
        scheme, colon, rest = url.partition(":")
        settings: dict[str, Any] = {
            "socket_timeout": None,
            "socket_connect_timeout": self.timeout,
            "socket_keepalive": True,
            "driver_info": None,
            "retry": Retry(NoBackoff(), 0),
        }
        if scheme == SENTINEL:
            return _sentinel_pool(url, settings)
        pool = ConnectionPool.from_url(_SCHEMES.get(scheme, scheme) + colon + rest, **settings)
        pool.connection_kwargs["protocol"] = 2
        return pool

    async def connect(self) -> Connection:
        """Return a new connection.

        Raises:
            StoreError: If there is none to be had; the message says why.
        """
        pool = self._moved or self._named
        connection = pool.make_connection()
        try:
            await connection.connect()
        except BaseException as exc:
            self._moved = None  # the node that had the keys can be gone: ask the first one again
            await connection.disconnect(nowait=True)
            if isinstance(exc, (RedisError, OSError)):
                raise self.explained(exc) from exc
            raise
        return cast("Connection", connection)

    async def close(self) -> None:
        """Close the connections to sentinels, if there are any."""
        manager = getattr(self._named, "sentinel_manager", None)
        if manager is not None:
            await manager.aclose()

    def move(self, reply: object) -> bool:
        """Use the node of a cluster that has the keys, if ``reply`` names it."""
        if not isinstance(reply, MovedError):
            return False
        self._moved = self._pool_of(self._url)
        self._moved.connection_kwargs.update(host=reply.host, port=reply.port)
        return True

    def explained(self, exc: BaseException) -> StoreError:
        """Return the error that says what happened, and what to do."""
        if isinstance(exc, StoreError):
            return exc
        place = urlsplit(self._url)
        where = place.path if place.scheme == "unix" else place.netloc.rpartition("@")[2]
        error = StoreError(f"Runs cannot be kept in Redis at {where}: {_told(exc, place.scheme)}")
        error.__cause__ = exc
        return error


def _told(exc: BaseException, scheme: str) -> str:
    said = str(exc).rstrip(".")
    for kind, advice in _ADVICE:
        if isinstance(exc, kind):
            return f"{said}. {advice}" if said else advice
    for start, advice in _SAYINGS.items():
        if said.startswith(start):
            return f"{said}. {advice}"
    if isinstance(exc, RedisConnectionError):
        return f"{said}. {_CONNECT_ENCRYPTED if scheme in _ENCRYPTED else _CONNECT}"
    return f"{said or type(exc).__name__}."


_ALLOW: Final = (
    "Give the user all commands of the guide on the keys and channels with the store's prefix."
)
_ADVICE: Final[Sequence[tuple[type[BaseException] | tuple[type[BaseException], ...], str]]] = (
    (
        (TimeoutError, RedisTimeoutError),
        "It did not answer in time; check the server and the network.",
    ),
    (AuthenticationError, "Check the user and the password in the URL."),
    (NoPermissionError, _ALLOW),
    (OutOfMemoryError, "Give the server more memory, or runs a shorter retention."),
    (ReadOnlyError, "It is a replica; name the primary, or the sentinels that know it."),
    (BusyLoadingError, "It is starting; try again."),
)
_CONNECT: Final = "Start the server, or correct the URL."
_CONNECT_ENCRYPTED: Final = (
    "Start the server, or correct the URL: its host must be one that the server's certificate "
    "names, ssl_ca_certs the file of the authority that signed it, and ssl_certfile and "
    "ssl_keyfile those of a client's certificate, if the server asks for one."
)
_SAYINGS: Final = {
    "ACL failure": _ALLOW,  # in a script
    "OOM": "Give the server more memory, or runs a shorter retention.",
    "READONLY": "It is a replica; name the primary, or the sentinels that know it.",
    "NOREPLICAS": "Too few replicas are connected.",
    "MISCONF": "The server cannot write its disk; see its log.",
    "BUSY": "A script of another application blocks the server.",
}


def is_error(reply: object) -> bool:
    """Whether a reply is an error."""
    return isinstance(reply, ResponseError)


def is_unknown_script(reply: object) -> bool:
    """Whether a reply says that the server does not know a script, and has done nothing."""
    return isinstance(reply, NoScriptError)


def is_demoted(reply: object) -> bool:
    """Whether a reply says that the server is a replica, so that another one is the primary."""
    return isinstance(reply, ReadOnlyError)


def is_forbidden(exc: BaseException) -> bool:
    """Whether an error says that the user has no right to something."""
    return isinstance(exc, NoPermissionError)


FAILURES: Final = (RedisError, OSError, TimeoutError)
"""What the client library raises if a connection fails."""


def packed(command: RedisCommand) -> bytes:
    """Return a command as it is sent.

    Raises:
        StoreError: If a text in it cannot be sent.
    """
    try:
        return cast("bytes", _pack(command))
    except (UnicodeError, TypeError, SystemError) as exc:
        error = StoreError(f"Redis cannot keep one of the values: {exc}.")
        error.retryable = False
        raise error from exc


async def next_reply(connection: Connection, *, timeout: float = math.inf) -> Any:  # noqa: ANN401 - any reply
    """Return the next reply, an error too; ``None`` after ``timeout`` seconds.

    Raises:
        RedisError: If the connection failed.
    """
    try:
        return await connection.read_response(timeout=timeout)
    except ResponseError as exc:
        return exc


def _sentinel_pool(url: str, settings: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    """Return the pool for ``redis+sentinel://user:password@host:port,host:port/service/db``."""
    place = urlsplit(url)
    user, _, hosts = place.netloc.rpartition("@")
    name, _, password = user.partition(":")
    service, _, db = place.path.strip("/").partition("/")
    settings |= dict(parse_qsl(place.query)) | {"protocol": 2, "db": int(db or 0)}
    if name:
        settings["username"] = unquote(name)
    if password:
        settings["password"] = unquote(password)
    nodes = [_node(host) for host in hosts.split(",")]
    sentinel = _Sentinel(
        nodes, sentinel_kwargs={"socket_timeout": settings["socket_connect_timeout"]}
    )
    return _SentinelPool(service, sentinel, **settings)


def _node(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    return (host, int(port)) if colon else (text, _SENTINEL_PORT)
