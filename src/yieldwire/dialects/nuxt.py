"""nuxt-actions: `useStreamAction`, `useAction` and their relatives.

As the published package 1.1.2 sends and reads it. Its client takes any end of a body for success,
and ignores the body of every status but 2xx. So errors have the status 200, and a stream that ends
before its run says so.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.actions.action import RESERVED
from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ActionError, ErrorObject, Json
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Event, one_line

_SSE: Final = "text/event-stream"
_NATIVE: Final = frozenset({"idempotency-key", "last-event-id", "prefer"})
"""Headers that native clients send, and nuxt-actions never does."""
_SEPARATORS: Final = re.compile(r"[-/.]")
_CODES: Final = {"RATE_LIMITED": "RATE_LIMIT"}
_MARKS: Final = (b'"__actions_done"', b'"__actions_error"')
_CSRF_COOKIE: Final = "_csrf"
_CSRF_HEADER: Final = "x-csrf-token"


class NuxtEncoder(DialectEncoder):
    """One line of data for each chunk, and one that says how the run ended."""

    media_type: ClassVar[str] = _SSE
    _run_id = ""

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Keep the run's id, for the ids of frames."""
        self._run_id = run_id
        return ()

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the chunk as it is.

        Raises:
            ValueError: If the client would take it for the end.
        """
        if any(mark in event.data for mark in _MARKS) and _is_end(event.value):
            raise ValueError("nuxt-actions would take this chunk for the end of the stream.")
        return [self._frame(event.seq, event.data)]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the end mark; it has the run's result, which the client ignores."""
        end = to_json({"__actions_done": True, **event.value})
        return [self._frame(event.seq, one_line(end), b"event: done\n")]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error mark."""
        return [_error_frame(error)]

    def cut(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error mark: the client cannot resume."""
        return self.error(error)

    def _frame(self, seq: int, data: bytes, name: bytes = b"") -> bytes:
        cursor = str(Cursor(self._run_id, seq)).encode()
        return b"id: %b\n%bdata: %b\n\n" % (cursor, name, data)


class NuxtActions(Dialect):
    """Answers the composables of nuxt-actions 1.1.2.

    An action answers at its name, and at the file names that nuxt-actions would give it:
    ``list_users`` at ``list-users`` and ``list/users``. A client that leaves cannot come back, so
    its run stops at once, unless the action lets it continue without readers (``linger=None``).

    Args:
        target: An application, one action, or nothing for ``actions.mount(NuxtActions())``.
        csrf: Whether requests that change something must repeat the cookie ``_csrf``, which a GET
            sets, in the header ``x-csrf-token``, as with the package's `csrfMiddleware`. The
            origin of requests is checked in any case.
        waits_for_answers: As in `Dialect`.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET", "PUT", "PATCH", "DELETE")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        csrf: bool = False,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        self._csrf: Final = csrf

    def takes(self, actions: Actions, head: Head) -> bool:
        """Whether the composables send such a request, and native clients do not."""
        if head.path.partition("/")[0] in RESERVED or head.headers.keys() & _NATIVE:
            return False
        action = actions.app.registry.find(_name_of(head.path))
        if action is None:
            return False
        accept = head.headers.get("accept", "*/*")
        is_query = head.method == "GET" and accept == "*/*" and not action.options.is_feed
        return is_query or accept.startswith((_SSE, "application/json"))

    async def answer(self, call: ForeignCall) -> None:
        """Start the run of the path's action, and answer with its stream or its result."""
        if self._csrf:
            _check_csrf(call)
        action = call.action(_name_of(call.head.path))
        run = await call.start(action, partial(call.fields, action.input_schema), linger=0.0)
        if _streams(call.head):
            await call.stream(run, NuxtEncoder())
            return
        outcome = await call.outcome(run)
        if outcome.error is not None:
            await call.reply(self.refusal(call.head, outcome.error))
        else:
            await call.reply(_whole({"success": True, "data": outcome.result}))

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error with the status 200, so that the composable shows it."""
        if _streams(head):
            return Reply(body=_error_frame(error), media_type=_SSE)
        return _whole({"success": False, "error": _told(error)})


def _name_of(path: str) -> str:
    return _SEPARATORS.sub("_", path)


def _streams(head: Head) -> bool:
    return head.headers.get("accept", "").startswith(_SSE)


def _whole(value: Json) -> Reply:
    return Reply(body=to_json(value), media_type="application/json")


def _is_end(chunk: Json) -> bool:
    return isinstance(chunk, dict) and any(
        chunk.get(name) for name in ("__actions_done", "__actions_error")
    )


def _error_frame(error: ErrorObject) -> bytes:
    return b"event: error\ndata: %b\n\n" % one_line(to_json({"__actions_error": _told(error)}))


def _told(error: ErrorObject) -> dict[str, Json]:
    """Return an error as the composables show it."""
    told = error.to_dict()
    told["code"] = _CODES.get(error.code, error.code)
    return {name: value for name, value in told.items() if value is not None}


def _check_csrf(call: ForeignCall) -> None:
    """Give a reader a token, and let nobody change anything without it.

    Raises:
        ActionError: If the token is missing or wrong.
    """
    if call.head.method == "GET":
        token = secrets.token_hex(32)
        cookie = f"{_CSRF_COOKIE}={token}; Path=/; HttpOnly; Secure; SameSite=Strict"
        call.add_header("set-cookie", cookie)
        return
    sent = call.head.headers.get(_CSRF_HEADER, "")
    kept = call.head.cookies.get(_CSRF_COOKIE, "")
    if not (sent and kept):
        raise ActionError("CSRF_ERROR", "CSRF token missing", status=403)
    if not hmac.compare_digest(sent.encode(), kept.encode()):
        raise ActionError("CSRF_ERROR", "CSRF token mismatch", status=403)
