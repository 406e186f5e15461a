"""A client tells how much of the files was sent, over HTTP and over a WebSocket."""

from collections.abc import AsyncIterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from tests.client.script import end as ended
from tests.client.script import refusal, stream
from tests.client.script import serve as scripted
from tests.conftest import Serve
from yieldwire import Actions, Context, Progress, Upload
from yieldwire.client import AsyncClient, Client
from yieldwire.client.typed import AsyncCaller, FileLike, TypedCall, action

LARGE = 3_000_000

actions = Actions()


@actions.action
async def measure(files: list[Upload]) -> list[int]:
    return [len(await file.read()) for file in files]


@actions.action(asks=Upload, inbox=Upload)
async def ask(ctx: Context) -> int:
    upload = await ctx.ask(Upload, "Which file?")
    async for message in ctx.inbox(Upload):
        return len(await upload.read()) + len(await message.read())
    raise AssertionError("an inbox does not end")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, size in (("a.bin", LARGE), ("b.bin", 7)):
        tmp_path.joinpath(name).write_bytes(b"x" * size)
    return [tmp_path / "a.bin", tmp_path / "b.bin"]


@pytest.fixture(params=["http", "websocket"])
async def client(serve: Serve, request: pytest.FixtureRequest) -> AsyncIterator[AsyncClient]:
    transport: Literal["http", "websocket"] = request.param
    async with AsyncClient(serve(actions).url, transport=transport) as client:
        yield client


def check(told: list[Progress], total: int) -> None:
    """Check that something was told from the start to the end, in steps."""
    assert [(one.current, one.total) for one in (told[0], told[-1])] == [(0, total), (total, total)]
    assert all(one.current < next_.current for one, next_ in pairwise(told))
    assert len(told) > LARGE / 300_000


async def test_each_piece_of_all_files_is_told(client: AsyncClient, files: list[Path]) -> None:
    told: list[Progress] = []

    sizes = await client.call("measure", {"files": files}, on_upload=told.append)

    assert sizes == [LARGE, 7]
    check(told, LARGE + 7)
    assert told[-1].percent == 100.0


async def test_a_start_and_a_stream_tell_it_too(client: AsyncClient, files: list[Path]) -> None:
    started: list[Progress] = []
    streamed: list[Progress] = []

    run = await client.start("measure", {"files": files}, on_upload=started.append)
    await run.wait()
    chunks = client.stream("measure", {"files": files}, on_upload=streamed.append)
    assert [chunk async for chunk in chunks] == []

    check(started, LARGE + 7)
    check(streamed, LARGE + 7)


async def test_files_in_an_answer_and_in_a_message_are_told(
    client: AsyncClient, files: list[Path]
) -> None:
    answered: list[Progress] = []
    sent: list[Progress] = []
    run = await client.start("ask")
    async for event in run.events():
        if event.type == "question":
            await run.answer(event.value["id"], files[0], on_upload=answered.append)
            await run.send(files[0], on_upload=sent.append)

    assert await run.result() == 2 * LARGE
    check(answered, LARGE)
    check(sent, LARGE)


async def test_what_is_sent_again_is_told_from_the_start(files: list[Path]) -> None:
    told: list[Progress] = []
    answers = [refusal(503, "UNAVAILABLE"), stream(ended(1))]
    async with scripted(*answers) as (client, _):
        await client.call("measure", {"files": files}, on_upload=told.append)

    assert [one.current for one in told].count(0) == 2
    assert [one.current for one in told].count(LARGE + 7) == 2


async def test_without_files_nothing_is_told() -> None:
    told: list[Progress] = []
    async with scripted(stream(ended(1))) as (client, _):
        await client.call("measure", {"files": []}, on_upload=told.append)

    assert told == []


async def test_an_empty_file_is_sent_at_once() -> None:
    told: list[Progress] = []
    async with scripted(stream(ended(1))) as (client, _):
        await client.call("measure", {"files": [BytesIO()]}, on_upload=told.append)

    assert {(one.current, one.total) for one in told} == {(0, 0)}


class _Actions:
    @action("measure")
    def measure(self, *, files: list[FileLike]) -> TypedCall[None, list[int]]:
        return TypedCall({"files": files})


class AsyncTyped(_Actions, AsyncCaller):
    pass


async def test_a_typed_start_tells_it_too(client: AsyncClient, files: list[Path]) -> None:
    told: list[Progress] = []

    run = await AsyncTyped(client).measure(files=[*files]).start(on_upload=told.append)

    assert await run.result() == [LARGE, 7]
    check(told, LARGE + 7)


def test_blocking_code_is_told_the_same(serve: Serve, files: list[Path]) -> None:
    told: list[Progress] = []
    with Client(serve(actions).url) as client:
        assert client.call("measure", {"files": files}, on_upload=told.append) == [LARGE, 7]

    check(told, LARGE + 7)
