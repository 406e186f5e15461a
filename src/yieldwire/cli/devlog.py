"""What a development server logs: each request, each run, and what went wrong."""

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yieldwire.display.progress import clean

_LOGGER: Final = logging.getLogger("yieldwire.requests")

DEVELOPMENT: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "yieldwire.cli.devlog.Lines", "datefmt": "%H:%M:%S"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "loggers": {
        "uvicorn": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "yieldwire": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
}
"""The configuration of `logging`."""


class Lines(logging.Formatter):
    """A record as a line: time, level unless ``INFO``, message, and the run, owner and duration."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the base class
        """Return the line, without a traceback."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname}: "
        facts = ", ".join(_facts(vars(record)))
        text = clean(f"{record.message} ({facts})" if facts else record.message)
        return f"{self.formatTime(record, self.datefmt)} {level}{text}"


def _facts(record: Mapping[str, Any]) -> Iterator[str]:
    if record.get("run_id") is not None:
        yield record["run_id"]
    if "owner" in record:
        yield record["owner"] or "anonymous"
    if "created_at" in record:
        yield f"{record['created'] - record['created_at']:.2f} s"


class RequestLog:
    """Logs each request when its answer ends, except those of the developer page itself.

    Args:
        app: The application that answers.
        bases: The path prefixes for actions.
    """

    def __init__(self, app: ASGIApp, bases: Collection[str]) -> None:
        self._app = app
        self._own = tuple(f"{base.rstrip('/')}/dev/" for base in bases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http" or scope["path"].startswith(self._own):
            await self._app(scope, receive, send)
            return
        answer = _Sending(send)
        created_at = time.time()  # noqa: TID251 - as the log's own records
        try:
            await self._app(scope, receive, answer.send)
        finally:
            extra = {"run_id": answer.run_id, "created_at": created_at}
            _LOGGER.info("%s %s: %s", scope["method"], scope["path"], answer.state, extra=extra)


class _Sending:
    """What was sent of an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status, self._is_whole = 0, False
        self.run_id: str | None = None

    @property
    def state(self) -> str:
        """Its status, and whether it was sent to its end."""
        if not self._status:
            return "no answer"
        return f"{self._status}" if self._is_whole else f"{self._status}, not to its end"

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self.run_id = Headers(raw=list(message.get("headers", ()))).get("run-id")
        elif message["type"] == "http.response.body":
            self._is_whole = not message.get("more_body", False)
        await self._send(message)
