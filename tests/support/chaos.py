"""A TCP proxy that breaks connections, each as its script says.

What a connection suffers is a `Fault`, chosen by the connection's number, so that a test
repeats itself exactly. Faults of one connection add up: it can be slow, in tiny pieces and
cut.
"""

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, Self

_READ: Final = 64 * 1024
_LINGER: Final = struct.pack("ii", 1, 0)
"""A close that follows sends a reset, and nothing that is still in the buffer."""


class Cut(StrEnum):
    """How a connection ends before its time."""

    RESET = "reset"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one connection. Bytes are counted from the response's first.

    Attributes:
        refuses: It is reset before anything was sent either way.
        cut_after: It is cut when that many bytes of the response were passed on; at 0 the
            server has done its work and the whole response is lost.
        cut_in_frame: It is cut inside the frame of that number, from 1.
        cut: How it is cut.
        freezes_after: After that many bytes nothing more comes, and nobody says so.
        delay: Seconds before the response's first byte is passed on.
        piece: The response is passed on in writes of that many bytes.
        repeats_request: The server gets the request twice, on two connections.
    """

    refuses: bool = False
    cut_after: int | None = None
    cut_in_frame: int | None = None
    cut: Cut = Cut.RESET
    freezes_after: int | None = None
    delay: float = 0.0
    piece: int | None = None
    repeats_request: bool = False


HEALTHY: Final = Fault()

Script = Callable[[int], Fault]
"""What the connection of a number, from 0, suffers."""


def script_of(*faults: Fault) -> Script:
    """Return the script of these faults, one a connection, and of health after them."""
    return lambda number: faults[number] if number < len(faults) else HEALTHY


def random_script(seed: str, *, connections: int, size: int) -> Script:
    """Return the script that belongs to ``seed``: a number of faults, then health.

    ``size`` is about how many bytes the response has.
    """
    random = Random(seed)  # noqa: S311 - repeatable, and no secret
    return script_of(*(random_fault(random, size) for _ in range(connections)))


def random_fault(random: Random, size: int) -> Fault:
    """Draw one fault that ends or silences its connection, and perhaps slows it too."""
    place = random.randrange(size)
    kind = random.choice(["refuse", "lose", "cut", "cut", "cut", "frame", "frame", "freeze"])
    return Fault(
        refuses=kind == "refuse",
        cut_after={"lose": 0, "cut": place}.get(kind),
        cut_in_frame=random.randint(1, 12) if kind == "frame" else None,
        cut=random.choice(list(Cut)),
        freezes_after=place if kind == "freeze" else None,
        delay=random.choice([0.0, 0.0, 0.02]),
        piece=random.choice([None, None, 1, 7, 64]),
        repeats_request=random.random() < 0.2,
    )


class ChaosProxy:
    """Passes connections on to a port of this machine, as far as the script lets it.

    Example:
        async with ChaosProxy(server.port, script_of(Fault(cut_after=500))) as proxy:
            ...  # the first connection to proxy.port is reset after 500 bytes
    """

    def __init__(self, target: int, script: Script) -> None:
        self._target, self._script = target, script
        self._handlers: set[asyncio.Task[object]] = set()
        self._writers: set[StreamWriter] = set()
        self._is_closing = False
        self.connections = 0
        self.swallows = False
        """Whether answers no longer reach the client, and nobody says so. A connection on which
        this has happened stays dead."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        self._server.close()
        self.drop_all()
        if self._handlers:
            await asyncio.wait(self._handlers)
        await self._server.wait_closed()

    def drop_all(self) -> None:
        """Reset every connection that is open."""
        for writer in list(self._writers):
            reset(writer)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        # No coroutine: of a connection that comes with the close, none would get to its first step.
        if self._is_closing:
            reset(writer)
            return
        task = asyncio.create_task(self._serve(reader, writer))  # noqa: TID251 - kept below
        self._handlers.add(task)
        self._writers.add(writer)
        task.add_done_callback(self._handlers.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        fault = self._script(self.connections)
        self.connections += 1
        try:
            if fault.refuses or await self._pass_on(reader, writer, fault):
                end(writer, fault.cut)
            else:
                writer.close()
        except* OSError:
            reset(writer)
        finally:
            if not writer.is_closing():
                reset(writer)
            self._writers.discard(writer)

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter, fault: Fault) -> bool:
        """Pass a connection on, and return whether it must be cut."""
        async with contextlib.AsyncExitStack() as stack:
            streams = [await self._connect(stack) for _ in range(1 + fault.repeats_request)]
            async with asyncio.TaskGroup() as group:
                up = group.create_task(send_up(reader, [upstream for _, upstream in streams]))
                rest = [group.create_task(read_away(answer)) for answer, _ in streams[1:]]
                down = group.create_task(Downstream(writer, fault, self).pump(streams[0][0]))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                for task in (up, down, *rest):
                    task.cancel()
            return not down.cancelled() and down.result()

    async def _connect(self, stack: contextlib.AsyncExitStack) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        stack.callback(abort, writer)  # which keeps it until then
        return reader, writer


class Downstream:
    """The way of one response through its fault."""

    def __init__(self, writer: StreamWriter, fault: Fault, proxy: ChaosProxy) -> None:
        self._writer, self._fault, self._proxy = writer, fault, proxy
        self._sent = 0
        self._end = fault.cut_after
        self._seen = b""

    async def pump(self, answer: StreamReader) -> bool:
        """Pass the response on until it ends, or must be cut: then the answer is true."""
        fault = self._fault
        data = await answer.read(_READ)
        await asyncio.sleep(fault.delay)
        while data:
            if self._proxy.swallows:
                await asyncio.Event().wait()  # until the client gives up
            self._look_for_frame(data)
            if fault.freezes_after is not None:
                data = data[: max(0, fault.freezes_after - self._sent)]
            if self._end is not None and self._sent + len(data) >= self._end:
                await self._write(data[: max(0, self._end - self._sent)])
                return True
            await self._write(data)
            data = await answer.read(_READ)
            if fault.freezes_after is not None and self._sent >= fault.freezes_after:
                await asyncio.Event().wait()  # until the client gives up
        return False

    def _look_for_frame(self, data: bytes) -> None:
        wanted = self._fault.cut_in_frame
        if wanted is None or self._end is not None:
            return
        self._seen += data
        # The head ends with an empty line too, CR LF CR LF; a frame ends with LF LF.
        ends = self._seen.split(b"\n\n", wanted)
        if len(ends) > wanted:
            self._end = len(self._seen) - len(ends[-1]) - 3

    async def _write(self, data: bytes) -> None:
        step = self._fault.piece or len(data) or 1
        for start in range(0, len(data), step):
            self._writer.write(data[start : start + step])
            await self._writer.drain()
            await asyncio.sleep(0)
        self._sent += len(data)


async def send_up(reader: StreamReader, writers: list[StreamWriter]) -> None:
    """Pass a request on to each server; return when the client has gone."""
    while data := await reader.read(_READ):
        for writer in writers:
            writer.write(data)
            await writer.drain()


async def read_away(answer: StreamReader) -> None:
    """Read what nobody is told."""
    with contextlib.suppress(OSError):
        while await answer.read(_READ):
            pass


def end(writer: StreamWriter, cut: Cut) -> None:
    """End a connection in this way."""
    if cut is Cut.RESET:
        reset(writer)
    else:
        writer.close()


def abort(writer: StreamWriter) -> None:
    """Close a connection at once, with what was not sent."""
    writer.transport.abort()


def reset(writer: StreamWriter) -> None:
    """Reset a connection, as a crashed machine or a firewall does."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()
