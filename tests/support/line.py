"""A TCP proxy between a process and its store, which can fall silent, be cut and be slow."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from typing import Final, Self

from tests.support.chaos import reset

_READ: Final = 64 * 1024


class Line:
    """Passes connections on to a port of this machine, bytes untouched and in order.

    Attributes:
        target: The port, which can change for later connections.
        delay: Seconds that every piece takes, in either direction.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._handlers: set[asyncio.Task[object]] = set()
        self._writers: set[StreamWriter] = set()
        self.delay = 0.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    def freeze(self) -> None:
        """Pass nothing on, and say so to nobody, until `thaw`."""
        self._flows.clear()

    def thaw(self) -> None:
        """Pass on what has come since `freeze`, and what follows."""
        self._flows.set()

    def cut(self) -> None:
        """Reset every connection that is open."""
        for writer in list(self._writers):
            reset(writer)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            pass  # the line is closed
        finally:
            reset(writer)
            self._writers.discard(writer)
            self._handlers.discard(task)

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Return when one of the two has left."""
        answer, upstream = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(upstream)
        try:
            async with asyncio.TaskGroup() as group:
                pumps = [
                    group.create_task(self._pump(reader, upstream)),
                    group.create_task(self._pump(answer, writer)),
                ]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
        finally:
            reset(upstream)
            self._writers.discard(upstream)

    async def _pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ):
                await self._flows.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
