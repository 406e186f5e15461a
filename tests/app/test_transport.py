"""A transport that nobody has: frames over a bare TCP socket, and nothing else edited.

A frame is its length in four bytes and JSON. A client sends one that starts or follows a run, and
reads a frame for each event, up to the terminal one, or one with an error.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from tests.support.runs import SOON, opened
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import CallError, Forbidden
from yieldwire.log.run import RunRecord
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest

HEAD = 4
Frame = dict[str, Any]


class Frames:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def peer(self) -> str:
        return str(self._writer.get_extra_info("peername")[0])

    async def read(self) -> Frame:
        size = int.from_bytes(await self._reader.readexactly(HEAD), "big")
        value: Frame = from_json(await self._reader.readexactly(size))
        return value

    async def write(self, frame: Frame) -> None:
        body = to_json(frame)
        self._writer.write(len(body).to_bytes(HEAD, "big") + body)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class TCP:
    """The application over bare sockets."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames(reader, writer)
        try:
            await self._answer(frames, await frames.read())
        except CallError as exc:
            await frames.write({"error": exc.error_object().to_dict()})
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, frames: Frames, asked: Frame) -> None:
        caller = Caller(owner=asked.get("owner"), address=frames.peer)
        if "follow" in asked:
            run = await self._app.get(asked["follow"], caller)
        else:
            run = await self._begin(frames, asked, caller)
        await frames.write({"run": run.id})
        await self._follow(frames, run, asked.get("after", 0))

    async def _begin(self, frames: Frames, asked: Frame, caller: Caller) -> RunRecord:
        async def read() -> object:
            await frames.write({"send": "input"})
            return await frames.read()

        request = StartRequest(
            action=self._app.registry.action_named(asked["start"]),
            caller=caller,
            facts=RequestFacts(method="TCP", client=frames.peer),
            read=read,
            key=asked.get("key"),
        )
        return await self._app.begin(request)

    async def _follow(self, frames: Frames, run: RunRecord, after: int) -> None:
        async with self._app.reader(run.id) as reader:
            async for page in reader.pages(after, tick=SOON):
                for block in page:
                    for event in block.events():
                        await frames.write({"seq": event.seq, event.type: event.value})


async def no_strangers(ctx: Context) -> None:
    if ctx.owner is None:
        raise Forbidden("Strangers cannot count.")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = App(guards=[no_strangers], timing=Timing(grace=0, sweep_every=SOON))

    @app.action
    async def count(to: int, ctx: Context) -> AsyncIterator[str]:
        for n in range(1, to + 1):
            yield f"{ctx.request.method} {n}"

    @app.action
    async def wait(to: int) -> AsyncIterator[int]:
        yield to
        await asyncio.Event().wait()

    async with opened(app):
        server = await asyncio.start_server(TCP(app).answer, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def connected(port: int) -> AsyncGenerator[Frames, None]:
    frames = Frames(*await asyncio.open_connection("127.0.0.1", port))
    try:
        async with asyncio.timeout(SOON):
            yield frames
    finally:
        await frames.close()


async def start(frames: Frames, name: str, data: Frame, **more: str) -> list[Frame]:
    """Start a run, and return what came up to its id."""
    await frames.write({"start": name, "owner": "ada", **more})
    first = await frames.read()
    if "send" not in first:
        return [first]
    await frames.write(data)
    return [first, await frames.read()]


async def rest(frames: Frames) -> list[Frame]:
    heard = list[Frame]()
    while not heard or "done" not in heard[-1]:
        heard.append(await frames.read())
    return heard


async def test_a_run_is_started_and_followed_over_a_socket(port: int) -> None:
    async with connected(port) as frames:
        await start(frames, "count", {"to": 2})
        heard = await rest(frames)

    assert heard == [
        {"seq": 1, "chunk": "TCP 1"},
        {"seq": 2, "chunk": "TCP 2"},
        {"seq": 3, "done": {}},
    ]


async def test_a_caller_refused_by_a_guard_sends_no_input(port: int) -> None:
    async with connected(port) as frames:
        await frames.write({"start": "count"})
        heard = await frames.read()

    assert heard["error"]["code"] == "FORBIDDEN"


async def test_an_input_that_does_not_fit_is_refused_before_there_is_a_run(port: int) -> None:
    async with connected(port) as frames:
        _, heard = await start(frames, "count", {"to": "many"})

    assert heard["error"]["code"] == "VALIDATION_ERROR"
    assert list(heard["error"]["fieldErrors"]) == ["to"]


async def test_a_run_goes_on_when_the_socket_closes_and_is_resumed_over_another(port: int) -> None:
    async with connected(port) as frames:
        _, begun = await start(frames, "wait", {"to": 7})
        first = await frames.read()
    async with connected(port) as frames:
        await frames.write({"follow": begun["run"], "owner": "ada"})
        again = [await frames.read(), await frames.read()]

    assert again == [begun, first]


async def test_a_run_of_another_owner_is_refused(port: int) -> None:
    async with connected(port) as frames:
        _, begun = await start(frames, "wait", {"to": 7})
    async with connected(port) as frames:
        await frames.write({"follow": begun["run"], "owner": "bob"})
        heard = await frames.read()

    assert heard["error"]["code"] == "FORBIDDEN"


async def test_a_start_with_the_same_key_is_the_same_run(port: int) -> None:
    heard = list[Frame]()
    for _ in range(2):
        async with connected(port) as frames:
            heard.append((await start(frames, "count", {"to": 1}, key="once"))[-1])

    assert heard[0] == heard[1]
