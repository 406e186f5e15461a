import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Send

from yieldwire.testing.transport import StreamingTransport

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-kind", b"test")]}


def body(piece: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def without_lifespan(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return wrapped


def client_of(transport: StreamingTransport) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


class Log:
    """An application that sends two pieces, the second when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.seen: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        self.seen.append((await receive())["type"])
        await send(START)
        await send(body(b"one"))
        self.seen.append("one was taken")
        await self.go.wait()
        await send(body(b"two", more=False))
        self.seen.append((await receive())["type"])


async def test_a_piece_arrives_when_it_is_sent_and_not_at_the_end() -> None:
    app = Log()
    async with client_of(StreamingTransport(app)) as http, http.stream("GET", "/") as response:
        pieces = response.aiter_raw()

        first = await anext(pieces)
        app.go.set()
        rest = [piece async for piece in pieces]

    assert (first, rest, response.headers["x-kind"]) == (b"one", [b"two"], "test")


async def test_a_sender_waits_until_its_piece_is_taken() -> None:
    app = Log()
    async with client_of(StreamingTransport(app)) as http, http.stream("GET", "/") as response:
        before = list(app.seen)
        await anext(response.aiter_raw())
        app.go.set()

    assert before == ["http.request"]
    assert "one was taken" in app.seen


async def test_a_complete_response_is_followed_by_a_disconnect() -> None:
    app = Log()
    app.go.set()
    transport = StreamingTransport(app)
    async with client_of(transport) as http:
        await http.get("/")
        await transport.wait_idle()

    assert app.seen == ["http.request", "one was taken", "http.disconnect"]


async def test_closing_the_response_tells_the_application() -> None:
    heard: list[str] = []

    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        heard.append((await receive())["type"])
        await send(body(b"nobody takes this"))

    transport = StreamingTransport(app)
    async with client_of(transport) as http:
        async with http.stream("GET", "/"):
            pass
        await transport.wait_idle()

    assert heard == ["http.disconnect"]
    assert transport.errors == []


async def test_leaving_the_transport_disconnects_every_reader() -> None:
    heard: list[str] = []

    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        heard.append((await receive())["type"])

    async with client_of(StreamingTransport(app)) as http:
        await http.send(http.build_request("GET", "/"), stream=True)

    assert heard == ["http.disconnect"]


async def test_an_error_before_the_head_is_raised_to_the_caller() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise KeyError("before the head")

    async with client_of(StreamingTransport(app)) as http:
        with pytest.raises(KeyError, match="before the head"):
            await http.get("/")


async def test_an_error_after_the_head_breaks_the_body_off() -> None:
    failure = KeyError("after the head")

    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"one"))
        raise failure

    transport = StreamingTransport(app)
    pieces: list[bytes] = []
    async with client_of(transport) as http, http.stream("GET", "/") as response:
        with pytest.raises(httpx2.RemoteProtocolError, match="cut off"):
            pieces.extend([piece async for piece in response.aiter_raw()])

    assert transport.errors == [failure]


async def test_an_application_that_ends_too_early_breaks_the_body_off() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"one"))

    async with client_of(StreamingTransport(app)) as http:
        with pytest.raises(httpx2.RemoteProtocolError, match="cut off"):
            await http.get("/")


async def test_an_application_that_never_answers_is_an_error() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        return

    async with client_of(StreamingTransport(app)) as http:
        with pytest.raises(httpx2.RemoteProtocolError, match="before its response"):
            await http.get("/")


async def test_a_piece_whose_send_was_cancelled_still_arrives() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            async with asyncio.timeout(0):
                await send(body(b"one"))
        except TimeoutError:
            await send(body(b"two", more=False))

    async with client_of(StreamingTransport(app)) as http:
        response = await http.get("/")

    assert response.content in {b"onetwo", b"two"}  # cancelled before or after it was handed over


async def test_the_scope_says_who_asks_and_where_the_application_is_mounted() -> None:
    scopes: list[Message] = []

    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send(START)
        await send(body(b"", more=False))

    transport = StreamingTransport(
        app, client=("10.0.0.9", 1234), server=("example.com", 443), root_path="/api"
    )
    async with client_of(transport) as http:
        await http.get("/a%20b?q=1", headers={"X-Word": "w"})

    (scope,) = scopes
    assert (scope["client"], scope["server"]) == (("10.0.0.9", 1234), ("example.com", 443))
    assert (scope["root_path"], scope["path"]) == ("/api", "/api/a b")
    assert (scope["raw_path"], scope["query_string"]) == (b"/api/a%20b", b"q=1")
    assert (b"x-word", b"w") in scope["headers"]


async def test_a_request_body_arrives_in_pieces_while_the_response_is_under_way() -> None:
    taken = asyncio.Event()

    @without_lifespan
    async def echo(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        while (message := await receive())["more_body"]:
            await send(body(message["body"]))
        await send(body(b"", more=False))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await taken.wait()
        yield b"two"

    async with (
        client_of(StreamingTransport(echo)) as http,
        http.stream("POST", "/", content=pieces()) as response,
    ):
        answer = response.aiter_raw()
        first = await anext(answer)
        taken.set()
        rest = [piece async for piece in answer]

    assert (first, rest) == (b"one", [b"two"])


async def test_an_application_that_ignores_the_disconnect_is_cancelled_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yieldwire.testing.transport.GRACE", 0)
    ended: list[str] = []

    @without_lifespan
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with client_of(StreamingTransport(app)) as http:
        await http.send(http.build_request("GET", "/"), stream=True)

    assert ended == ["cancelled"]


class WithLifespan:
    def __init__(self, *, fails: str | None = None) -> None:
        self.steps: list[str] = []
        self._fails = fails

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for step in ("lifespan.startup", "lifespan.shutdown"):
            assert (await receive())["type"] == step
            self.steps.append(step)
            if self._fails == step:
                await send({"type": f"{step}.failed", "message": "no database"})
                return
            await send({"type": f"{step}.complete"})


async def test_the_lifespan_goes_with_the_transport() -> None:
    app = WithLifespan()

    async with StreamingTransport(app):
        assert app.steps == ["lifespan.startup"]

    assert app.steps == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_a_lifespan_that_fails_is_said_to_have_failed(step: str) -> None:
    app = WithLifespan(fails=f"lifespan.{step}")

    with pytest.raises(RuntimeError, match=f"{step} failed: no database"):
        async with StreamingTransport(app):
            pass


async def test_a_transport_that_was_not_entered_says_so() -> None:
    http = client_of(StreamingTransport(Log()))

    with pytest.raises(RuntimeError, match="async with"):
        await http.get("/")


async def test_a_head_request_has_no_body() -> None:
    app = Log()
    app.go.set()
    async with client_of(StreamingTransport(app)) as http:
        response = await http.head("/")

    assert response.content == b""
