"""A TCP balancer: each connection goes to the next server in turn that listens."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from typing import Final, Self

_READ: Final = 64 * 1024
_PATIENCE: Final = 5.0
"""Seconds that a connection waits for any server to listen, before it is refused."""
_RETRY: Final = 0.05


class Balancer:
    """Passes connections on, bytes untouched, to one of the ports ``targets``."""

    def __init__(self, targets: Sequence[int]) -> None:
        self._targets = targets
        self._turn = 0
        self._handlers: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError):
                answer, server = await self._connect()
                try:
                    await self._pass_on(reader, writer, answer, server)
                finally:
                    server.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()
            self._handlers.discard(task)

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        async with asyncio.timeout(_PATIENCE):
            while True:
                for _ in range(len(self._targets)):
                    self._turn += 1
                    port = self._targets[self._turn % len(self._targets)]
                    with contextlib.suppress(OSError):
                        return await asyncio.open_connection("127.0.0.1", port)
                await asyncio.sleep(_RETRY)

    async def _pass_on(
        self, reader: StreamReader, writer: StreamWriter, answer: StreamReader, server: StreamWriter
    ) -> None:
        """Return when the answer has ended, or the client has left."""
        async with asyncio.TaskGroup() as group:
            up = group.create_task(_pump(reader, server))
            down = group.create_task(_pump(answer, writer))
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ):
            writer.write(data)
            await writer.drain()
