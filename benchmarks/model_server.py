"""A model server that speaks as OpenAI does: says where it is in one line, ends with its input.

The last message of a request is the number of words. A word says when it leaves:
``token 7 ns=123456 ``, with the time of the monotonic clock.
"""

import asyncio
import json
import socket
import sys
import time
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.local_model import Answer, LocalModel, pace

INTERVAL: Final = 0.05
"""Seconds before each event of a stream."""
_LEAVES: Final = b"@"
"""What the time of leaving replaces."""


def answer(asked: dict[str, Any]) -> Answer:
    """Return as many words as the last message says."""
    words = int(asked["messages"][-1]["content"])
    return Answer(words=[f"token {i} ns={_LEAVES.decode()} " for i in range(words)])


def telling(app: ASGIApp) -> ASGIApp:
    """Let each event say when it leaves."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.body":
                now = b"%d" % time.monotonic_ns()
                message["body"] = message["body"].replace(_LEAVES, now)
            await send(message)

        await app(scope, receive, tell)

    return told


async def main() -> None:
    """Serve until the input ends."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    app = telling(LocalModel(answer=answer, pause=pace(INTERVAL)).app)
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listening]))
        said = {"url": f"http://127.0.0.1:{listening.getsockname()[1]}/v1"}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = server.force_exit = True


if __name__ == "__main__":
    asyncio.run(main())
