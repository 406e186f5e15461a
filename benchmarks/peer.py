"""The servers that are measured, as `peers.toml` describes them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from benchmarks.machine import ROOT, BenchmarkError
from benchmarks.websocket import Socket

BASE: Final = "http://127.0.0.1"
REQUESTS: Final = {
    "health": "GET /health",
    "hot": 'POST /hot {"count":{count}}',
    "paced": 'POST /paced {"count":{count},"intervalMs":{intervalMs}}',
    "feed": "GET /feed",
    "feed-start": 'POST /feed-start {"count":{count},"intervalMs":{intervalMs}}',
    "steady": 'POST /paced {"count":{count},"intervalMs":{intervalMs}}',
    "brief": 'POST /hot {"count":{count}}',
    "replay": "GET /replay",
    "endless": 'POST /endless {"count":{count}}',
    "spin": "POST /spin {}",
    "worked": 'POST /worked {"count":{count},"intervalMs":{intervalMs}}',
    "ticker": "GET /ticker",
    "answer": 'POST /answer {"count":{count},"intervalMs":{intervalMs}}',
    "chat": 'POST /chat {"count":{count}}',
}
"""What every server answers, unless its entry says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a stream is asked for: ``"METHOD /path body"``, and what has to come before.

    Attributes:
        request: The request of the stream itself.
        before: A request whose answer names the stream.
        take: The field of that answer that is the ``{id}``.
        headers: Further headers of ``before``.
        ready: A request, a field and a value: it is repeated until the field has the value.
    """

    request: str
    before: str = ""
    take: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One server, and all that is needed to start it.

    ``framework`` is false where there is none: it is not held against Yieldwire as one.
    ``socket`` is how its streams are asked for, if that is over a WebSocket.
    ``database`` and a ``model`` server are started before it, and ``also`` are further processes
    that belong to it.
    """

    name: str
    title: str
    role: Literal["ours", "peer", "limit"]
    kind: Literal["python", "node", "native"]
    scenes: str
    command: tuple[str, ...]
    directory: str = "."
    default: bool = False
    framework: bool = True
    requirements: str = ""
    source: str = ""
    versions: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)
    database: Literal["", "valkey", "postgres"] = ""
    model: bool = False
    socket: Socket | None = None
    also: tuple[tuple[str, ...], ...] = ()

    def call(self, route: str) -> Call:
        """Return how this server is asked for a route."""
        return self.calls.get(route) or Call(request=REQUESTS.get(route, f"POST /{route} {{}}"))


def read_peers() -> dict[str, Peer]:
    """Return every peer by its name, in the order of the file.

    Raises:
        BenchmarkError: If the file cannot be read.
    """
    try:
        text = (ROOT / "benchmarks" / "peers.toml").read_text("utf-8")
        tables: dict[str, dict[str, Any]] = tomllib.loads(text)["peer"]
        return {name: _peer(name, tables) for name in tables}
    except (tomllib.TOMLDecodeError, TypeError, KeyError) as exc:
        raise BenchmarkError(f"peers.toml: {exc}") from exc


def _peer(name: str, tables: Mapping[str, dict[str, Any]]) -> Peer:
    table = _whole(name, tables)
    calls = {route: _call(said) for route, said in table.pop("requests", {}).items()}
    for listed in ("command", "versions"):
        table[listed] = tuple(table.get(listed, ()))
    if "socket" in table:
        table["socket"] = Socket(**table["socket"])
    table["also"] = tuple(tuple(command) for command in table.get("also", ()))
    return Peer(name=name, calls=calls, **table)


def _whole(name: str, tables: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = dict(tables[name])
    if "like" not in table:
        return table
    other = _whole(table.pop("like"), tables)
    parts: dict[str, Any] = {
        name: {**other.get(name, {}), **table.get(name, {})}
        for name in ("requests", "socket")
        if name in other or name in table
    }
    return {**other, **table, **parts}


def _call(said: str | dict[str, Any]) -> Call:
    if isinstance(said, str):
        return Call(request=said)
    table: dict[str, Any] = {**said, "ready": tuple(said.get("ready", ()))}
    return Call(**table)


def choose(names: str, peers: Mapping[str, Peer]) -> list[Peer]:
    """Return the peers that are named: ``default``, ``all``, or names with commas between.

    Raises:
        BenchmarkError: If there is no such peer.
    """
    chosen: dict[str, Peer] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name == "all":
            chosen |= peers
        elif name == "default":
            chosen |= {key: peer for key, peer in peers.items() if peer.default}
        elif name in peers:
            chosen[name] = peers[name]
        else:
            raise BenchmarkError(f"There is no peer {name!r}; there are {', '.join(peers)}.")
    return [peer for key, peer in peers.items() if key in chosen]
