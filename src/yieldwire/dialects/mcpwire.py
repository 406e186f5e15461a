"""The messages of the Model Context Protocol: JSON-RPC 2.0, and what each says of its client.

Two generations of clients are answered. Those of 2025 begin with ``initialize``; those of 2026 send
what they are with every request. Nothing of a client is kept here: what ``initialize`` told is in
the id of its session, and what a stream is resumed with is in the ids of its events.
"""

import hashlib
import re
import secrets
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

from pydantic_core import from_json, to_json

from yieldwire.dialects.head import Head, Reply
from yieldwire.errors import ErrorObject, Json, ParseError
from yieldwire.log.cursor import parse_cursor

MessageId: TypeAlias = str | int | None

STATELESS: Final = "2026-07-28"
"""The version whose clients send what they are with every request."""
HANDSHAKES: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
"""The versions that begin with ``initialize``, the newest first."""
_DEFAULT: Final = "2025-03-26"
"""The version of a client that does not name one."""

META: Final = "io.modelcontextprotocol/"
TASKS: Final = META + "tasks"
VERSION_HEADER: Final = "mcp-protocol-version"
SESSION_HEADER: Final = "mcp-session-id"
_METHOD_HEADER: Final = "mcp-method"
_NAME_HEADER: Final = "mcp-name"
_NAMES: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The parameter that is also in a header, so that what is on the way can route by it."""

INVALID_REQUEST: Final = -32600
NO_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
_INTERNAL: Final = -32603
_MISMATCH: Final = -32020
_OTHER_VERSION: Final = -32022
_NUMBERS: Final[Mapping[str, int]] = {
    "PARSE_ERROR": -32700,
    "NOT_FOUND": INVALID_PARAMS,
    "VALIDATION_ERROR": INVALID_PARAMS,
    "UNAUTHORIZED": INVALID_REQUEST,
    "FORBIDDEN": INVALID_REQUEST,
    "METHOD_NOT_ALLOWED": INVALID_REQUEST,
    "PAYLOAD_TOO_LARGE": INVALID_REQUEST,
}
_STATUSES: Final[Mapping[int, int]] = {NO_METHOD: 404, _INTERNAL: 200}
_CODED: Final = ("=?base64?", "?=")
_CONTEXT: Final = (str | int | None, str | int | None, bool, bool)
_SESSION: Final = re.compile(r"[\w-]{22}(e?)", re.ASCII)


class RPCFault(Exception):
    """A message that is refused, by JSON-RPC's number."""

    def __init__(self, number: int, message: str, data: Json = None) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMessage:
    """A message of a client, and what is known of the client.

    Attributes:
        id: The id of a request, or of the request that a response answers.
        method: What is asked for; empty: the message is a response.
        params: With what; the response's ``result`` if it is one.
        is_request: Whether an answer is expected.
        is_stateless: Whether the client is of 2026.
        version: The version of the protocol.
        session: The id of its session; empty if it has none.
        asks_people: Whether the client can put a question to a person.
        takes_tasks: Whether the client lets the server answer with a task.
    """

    id: MessageId = None
    method: str = ""
    params: Mapping[str, Json] = field(default_factory=dict[str, Json])
    is_request: bool = False
    is_stateless: bool = False
    version: str = _DEFAULT
    session: str = ""
    asks_people: bool = False
    takes_tasks: bool = False

    @classmethod
    def read(cls, head: Head, said: Json) -> Self:
        """Read a message.

        Raises:
            RPCFault: If it is not one, or the client's version is not answered here.
        """
        if not isinstance(said, dict) or said.get("jsonrpc") != "2.0":
            raise RPCFault(INVALID_REQUEST, "Send one JSON-RPC 2.0 message.")
        method, id_ = said.get("method", ""), said.get("id")
        params = said.get("params", said.get("result"))
        params = {} if params is None else params
        if not (
            isinstance(method, str)
            and isinstance(params, dict)
            and (id_ is None or type(id_) in {str, int})
            and (method or id_ is not None)
        ):
            raise RPCFault(INVALID_REQUEST, "Send one JSON-RPC 2.0 message.")
        meta = params.get("_meta")
        meta = meta if isinstance(meta, dict) else {}
        version = head.headers.get(VERSION_HEADER, _DEFAULT)
        is_stateless = version == STATELESS or META + "protocolVersion" in meta
        if is_stateless and method and "id" in said:
            _check(head, method, params, version)
        elif version not in {*HANDSHAKES, STATELESS} and method != "initialize":
            raise _unsupported(version)
        session = head.headers.get(SESSION_HEADER, "")
        found = _SESSION.fullmatch(session)
        able = meta.get(META + "clientCapabilities")
        able = able if is_stateless and isinstance(able, dict) else {}
        extensions = able.get("extensions")
        return cls(
            id=id_,
            method=method,
            params=params,
            is_request="id" in said and bool(method),
            is_stateless=is_stateless,
            version=version,
            session=session if found else "",
            asks_people=asks_people(able) or (found is not None and found[1] == "e"),
            takes_tasks=isinstance(extensions, dict) and TASKS in extensions,
        )

    @property
    def token(self) -> str | int | None:
        """What the client wants to be told progress with, if it does."""
        meta = self.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        return token if type(token) in {str, int} else None

    def text(self, name: str) -> str:
        """Return a parameter that must be a text.

        Raises:
            RPCFault: If it is missing or something else.
        """
        value = self.params.get(name)
        if not isinstance(value, str) or not value:
            raise RPCFault(INVALID_PARAMS, f"{self.method} needs {name}, a text.")
        return value

    def object(self, name: str) -> dict[str, Json]:
        """Return a parameter that is an object, or is missing.

        Raises:
            RPCFault: If it is something else.
        """
        value = self.params.get(name)
        if value is not None and not isinstance(value, dict):
            raise RPCFault(INVALID_PARAMS, f"{self.method} takes {name} as an object.")
        return value or {}

    def label(self, id: MessageId) -> str:
        """Return the label of the run that a request of this session started."""
        return "mcp:" + hashlib.sha256(to_json([self.session, id])).hexdigest()[:32]

    def answered(self, result: Mapping[str, Json], *, is_cacheable: bool = False) -> Reply:
        """Return the response to this request; ``is_cacheable``: it must say for how long."""
        cached = {"ttlMs": 0, "cacheScope": "private"} if is_cacheable else {}
        told = {"resultType": "complete", **cached, **result} if self.is_stateless else result
        return _whole(200, {"jsonrpc": "2.0", "id": self.id, "result": told})

    def refused(self, fault: RPCFault) -> Reply:
        """Return the error that answers this request."""
        # The clients of 2025 read a JSON-RPC error only from a successful answer.
        status = _STATUSES.get(fault.number, 400) if self.is_stateless else 200
        return fault_reply(fault, self.id, status)


def _check(head: Head, method: str, params: Mapping[str, Json], version: str) -> None:
    """Raise if a request of 2026 contradicts itself, or is of a version that is not answered."""
    meta = params.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    for name in ("protocolVersion", "clientCapabilities"):
        if META + name not in meta:
            raise RPCFault(INVALID_PARAMS, f"_meta needs {META}{name}.")
    if version != meta[META + "protocolVersion"] or VERSION_HEADER not in head.headers:
        raise RPCFault(_MISMATCH, f"The header {VERSION_HEADER} differs from the message.")
    if version != STATELESS:
        raise _unsupported(version)
    if head.headers.get(_METHOD_HEADER) != method:
        raise RPCFault(_MISMATCH, f"The header {_METHOD_HEADER} differs from the message.")
    named = params.get(_NAMES.get(method, ""))
    if isinstance(named, str) and _decoded(head.headers.get(_NAME_HEADER, "")) != named:
        raise RPCFault(_MISMATCH, f"The header {_NAME_HEADER} differs from the message.")


def header_of(message: Mapping[str, Json]) -> str:
    """Return the header ``Mcp-Name`` of a message; empty if it names nothing."""
    params = message.get("params")
    name = (
        params.get(_NAMES.get(str(message.get("method")), "")) if isinstance(params, dict) else ""
    )
    if not isinstance(name, str) or not name:
        return ""
    return b64encode(name.encode()).decode().join(_CODED)


def _decoded(value: str) -> str | None:
    before, after = _CODED
    if not (value.startswith(before) and value.endswith(after)):
        return value
    with suppress(NotBase64, ValueError):
        return b64decode(value.removeprefix(before).removesuffix(after), validate=True).decode()
    return None


def _unsupported(version: str) -> RPCFault:
    told = {"supported": [STATELESS, *HANDSHAKES], "requested": version}
    return RPCFault(_OTHER_VERSION, "This version of the protocol is not supported.", told)


def asks_people(capabilities: Json) -> bool:
    """Whether a client with these capabilities can show a form to a person."""
    able = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(able, dict) and (not able or "form" in able)


def new_session(capabilities: Json) -> str:
    """Return the id of a new session, which says what the client can do."""
    return secrets.token_urlsafe(16) + ("e" if asks_people(capabilities) else "")


def fault_reply(fault: RPCFault, id: MessageId, status: int = 400) -> Reply:
    """Return an error as a whole answer."""
    error = {"code": fault.number, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    return _whole(status, {"jsonrpc": "2.0", "id": id, "error": error})


def fault_of(error: ErrorObject) -> RPCFault:
    """Return an error of the application as JSON-RPC has it."""
    told = {"code": error.code, "errorId": error.error_id, "fieldErrors": error.field_errors}
    data = {name: value for name, value in told.items() if value is not None}
    return RPCFault(_NUMBERS.get(error.code, _INTERNAL), error.message, data)


def _whole(status: int, message: Json) -> Reply:
    return Reply(status=status, body=to_json(message), media_type="application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlace:
    """What a client resumes the stream of a request with: the id of an event.

    ``after`` is the seq of the run's event; the rest is what the request said.
    """

    run_id: str
    after: int = 0
    id: MessageId = None
    token: str | int | None = None
    is_task: bool = False
    asks_people: bool = False

    def context(self) -> str:
        """Return what all events of the stream have at the end of their ids."""
        told = to_json([self.id, self.token, self.is_task, self.asks_people])
        return urlsafe_b64encode(told).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what an event's id says.

        Raises:
            ParseError: If it is not one.
        """
        cursor, tilde, context = text.rpartition("~")
        run_id, after, _ = parse_cursor(cursor)
        with suppress(NotBase64, ValueError):
            told = from_json(urlsafe_b64decode(context + "=" * (-len(context) % 4)))
            if tilde and _is_context(told):
                id_, token, is_task, asks = told
                return cls(
                    run_id=run_id,
                    after=after,
                    id=id_,
                    token=token,
                    is_task=is_task,
                    asks_people=asks,
                )
        raise ParseError("Last-Event-ID is not the id of an event of this server.")


def _is_context(told: Json) -> bool:
    """Whether something is what `EventPlace.context` says."""
    if not isinstance(told, list) or len(told) != len(_CONTEXT):
        return False
    return all(isinstance(part, kind) for part, kind in zip(told, _CONTEXT, strict=True))
