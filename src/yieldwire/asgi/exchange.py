"""One HTTP request and its answer, as passed to every handler."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Final
from urllib.parse import quote

from pydantic_core import to_json
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from yieldwire.asgi.pages import PageContent, Pages
from yieldwire.asgi.pages.error import error_content
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.link import NO_LINKS, Links, site_path
from yieldwire.asgi.safety import Incoming
from yieldwire.asgi.servers import is_servers_own, send_together
from yieldwire.deadline import rest_of
from yieldwire.errors import (
    CallError,
    ErrorObject,
    InternalError,
    Json,
    MethodNotAllowed,
    ParseError,
    RateLimited,
    RunError,
    StoreError,
    Unavailable,
    YieldwireError,
)
from yieldwire.errors.debug import cut, debug_of
from yieldwire.log.events import one_line
from yieldwire.log.jsonvalue import check_readable
from yieldwire.log.misfit import invalid_output

logger: Final = logging.getLogger("yieldwire.asgi")

Headers = Sequence[tuple[bytes, bytes]]
Refuse = Callable[[ErrorObject, Headers], Awaitable[None]]

LINKED: Final = ("/answers/", "/runs/")
"""The paths below which a request can come with a signed link."""
PIECE_BYTES: Final = 65_536
"""The piece size of a whole answer."""

NO_STORE: Final = (b"cache-control", b"no-store, no-transform")
_CLOSING: Final = frozenset({400, 408, 413})
# A result can be an image in a `data:` URL, which can neither run anything nor ask anybody.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
PAGE_POLICY: Final = (b"content-security-policy", _POLICY.encode())
_PAGE: Final = (
    PAGE_POLICY,
    # Its URL opens the run if that has no owner: no other site learns it.
    (b"referrer-policy", b"same-origin"),
)
_PLAIN: Final = Pages()


class BrokenOff(YieldwireError):
    """A response was aborted on purpose, so that its end is not mistaken for the run's."""


def _below(base: str, path: str, scope: Scope) -> str:
    """Return the rest of ``path`` after ``base``.

    A proxy can have stripped the part of it that belongs to the outer application, which
    Starlette keeps separately.
    """
    for prefix in (base, base.removeprefix(scope.get("app_root_path", "").rstrip("/"))):
        if path == prefix or path.startswith(f"{prefix}/"):
            return path[len(prefix) :]
    return path


class Exchange:
    """A request, and the state of its answer.

    ``base`` is the path at which the application is mounted, ``path`` is the rest.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        stall_timeout: float,
        pages: Pages = _PLAIN,
        sends_from_any_task: bool | None = None,
    ) -> None:
        self.scope: Final = scope
        self.incoming: Final = Incoming.of_http(scope)
        """The facts about the request that safety checks."""
        self.headers: Final = self.incoming.headers
        self.method: Final[str] = scope["method"]
        self.receive = receive
        self.send = send
        self._sends_from_any_task = sends_from_any_task
        self.stall_timeout: Final = stall_timeout
        """How long a reader can leave sent data unread, in seconds."""
        self._pages = pages
        self.base: Final[str] = scope.get("root_path", "").rstrip("/")
        path: str = scope["path"]
        self.path: Final = _below(self.base, path, scope) if self.base else path
        self.extra: list[tuple[bytes, bytes]] = []
        """Headers of every answer to this request."""
        self.has_head: bool = False
        self.form: Form | None = None
        """The plain form that starts a run, for a page that shows it again."""
        self.refuse: Refuse | None = None
        """Sends an error object in a foreign client's form; ``None``: in the native one."""
        self.has_runs = True
        """Whether the base has URLs for runs, so that an answer can name its run's."""

    @property
    def sends_from_any_task(self) -> bool:
        """Whether ``send`` is known to be the server's own, which any task can call.

        Middleware around it can set a time limit or a context variable, or open a cancel scope:
        those belong to the task of the response, and would affect any other task that sends.
        """
        known = self._sends_from_any_task
        return is_servers_own(self.send) if known is None else known

    @cached_property
    def request(self) -> Request:
        """The request as a Starlette object."""
        return Request(self.scope, self.receive)

    def send_head(self, status: int, headers: Headers) -> Awaitable[None]:
        """Send the status and the headers."""
        return self.send(self._head(status, headers))

    def send_body(self, body: bytes, *, more: bool = False) -> Awaitable[None]:
        """Send a piece of the body; the last one ends the answer. HEAD has no body."""
        return self.send(self._body(body, more=more))

    def send_start(
        self, status: int, headers: Headers, body: bytes, *, more: bool = False
    ) -> Awaitable[None]:
        """Send the status, the headers and the first piece of the body, which can be the last."""
        head, first = self._head(status, headers), self._body(body, more=more)
        return send_together(self.send, head, first)

    def _head(self, status: int, headers: Headers) -> Message:
        self.has_head = True
        every = [*headers, *self.extra, (b"x-content-type-options", b"nosniff")]
        return {"type": "http.response.start", "status": status, "headers": every}

    def _body(self, body: bytes, *, more: bool) -> Message:
        if self.method == "HEAD":
            body = b""
        return {"type": "http.response.body", "body": body, "more_body": more}

    def within_time(self, sending: Awaitable[None]) -> Awaitable[None]:
        """Return ``sending`` for as long as a reader can leave sent data unread; see `within`."""
        return within(self.stall_timeout, sending)

    async def answer(
        self, status: int, body: bytes = b"", *, media_type: str = "", headers: Headers = ()
    ) -> None:
        """Send a whole answer at its reader's pace.

        Raises:
            BrokenOff: If the reader does not read an answer larger than a page.
        """
        named = {name for name, _ in headers}
        every = [*headers]
        if media_type == "application/json":
            body = one_line(body)
        if media_type:
            every.append((b"content-type", media_type.encode()))
        if status not in {204, 304}:
            every.append((b"content-length", b"%d" % len(body)))
        if b"cache-control" not in named:
            every.append(NO_STORE)
        if len(body) <= PIECE_BYTES or self.method == "HEAD":
            await self.send_start(status, every, body)
            return
        await self.send_start(status, every, body[:PIECE_BYTES], more=True)
        # A server accepts any piece at once, and waits at the next one.
        for start in range(PIECE_BYTES, len(body), PIECE_BYTES):
            end = start + PIECE_BYTES
            await self.within_time(self.send_body(body[start:end], more=end < len(body)))

    async def forward(self, messages: Sequence[Message]) -> None:
        """Send an answer that a host framework has made."""
        for message in messages:
            if message["type"] == "http.response.start":
                self.has_head = True
                headers = [*message["headers"], *self.extra]
                await self.send({**message, "headers": headers})
            else:
                await self.send(message)

    async def answer_json(self, status: int, value: Json, headers: Headers = ()) -> None:
        """Send a JSON value."""
        await self.answer(status, to_json(value), media_type="application/json", headers=headers)

    async def answer_error(self, exc: Exception, *, debug: bool = False) -> ErrorObject:
        """Send an error as its status and its object; an unexpected one only as an id.

        Args:
            exc: What was raised.
            debug: Whether details of unexpected errors are shown, for development.

        Raises:
            Exception: ``exc`` itself, if the head was already sent: the body is aborted.
        """
        if self.has_head:
            raise exc
        exc, error = self.explain(exc, debug=debug)
        headers = list[tuple[bytes, bytes]]()
        if isinstance(exc, (RateLimited, Unavailable)):
            headers.append((b"retry-after", b"%d" % max(1, round(exc.retry_after))))
        if isinstance(exc, MethodNotAllowed):
            headers.append((b"allow", ", ".join(exc.allowed).encode()))
        if error.status in _CLOSING:
            headers.append((b"connection", b"close"))
        await self.answer_error_object(error, headers)
        return error

    def explain(self, exc: Exception, *, debug: bool = False) -> tuple[Exception, ErrorObject]:
        """Return what a caller is told of an error, after an unexpected one was logged."""
        if not isinstance(exc, (CallError, RunError)):
            exc = self._masked(exc, debug=debug)
        told: object = exc
        try:
            error = exc.error_object()
            told = error.to_dict()
            check_readable(to_json(told))
        except Exception as fault:  # noqa: BLE001 - the application's error object can be faulty
            unsaid = invalid_output(self.path, "error", told, fault)
            unsaid.__cause__ = exc
            return self.explain(unsaid, debug=debug)
        return exc, error

    async def answer_error_object(self, error: ErrorObject, headers: Headers = ()) -> None:
        """Send an error object with its status; for a browser's navigation, as a small page.

        An answer in a dialect has the form and the status that its client reads.
        """
        if self.refuse is not None:
            await self.refuse(error, headers)
            return
        if not self.wants_page:
            await self.answer_json(error.status, {"error": error.to_dict()}, headers)
            return
        try:
            links = self.links()
        except ParseError:
            links = NO_LINKS
        content = error_content(error, self.root, form=self.form, links=links)
        await self._answer_html(error.status, self._pages.error_page(content), headers)

    async def answer_page(self, content: PageContent) -> None:
        """Send a page.

        Raises:
            UsageError: If the application's template does not return text.
        """
        await self._answer_html(200, self._pages.page(content))

    async def _answer_html(self, status: int, page: bytes, headers: Headers = ()) -> None:
        every = [*headers, *_PAGE]
        await self.answer(status, page, media_type="text/html; charset=utf-8", headers=every)

    def links(self) -> Links:
        """Return where a page can lead: from the query, or back to the page that led here.

        Raises:
            ParseError: If the query has a page that is not on this origin.
        """
        is_input = self.method == "GET" and not self.path.startswith("/runs/")  # of a feed
        host = self.headers.get("host", "")
        links = Links.of({} if is_input else self.request.query_params, host)
        path = site_path(self.headers.get("referer", ""), host)
        return links.or_back(path, here=quote(self.base + self.path), runs=f"{self.root}/runs/")

    @property
    def share(self) -> str | None:
        """The signed link of a request whose path is `LINKED`; ``None`` if it came without."""
        if self.path.startswith("/answers/"):
            return self.path.removeprefix("/answers/")
        sent = self.headers.get("run-share")
        if sent is None and b"share=" in self.scope["query_string"]:
            sent = self.request.query_params.get("share")
        return sent

    def naming(self, run_id: str) -> Headers:
        """Return the headers that name the run of a streamed answer."""
        headers = run_headers(run_id, self.base)
        return headers if self.has_runs else headers[:1]

    @property
    def root(self) -> str:
        """The base as a part of a URL."""
        # It can contain data from a caller, if it is mounted below a path parameter.
        return quote(self.base)

    @property
    def wants_page(self) -> bool:
        """Whether a browser navigates here, rather than a program."""
        accept = self.headers.get("accept", "")
        return accept.startswith(("text/html", "application/xhtml"))

    def _masked(self, exc: Exception, *, debug: bool) -> InternalError | Unavailable:
        if isinstance(exc, StoreError):
            logger.error("request failed: %s, %s", self.method, exc)
            return Unavailable("Runs cannot be read or written at the moment.")
        error = InternalError(secrets.token_hex(8), debug_of(cut(exc)) if debug else None)
        logger.error(
            "request failed: %s, error id %s",
            self.method,
            error.error_id,
            exc_info=cut(exc),
            extra={"error_id": error.error_id},
        )
        return error


async def within(seconds: float, sending: Awaitable[None]) -> None:
    """Await the sending of a piece of an answer.

    Raises:
        BrokenOff: If it takes longer than ``seconds``.
    """
    rest = rest_of(sending)
    if rest is not None:
        try:
            await rest.within(seconds)
        except TimeoutError:
            raise BrokenOff("The reader does not read.") from None


def run_headers(run_id: str, base: str, query: str = "") -> Headers:
    """Return the headers that name a run."""
    # The base can contain data from a caller, if it is mounted below a path parameter.
    place = f"{quote(base) if base else base}/runs/{run_id}{query}"
    return [(b"run-id", run_id.encode()), (b"location", place.encode())]
