"""What is counted and measured: an application, and requests made to it in this process.

A request costs next to nothing here, so that what is counted is the path from an action's
`yield` to the application's `send` and no client's work.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from types import MethodType
from typing import Any, Final

from tests.support.calls import Call, Message, uvicorns_own, uvicorns_own_socket
from tests.support.sockets import scope_of
from yieldwire import Actions, Timing
from yieldwire.clock import Clock
from yieldwire.stores import RunStore

SSE: Final = ("accept", "text/event-stream")
NDJSON: Final = ("accept", "application/x-ndjson")
TEXT: Final = ("accept", "text/plain")

STILL: Final = Timing(grace=0.0, sweep_every=3600.0)
"""Nothing happens by itself while something is counted."""


def site(store: RunStore, clock: Clock, *functions: Callable[..., object]) -> Actions:
    """Return a new application with these actions."""
    actions = Actions(store=store, clock=clock, timing=STILL, max_runs=None)
    for function in functions:
        actions.action(function)
    return actions


@dataclass(slots=True)
class Listener:
    """One request, and what the application sent in answer to it."""

    call: Call
    sends: int = 0
    size: int = 0
    bodies: list[bytes] | None = None
    """The pieces of the body, where they are kept."""
    head: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    over: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def listen(self, app: Actions) -> None:
        """Make the request, and return at the end of its answer."""
        requests = [{"type": "http.request", "body": b"".join(self.call.body), "more_body": False}]

        async def receive() -> Message:
            return requests.pop() if requests else await self.over

        await app(self.call.scope(), receive, self.send)

    async def _take(self, message: Message) -> None:
        self.sends += 1
        if message["type"] == "http.response.start":
            self.head.set_result(message)
            return
        body: bytes = message["body"]
        self.size += len(body)
        if self.bodies is not None and body:
            self.bodies.append(body)
        if not message["more_body"] and not self.over.done():
            self.over.set_result({"type": "http.disconnect"})

    send = uvicorns_own(_take)  # counted is what a server without middleware sees


async def run_id(listener: Listener) -> str:
    """Return the id of the run that an answer follows, once the answer has begun."""
    headers: dict[bytes, bytes] = dict((await listener.head)["headers"])
    return headers[b"run-id"].decode()


def start(action: str, n: int, **settings: Any) -> Listener:  # noqa: ANN401 - a Listener's own
    """Return the request that runs an action over ``n`` events and streams them."""
    fields = [("content-type", "application/json"), SSE]
    body = [b'{"n":%d}' % n]
    return Listener(Call(method="POST", target=f"/{action}", headers=fields, body=body), **settings)


def follow(run_id: str, accept: tuple[str, str]) -> Listener:
    """Return the request that follows a run in a format, and keeps what comes."""
    call = Call(method="GET", target=f"/runs/{run_id}/events", headers=[accept])
    return Listener(call, bodies=[])


@asynccontextmanager
async def socket(app: Actions) -> AsyncGenerator[Callable[[str, int], Awaitable[None]]]:
    """Open a WebSocket, and give what runs an action over ``n`` events to its end."""
    said: asyncio.Queue[Message] = asyncio.Queue()
    said.put_nowait({"type": "websocket.connect"})
    numbers = count(1)
    over: list[asyncio.Future[None]] = []

    async def send(_: object, message: Message) -> None:
        if '"end":true' in message.get("text", "").partition("\n")[0]:
            over.pop().set_result(None)

    async def listen(action: str, n: int) -> None:
        head = f'{{"id":{next(numbers)},"method":"POST","path":"/{action}","credit":1000000000}}'
        over.append(asyncio.get_running_loop().create_future())
        said.put_nowait({"type": "websocket.receive", "text": f'{head}\n{{"n":{n}}}'})
        await over[-1]

    async with asyncio.TaskGroup() as group:
        own = MethodType(uvicorns_own_socket(send), app)
        group.create_task(_call(app, said.get, own))
        yield listen
        said.put_nowait({"type": "websocket.disconnect", "code": 1001})


async def _call(
    app: Actions,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    await app(scope_of(), receive, send)
