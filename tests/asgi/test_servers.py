"""Which methods are a server's own, with nothing around them."""

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import MethodType
from typing import Any

import h11
import pytest
import wrapt
from starlette.types import Send
from uvicorn.protocols.http import h11_impl, httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.websockets import websockets_sansio_impl, wsproto_impl

from tests.support.calls import Message, get, post
from tests.support.runs import SOON
from yieldwire import Actions
from yieldwire.asgi.servers import (
    chunked_transport_of,
    is_servers_own,
    is_servers_own_socket,
    receives_on_futures,
    send_together,
    write_chunk,
)
from yieldwire.clock import Timing
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.log.events import Block
from yieldwire.testing.contract.harness import chunks


class Wrapper:
    """Has a method of the name, next to the server's own."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        await self._send(message)


def in_a_closure(send: Send) -> Send:
    @functools.wraps(send)
    async def wrapped(message: Message) -> None:
        await send(message)

    return wrapped


def in_a_bound_closure(send: Send) -> Send:
    @functools.wraps(send)
    async def wrapped(cycle: object, message: Message) -> None:
        await send(message)

    return MethodType(wrapped, send.__self__)  # type: ignore[attr-defined]


async def pass_on(send: Send, _: object, args: tuple[Message], named: dict[str, Any]) -> None:
    await send(*args, **named)


WRAPPERS: list[Callable[[Any], Any]] = [
    in_a_closure,
    in_a_bound_closure,
    functools.partial,
    lambda send: Wrapper(send).send,
    lambda send: wrapt.FunctionWrapper(send, pass_on),
    lambda send: wrapt.FunctionWrapper(send.__func__, pass_on).__get__(send.__self__),
    wrapt.ObjectProxy,
    wrapt.CallableObjectProxy,
    lambda send: MethodType(wrapt.CallableObjectProxy(send.__func__), send.__self__),
]


def uvicorns_sends() -> list[Any]:
    h11, httptools = h11_impl.RequestResponseCycle, httptools_impl.RequestResponseCycle
    return [h11.__new__(h11).send, httptools.__new__(httptools).send]


def uvicorns_receives() -> list[Any]:
    h11, httptools = h11_impl.RequestResponseCycle, httptools_impl.RequestResponseCycle
    return [h11.__new__(h11).receive, httptools.__new__(httptools).receive]


def test_the_methods_of_uvicorn_itself_are_known() -> None:
    assert [is_servers_own(send) for send in uvicorns_sends()] == [True, True]
    assert [receives_on_futures(receive) for receive in uvicorns_receives()] == [True, True]


def test_one_method_is_not_taken_for_the_other() -> None:
    assert not any(is_servers_own(receive) for receive in uvicorns_receives())
    assert not any(receives_on_futures(send) for send in uvicorns_sends())


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_what_is_around_a_method_of_uvicorn_is_not_taken_for_it(
    wrap: Callable[[Send], Send],
) -> None:
    assert [is_servers_own(wrap(send)) for send in uvicorns_sends()] == [False, False]
    wrapped = [wrap(receive) for receive in uvicorns_receives()]
    assert [receives_on_futures(receive) for receive in wrapped] == [False, False]


@pytest.mark.parametrize("other", [None, print, [].append, len, Wrapper])
def test_what_is_not_a_servers_method_is_not_treated_as_one(other: object) -> None:
    assert not is_servers_own(other)
    assert not receives_on_futures(other)


class Pipe(asyncio.Transport):
    """Keeps what is written, as a connection whose client does not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.writes, self.size, self.is_closed = b"", 0, 0, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written += data
        self.writes += 1

    def get_write_buffer_size(self) -> int:
        return self.size

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def of_both(pipe: Pipe, on_response: Callable[[], object]) -> dict[str, Any]:
    """Return what uvicorn gives a response on a connection, with either parser."""
    logger = logging.getLogger("uvicorn")
    return {
        "scope": get("/").scope(),
        "transport": pipe,
        "flow": FlowControl(pipe),
        "logger": logger,
        "access_logger": logger,
        "access_log": False,
        "default_headers": [],
        "message_event": asyncio.Event(),
        "on_response": on_response,
    }


def httptools_cycle(
    pipe: Pipe, *, keep_alive: bool = True, on_response: Callable[[], object] = lambda: None
) -> Any:  # noqa: ANN401 - of uvicorn
    """Return a response of uvicorn on a connection, with its faster parser."""
    given = of_both(pipe, on_response)
    return httptools_impl.RequestResponseCycle(
        **given, expect_100_continue=False, keep_alive=keep_alive
    )


def h11_cycle(
    pipe: Pipe, *, keep_alive: bool = True, on_response: Callable[[], object] = lambda: None
) -> Any:  # noqa: ANN401 - as above
    """Return the same with h11."""
    connection = h11.Connection(h11.SERVER)
    close = b"" if keep_alive else b"connection: close\r\n"
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n" + close + b"\r\n")
    while type(connection.next_event()) is not h11.EndOfMessage:
        pass
    return h11_impl.RequestResponseCycle(**of_both(pipe, on_response), conn=connection)


async def begun(headers: Sequence[tuple[bytes, bytes]] = ()) -> tuple[Any, Pipe]:
    """Return the `send` of a response of uvicorn whose head was sent, and its connection."""
    pipe = Pipe()
    cycle = httptools_cycle(pipe)
    await cycle.send({"type": "http.response.start", "status": 200, "headers": headers})
    pipe.written = b""
    return cycle.send, pipe


@pytest.mark.parametrize("size", [1, 15, 16, 100, 70_000])
async def test_a_piece_is_written_to_the_connection_as_uvicorn_sends_it(size: int) -> None:
    (send, sent), (other, written) = await begun(), await begun()
    transport = chunked_transport_of(other)
    assert transport is not None

    await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})

    assert write_chunk(transport, chunks("r1", 1, 1), lambda _: b"x" * size)
    assert written.written == sent.written


async def test_a_connection_that_is_closed_or_full_is_not_written_to() -> None:
    send, pipe = await begun()
    transport = chunked_transport_of(send)
    assert transport is not None

    pipe.size = 100_000
    assert not write_chunk(transport, chunks("r1", 1, 1), SSEEncoder.encode)
    pipe.size, pipe.is_closed = 0, True
    assert not write_chunk(transport, chunks("r1", 1, 1), SSEEncoder.encode)
    assert pipe.written == b""


async def test_a_block_is_encoded_once_for_connections_of_one_format() -> None:
    (one, first), (two, second), (three, third) = await begun(), await begun(), await begun()
    blocks, encoded = [chunks("r1", seq, 1) for seq in (1, 2)], list[int]()

    def encode(block: Block) -> bytes:
        encoded.append(block.first)
        return b"%d" % block.first

    for block in blocks:
        for send, format_of in ((one, encode), (two, encode), (three, SSEEncoder.encode)):
            transport = chunked_transport_of(send)
            assert transport is not None
            assert write_chunk(transport, block, format_of)

    assert encoded == [1, 2]
    assert first.written == second.written == b"1\r\n1\r\n1\r\n2\r\n"
    assert third.written.count(b"data: ") == 2


async def test_a_block_of_which_a_format_says_nothing_does_not_end_the_body() -> None:
    send, pipe = await begun()
    transport = chunked_transport_of(send)
    assert transport is not None

    assert write_chunk(transport, chunks("r1", 1, 1), lambda _: b"")
    assert pipe.written == b""


async def test_only_uvicorns_chunks_are_written_to_a_connection() -> None:
    whole, _ = await begun([(b"content-length", b"5")])
    chunked, _ = await begun()

    assert chunked_transport_of(whole) is None
    assert not any(map(chunked_transport_of, uvicorns_sends()))
    assert not any(chunked_transport_of(wrap(chunked)) for wrap in WRAPPERS)


def head_of(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body_of(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


LENGTH = (b"content-length", b"5")
CYCLES = [httptools_cycle, h11_cycle]
ANSWERS = [
    (head_of(LENGTH), body_of(b"whole")),
    (head_of(LENGTH), body_of(b"par", more=True)),
    (head_of(), body_of(b"x" * 70_000)),
    (head_of(), body_of(b"first", more=True)),
    (head_of(), body_of(b"")),
    (head_of(), body_of(b"", more=True)),
    (head_of(status=204), body_of(b"")),
]


@pytest.mark.parametrize("cycle", CYCLES)
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("answer", range(len(ANSWERS)))
async def test_a_head_and_a_body_that_are_sent_together_are_the_bytes_of_both(
    cycle: Callable[..., Any], answer: int, *, keep_alive: bool
) -> None:
    (apart, together), (head, body) = (Pipe(), Pipe()), ANSWERS[answer]
    one, other = (cycle(pipe, keep_alive=keep_alive) for pipe in (apart, together))

    await one.send(head)
    await one.send(body)
    await send_together(other.send, head, body)

    assert together.written == apart.written
    assert together.is_closed == apart.is_closed
    assert other.transport is together


@pytest.mark.parametrize("cycle", CYCLES)
async def test_a_short_answer_of_a_known_length_is_one_write(cycle: Callable[..., Any]) -> None:
    pipe, written = Pipe(), list[bytes]()
    response = cycle(pipe, on_response=lambda: written.append(pipe.written))

    await send_together(response.send, *ANSWERS[0])

    # h11 writes the end of the message as well, of which there are no bytes.
    assert pipe.writes == (1 if cycle is httptools_cycle else 2)
    # The next request of the connection is answered from here on.
    assert written == [pipe.written]
    assert pipe.written.endswith(b"\r\n\r\nwhole")


async def test_a_stream_that_is_over_is_one_write() -> None:
    pipe = Pipe()

    await send_together(httptools_cycle(pipe).send, head_of(), body_of(b"events"))

    assert pipe.writes == 1
    assert pipe.written.endswith(b"\r\n\r\n6\r\nevents\r\n0\r\n\r\n")


async def test_a_stream_that_waits_for_its_first_event_has_begun_with_one_write() -> None:
    actions = Actions(timing=Timing(head_wait=0.0))

    @actions.action
    async def wait() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 1

    call, pipe = post("/wait", headers=[("accept", SSEEncoder.media_type)]), Pipe()
    body = [{"type": "http.request", "body": call.body[0], "more_body": False}]

    async def receive() -> Message:
        if not body:
            await asyncio.Event().wait()
        return body.pop()

    async with actions.lifespan(), asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        send = httptools_cycle(pipe).send
        answering = group.create_task(actions(call.scope(), receive, send))
        while not pipe.writes:  # noqa: ASYNC110 - of the server's
            await asyncio.sleep(0)
        written, writes = pipe.written, pipe.writes
        answering.cancel()

    assert writes == 1
    assert written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"event: run\n" in written


@pytest.mark.parametrize("wrap", [wrap for wrap in WRAPPERS if wrap is not wrapt.ObjectProxy])
async def test_behind_middleware_a_head_and_a_body_are_two_messages(
    wrap: Callable[[Any], Any],
) -> None:
    pipe = Pipe()

    await send_together(wrap(httptools_cycle(pipe).send), *ANSWERS[0])

    assert pipe.writes == 2


@pytest.mark.parametrize("cycle", CYCLES)
async def test_a_head_whose_body_cannot_be_sent_is_written(cycle: Callable[..., Any]) -> None:
    pipe = Pipe()
    response = cycle(pipe)

    with pytest.raises(Exception, match=r"(?i)content|declared|length"):
        await send_together(response.send, head_of(LENGTH), body_of(b"too long"))

    assert pipe.written.startswith(b"HTTP/1.1 200 ")
    assert pipe.written.endswith(b"\r\n\r\n")
    assert response.transport is pipe


async def test_a_client_that_leaves_while_the_body_waits_is_sent_nothing() -> None:
    pipe = Pipe()
    response = httptools_cycle(pipe)

    def headers() -> Iterator[tuple[bytes, bytes]]:
        yield LENGTH
        response.flow.pause_writing()  # so the head is taken, and the body waits

    head = {**head_of(), "headers": headers()}
    async with asyncio.TaskGroup() as group:
        group.create_task(send_together(response.send, head, body_of(b"whole")))
        await asyncio.sleep(0)
        assert response.response_started
        pipe.is_closed = response.disconnected = True
        response.flow.resume_writing()

    assert pipe.written == b""
    assert response.transport is pipe


SOCKETS = [
    websockets_sansio_impl.WebSocketsSansIOProtocol,
    wsproto_impl.WSProtocol,
]


@pytest.mark.parametrize("protocol", SOCKETS)
def test_the_send_of_uvicorns_sockets_is_known(protocol: Any) -> None:  # noqa: ANN401 - of uvicorn
    send = protocol.__new__(protocol).send

    assert is_servers_own_socket(send)
    assert not is_servers_own(send)


@pytest.mark.parametrize("protocol", SOCKETS)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_what_is_around_it_is_not_taken_for_it(wrap: Callable[[Any], Any], protocol: Any) -> None:  # noqa: ANN401 - as above
    assert not is_servers_own_socket(wrap(protocol.__new__(protocol).send))
