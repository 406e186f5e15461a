"""Requests: as bytes for the load client, and single ones from here."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.machine import BenchmarkError
from benchmarks.peer import Call
from benchmarks.websocket import Socket, filled

ACCEPT = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A method, a path and a body; with ``socket``, for the load client, over a WebSocket."""

    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    socket: Socket | None = None

    @classmethod
    def parse(cls, text: str, values: Mapping[str, object]) -> "Request":
        """Read ``"METHOD /path body"``, with its placeholders filled in."""
        method, path, *body = filled(text, values).split(" ", 2)
        return cls(method=method, path=path, body="".join(body))

    def raw(self, port: int) -> bytes:
        """Return the bytes that go over the wire first."""
        if self.socket is not None:
            return self.socket.handshake(port, self._parts(), self.headers)
        head = [
            f"{self.method} {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Accept: {ACCEPT}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if self.method == "POST":
            head += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(head) + "\r\n\r\n" + self.body).encode()

    def options(self, streams: int) -> dict[str, float | str | bool]:
        """Return what the load client must know to ask for that many streams."""
        if self.socket is None:
            return {"connections": streams}
        return self.socket.options(self._parts(), streams)

    def _parts(self) -> dict[str, str]:
        return {"method": self.method, "path": self.path, "body": self.body}

    def send(
        self, port: int, headers: Mapping[str, str] | None = None, *, timeout: float = 10.0
    ) -> tuple[int, bytes]:
        """Send it from here, and return the answer's status and body.

        Raises:
            OSError: If there is no answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        known = {"Accept": "application/json, */*", **self.headers, **(headers or {})}
        if self.method == "POST":
            known["Content-Type"] = "application/json"
        try:
            connection.request(self.method, self.path, self.body or None, known)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as exc:
            raise OSError(f"{self.method} {self.path}: {exc!r}") from exc
        finally:
            connection.close()

    def ask(self, port: int, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send it, and return the JSON that is answered.

        Raises:
            BenchmarkError: If the answer is an error, or no JSON.
        """
        status, body = self.send(port, headers)
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
            raise BenchmarkError(f"{self.method} {self.path} was answered with {status}.")
        try:
            return json.loads(body)
        except ValueError as exc:
            raise BenchmarkError(f"{self.method} {self.path}: no JSON.") from exc


def prepared(call: Call, port: int, values: Mapping[str, object]) -> Request:
    """Return the request of a stream, after whatever has to come before it.

    Raises:
        BenchmarkError: If what comes before fails, or is not ready within a minute.
    """
    if not call.before:
        return Request.parse(call.request, values)
    answer = Request.parse(call.before, values).ask(port, call.headers)
    known = {**values, "id": answer[call.take]}
    if call.ready:
        text, name, value = call.ready
        until = time.monotonic() + 60
        while Request.parse(text, known).ask(port)[name] != value:
            if time.monotonic() > until:
                raise BenchmarkError(f"{text} did not reach {value!r} within a minute.")
            time.sleep(0.02)
    return Request.parse(call.request, known)
