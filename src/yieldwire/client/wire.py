"""Requests to one mounted application: authentication, retries, and final errors."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

from pydantic_core import from_json

from yieldwire.client.body import Content, query_of
from yieldwire.client.http import (
    Answer,
    Http,
    is_lost,
    is_not_connected_in_time,
    timeouts,
    was_sent,
)
from yieldwire.client.patience import Backoff, Lost, Patience, Waited
from yieldwire.errors import ErrorObject, InboxFull, Json, ProtocolError, UsageError
from yieldwire.errors.lookup import error_from
from yieldwire.setting import Rule, accepts

T = TypeVar("T")

Token: TypeAlias = str | Callable[[], Awaitable[str]] | None
"""A bearer token, or an async function that returns one for each connection."""

REPEATABLE: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that can change if the same request is sent again."""

REFUSED: Final = frozenset({408, 425, 429})
"""Those of them that mean that nothing was done."""

TOO_LARGE: Final = frozenset({413, 414, 431})
"""A proxy's answers to a request that is too large for it; a retry gets the same answer."""

INTERNAL: Final = 500

NO_CONTENT: Final = 204

LIST: Final = "runs"
"""The path of lists, which have the member of the same name."""
MEMBERS: Final = frozenset({"status", "runs", "actions", "number", "place"})
"""A snapshot, a list, a manifest, an accepted message and a place for uploads have one of these;
another server's answer does not."""

UPLOAD_BYTES_PER_SECOND: Final = 8_000
"""How much of an upload was sent is not known, so it gets the time that it takes at this speed."""

ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a JSON answer that is read whole; a log is read as a stream, which has no limit."""
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*")

ERROR_BYTES: Final = 1024 * 1024
"""Bytes that are read of a refusal; a larger one is reported by its status."""


def _is_address(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc != ""


def _is_headers(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    headers: Mapping[object, object] = value
    return all(isinstance(each, str) for pair in headers.items() for each in pair)


ApplicationURL: TypeAlias = Annotated[
    str, Rule(_is_address, "an address such as 'https://example.com/actions'")
]
HeaderFields: TypeAlias = Annotated[
    Mapping[str, str], Rule(_is_headers, "a dict of strings by their names")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, relative to where the application is mounted. It can be sent more than once."""

    path: str
    method: str = "GET"
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Content | None = None
    starts: bool = False
    """Whether it starts a run, under an idempotency key."""

    @property
    def upload_seconds(self) -> float:
        """How many seconds its files can take to be sent."""
        has_files = self.body is not None and self.body.is_upload
        return self.body.length / UPLOAD_BYTES_PER_SECOND if self.body and has_files else 0.0


class Wire:
    """Sends requests, and interprets their answers."""

    def __init__(
        self,
        url: str,
        http: Http,
        *,
        token: Token = None,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        if not (token is None or isinstance(token, str) or accepts(token, 0)):
            # The value is left out: it can be a secret.
            raise UsageError("Client: the token is not a string or an async function of nothing.")
        self.patience: Final = patience or Patience()
        self._base = url.rstrip("/") + "/"
        # Without the name and password that the URL can have.
        self._server: Final = urlsplit(url).netloc.rpartition("@")[2]
        self._http, self._token = http, token
        self._headers = dict(headers or {})
        self._open: set[Answer] = set()

    async def send(self, request: Request) -> Answer:
        """Send a request once; return an answer that succeeded. Close it with `close`.

        Raises:
            Lost: If a retry can help.
            YieldwireError: If it does not.
        """
        limit = self.patience.start if request.starts else self.patience.idle
        waited = Waited("starting" if request.starts else "answering", limit)
        try:
            async with asyncio.timeout(limit + request.upload_seconds):
                answer = await self._http.send(await self._made(request), stream=True)
        except Exception as exc:
            what = f"The server at {self._server} cannot be reached"
            raise self._read_as(exc, what, waited) from exc
        self._open.add(answer)
        if answer.status_code // 100 == 2:  # noqa: PLR2004 - the class of success
            return answer
        raise await self._refusal(answer, request)

    async def json(self, request: Request) -> Json:
        """Send a short request, with retries, and return its JSON answer.

        Raises:
            YieldwireError: If it was refused, or the tries are used up.
            ProtocolError: If the answer has more than `ANSWER_BYTES`.
        """
        seconds = self.patience.request + request.upload_seconds
        return await self.repeat(lambda: self.in_time(lambda: self.ask(request), seconds))

    async def ask(self, request: Request) -> dict[str, Json]:
        """Send a short request once, and return its JSON answer.

        Raises:
            Lost: If a retry can help.
            YieldwireError: If it was refused.
            ProtocolError: If the answer has more than `ANSWER_BYTES`.
        """
        answer = await self.send(request)
        body = await self.body(answer)
        try:
            told = from_json(body)
        except ValueError:
            told = None
        is_list = request.path == LIST
        if not isinstance(told, dict) or not told.keys() & ({"runs"} if is_list else MEMBERS):
            raise Lost(foreign(answer))
        if is_list and not isinstance(told["runs"], list):
            raise Lost(foreign(answer))
        return told

    async def in_time(self, attempt: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """Await ``attempt`` for a time; default: for as long as a short request can take.

        Raises:
            Lost: If it takes longer.
        """
        seconds = self.patience.request if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds):
                return await attempt()
        except TimeoutError as exc:
            raise Lost(
                f"The server at {self._server} did not answer in {seconds:g} s.",
                waited=Waited("answering", seconds),
            ) from exc

    async def repeat(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Await ``attempt`` until it is no longer lost.

        Raises:
            YieldwireError: If it was refused, or the tries are used up.
        """
        backoff = Backoff(self.patience)
        while True:
            try:
                result = await attempt()
            except Lost as lost:
                await backoff.pause(lost)
            else:
                backoff.succeeded()
                return result

    async def pieces(self, answer: Answer) -> AsyncGenerator[bytes, None]:
        """Yield an answer's body as it comes.

        Raises:
            Lost: If it is cut off, or nothing came for too long.
        """
        pieces = answer.aiter_bytes()
        try:
            while True:
                async with asyncio.timeout(self.patience.idle):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece
        except Exception as exc:
            waited = Waited("reading", self.patience.idle)
            raise self._read_as(exc, "The connection was lost", waited) from exc

    async def body(self, answer: Answer, most: int = ANSWER_BYTES) -> bytes:
        """Return an answer's whole body, and close it.

        Raises:
            Lost: If it is cut off, or nothing came for too long.
            ProtocolError: If it has more than ``most`` bytes.
        """
        pieces: list[bytes] = []
        size = 0
        try:
            async with aclosing(self.pieces(answer)) as body:
                async for piece in body:
                    pieces.append(piece)
                    size += len(piece)
                    if size > most:
                        raise ProtocolError(f"The answer has more than {most} bytes.")
            return b"".join(pieces)
        finally:
            await self.close(answer)

    async def close(self, answer: Answer) -> None:
        """Release an answer's connection."""
        self._open.discard(answer)
        await answer.aclose()

    async def aclose(self) -> None:
        """Release every connection that is still held."""
        for answer in list(self._open):
            await self.close(answer)

    async def _made(self, request: Request) -> Any:  # noqa: ANN401 - the HTTP client's own class
        return self._http.build_request(
            request.method,
            self._base + request.path + (f"?{query_of(request.query)}" if request.query else ""),
            content=None if request.body is None else request.body.content(),
            headers=await self._headers_of(request),
            timeout=timeouts(self.patience.connect),
        )

    async def _headers_of(self, request: Request) -> dict[str, str]:
        headers = {**self._headers, **request.headers}
        if request.body is not None:
            headers["Content-Type"] = request.body.content_type
            headers["Content-Length"] = str(request.body.length)
        if self._token is not None:
            token = self._token if isinstance(self._token, str) else await self._token()
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _read_as(self, exc: Exception, what: str, waited: Waited) -> Exception:
        if isinstance(exc, TimeoutError):
            return Lost(f"{what}: nothing came for {waited.seconds:g} s.", waited=waited)
        if is_not_connected_in_time(exc):
            waited = Waited("connecting", self.patience.connect)
            message = f"{what}: no connection was made in {waited.seconds:g} s."
            return Lost(message, may_be_done=False, waited=waited)
        if not is_lost(exc):
            return exc
        message = f"{what}: {str(exc) or type(exc).__name__}"
        return Lost(message, may_be_done=was_sent(exc))

    async def _refusal(self, answer: Answer, request: Request) -> Exception:
        status, told = answer.status_code, _told(answer, await self._body_if_any(answer))
        retry_after, may_be_done = self._retry_after(answer), status not in REFUSED
        if told is None and status in TOO_LARGE:
            return error_from(ErrorObject(code="HTTP_ERROR", message=_seen(answer), status=status))
        if told is None:
            return Lost(foreign(answer), after=retry_after, may_be_done=may_be_done)
        error = error_from(told, retry_after=retry_after)
        # The same key gives the same run, so a retry cannot change how one has ended; and a full
        # inbox stays full.
        is_final = (request.starts and told.run_id is not None) or isinstance(error, InboxFull)
        if is_final or not (status in REPEATABLE or (status == INTERNAL and told.retryable)):
            return error
        return Lost(str(error), after=retry_after, error=error, may_be_done=may_be_done)

    async def _body_if_any(self, answer: Answer) -> bytes:
        try:
            async with asyncio.timeout(self.patience.idle):
                return await self.body(answer, ERROR_BYTES)
        except (Lost, ProtocolError, TimeoutError):
            return b""  # the status is enough

    def _retry_after(self, answer: Answer) -> float:
        value = answer.headers.get("retry-after", "")
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, at.timestamp() - self.patience.clock.now())


def foreign(answer: Answer) -> str:
    """Return the message for an answer that does not follow this protocol."""
    return f"Something else answered in the server's place: {_seen(answer)}."


def _seen(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "")
    return " ".join(
        part for part in ("HTTP", str(answer.status_code), answer.reason_phrase, kind) if part
    )


def _told(answer: Answer, body: bytes) -> ErrorObject | None:
    """Return the error object of an answer, or None if it has none of this protocol."""
    try:
        error = from_json(body)["error"]
        # Gateways also send error objects: with numeric codes, or with codes in another case.
        if not (_CODE.fullmatch(error["code"]) or error.get("statusCode")):
            return None
        facts = {"statusCode": answer.status_code, "runId": answer.headers.get("run-id")}
        facts |= {name: value for name, value in error.items() if value is not None}
        return ErrorObject.from_dict(facts)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def path_of(*names: str) -> str:
    """Return the path with these segments."""
    return "/".join(quote(name, safe="") for name in names)
