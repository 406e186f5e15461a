"""A server that gives scripted answers in order, and remembers requests and waits."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx2
from pydantic_core import to_json
from starlette.types import Message, Receive, Send

from yieldwire.client import AsyncClient, Patience
from yieldwire.errors import Json
from yieldwire.testing.transport import StreamingTransport

Sender: TypeAlias = Callable[[Receive, Send], Awaitable[None]]

OPENING = 'id: r1.0\nevent: run\ndata: {"id":"r1","action":"count","status":"running"}\n\n'


def chunk(seq: int, value: Json) -> str:
    return f"id: r1.{seq}\ndata: {to_json(value).decode()}\n\n"


def end(seq: int, kind: str = "done", value: Json = None) -> str:
    return f"id: r1.{seq}\nevent: {kind}\ndata: {to_json(value or {}).decode()}\n\n"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server says once."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[str] = ()
    breaks: bool = False
    hangs: bool = False


def stream(*pieces: str, breaks: bool = False, hangs: bool = False, run_id: str = "r1") -> Answer:
    headers = {"content-type": "text/event-stream; charset=utf-8", "run-id": run_id}
    return Answer(headers=headers, pieces=pieces, breaks=breaks, hangs=hangs)


def json(value: Json, *, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    content = {"content-type": "application/json", **named}
    return Answer(status=status, headers=content, pieces=[to_json(value).decode()])


def refusal(status: int, code: str, run_id: str | None = None, **headers: str) -> Answer:
    error = {"code": code, "message": "No.", "statusCode": status, "runId": run_id}
    return json({"error": error}, status=status, **headers)


UNREACHABLE = Answer(status=0)
UNHEARD = Answer(status=1)
"""The request arrives, and its answer does not."""
SILENT = Answer(status=2)
"""The request arrives, and nothing comes until the client leaves."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """The ASGI application."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[Seen] = []
        self.asked = asyncio.Event()
        self.waits: list[float] = []
        self.notices: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError  # by which a server knows that there is none
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        query = scope["query_string"].decode()
        seen = Seen(
            method=scope["method"],
            path=scope["path"].removeprefix("/api/") + (f"?{query}" if query else ""),
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
            body=body,
        )
        self.requests.append(seen)
        self.asked.set()
        assert self.answers, f"nothing is scripted for {seen.method} {seen.path}"
        await self._answer(self.answers.pop(0), receive, send)

    async def _answer(self, answer: Answer, receive: Receive, send: Send) -> None:
        if answer is UNREACHABLE:
            raise httpx2.ConnectError("connection refused")
        if answer is UNHEARD:
            raise httpx2.ReadError("connection reset")
        if answer is SILENT:
            await receive()
            return
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for piece in answer.pieces:
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
        if answer.hangs:
            await receive()
        if answer.breaks:
            raise ConnectionResetError
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def notice(self, what: str, seconds: float) -> None:
        self.notices.append(what)


@asynccontextmanager
async def serve(
    *answers: Answer,
    tries: int = 10,
    start: float = 45.0,
    idle: float = 45.0,
    request: float = 15.0,
    quiet: float = 4.0,
    longest_wait: float = 300.0,
) -> AsyncGenerator[tuple[AsyncClient, Server], None]:
    server = Server(answers)
    patience = Patience(
        tries=tries,
        start=start,
        idle=idle,
        request=request,
        quiet=quiet,
        longest_wait=longest_wait,
        sleep=server.sleep,
        chance=lambda: 1.0,
        notice=server.notice,
    )
    async with (
        httpx2.AsyncClient(transport=StreamingTransport(server)) as http,
        AsyncClient("http://localhost/api", http=http, patience=patience) as client,
    ):
        yield client, server
    assert server.answers == [], "not every scripted answer was asked for"
