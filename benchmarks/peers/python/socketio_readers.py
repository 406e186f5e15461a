"""Readers of the Socket.IO servers: a load client that speaks Socket.IO over WebSocket.

It takes the options of `load.c` that these need, and says what `load.c` says: a line when all
are connected, one for each `mark`, one at the end. The body of every request but the feed's is
emitted as `work`. It asks for no compression, which a browser
would, because the server would pay for that with every event.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop
from websockets.asyncio.client import ClientConnection, connect


class Readers:
    def __init__(self, url: str, connections: int, work: str) -> None:
        self.url, self.connections, self.work = url, connections, work
        self.ages: list[int] = []
        self.events = self.open = self.errors = 0
        self.error = ""
        self.began = time.monotonic_ns()

    def say(self, state: str, why: str = "") -> None:
        now = time.monotonic_ns()
        said = {
            "state": state,
            "why": why,
            "ns": now,
            "elapsed": (now - self.began) / 1e9,
            "events": self.events,
            "open": self.open,
            "errors": self.errors,
            "error": self.error,
            "stamp": self.stamp(),
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    def stamp(self) -> dict[str, float]:
        ages, self.ages = sorted(self.ages), []
        parts = {"p50_us": 50, "p99_us": 99} if ages else {}
        return {name: ages[len(ages) * part // 100] / 1000 for name, part in parts.items()}

    async def read(self) -> None:
        try:
            async with connect(self.url, compression=None) as socket:
                await self.follow(socket)
        except (OSError, ValueError) as exc:
            self.errors += 1
            self.error = repr(exc)

    async def follow(self, socket: ClientConnection) -> None:
        seen = 0
        async for message in socket:
            text = str(message)
            if text.startswith("0"):  # Engine.IO is open: join the namespace
                await socket.send("40")
            elif text.startswith("40"):
                if self.work:
                    await socket.send(f'42["work",{self.work}]')
                self.open += 1
                if self.open == self.connections:
                    self.say("open")
            elif text == "2":  # a ping
                await socket.send("3")
            elif text == f'42["token",{{"text":"token {seen} "}}]':
                seen += 1
                self.events += 1
            elif self.work and text.startswith('42["token",'):
                self.ages.append(time.monotonic_ns() - json.loads(text[2:])[1]["ns"])
                self.events += 1
            else:
                raise ValueError(text)
        self.open -= 1

    async def obey(self) -> None:
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while (line := await lines.readline()) not in (b"", b"stop\n"):
            if line == b"mark\n":
                self.say("mark")

    async def run(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self.read()) for _ in range(self.connections)]
            try:
                async with asyncio.timeout(seconds):
                    await self.obey()
                self.say("end", "stopped")
            except TimeoutError:
                self.say("end", "timeout")
            for reader in readers:
                reader.cancel()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--request", type=Path, required=True)
    asked, _ = parser.parse_known_args()
    head, _, body = asked.request.read_text("ascii").partition("\r\n\r\n")
    work = "" if " /feed " in head else body or "{}"
    url = f"ws://127.0.0.1:{asked.port}/socket.io/?EIO=4&transport=websocket"
    uvloop.run(Readers(url, asked.connections, work).run(asked.timeout))


if __name__ == "__main__":
    main()
