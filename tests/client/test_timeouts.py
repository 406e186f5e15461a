"""Whatever a client waits for has an end, and the error says what it was."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack, contextmanager

import pytest

from tests.client.script import OPENING, SILENT, chunk, end, json, stream
from tests.client.script import serve as scripted
from tests.conftest import Serve
from yieldwire import ActionError, Actions, Context, Timing
from yieldwire.client import AsyncClient, Client, Patience
from yieldwire.errors import TimedOut, Unreachable

ONCE = Patience(tries=1, connect=0.1, start=0.2, idle=0.3, request=0.4)

actions = Actions(timing=Timing(grace=0.1))  # nobody ends its runs


@actions.action(inbox=str)
async def wait_for(ctx: Context) -> AsyncIterator[str]:
    """Yield each message; `end` ends it, and `fail` fails it."""
    yield "begun"
    async for message in ctx.inbox(str):
        yield message
        if message == "fail":
            raise ActionError("FAILED_AS_TOLD", "No.")
        if message == "end":
            return


@contextmanager
def full_server() -> Generator[str]:
    """Listen, with a queue that is full, so that nothing more is connected."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api"


async def test_a_connection_that_is_not_made_in_time_is_told() -> None:
    with full_server() as url:
        async with AsyncClient(url, patience=ONCE) as client:
            with pytest.raises(TimedOut, match=r"no connection was made in 0\.1 s") as raised:
                await client.call("count")

    assert (raised.value.phase, raised.value.seconds) == ("connecting", 0.1)


async def test_a_handshake_that_is_not_answered_in_time_is_told() -> None:
    with full_server() as url:
        async with AsyncClient(url, patience=ONCE, transport="websocket") as client:
            with pytest.raises(TimedOut, match=r"no connection was made in 0\.1 s") as raised:
                await client.snapshot("r1")

    assert raised.value.phase == "connecting"


async def test_a_start_that_is_not_answered_in_time_is_told() -> None:
    async with scripted(SILENT, tries=1, start=0.05) as (client, _):
        with pytest.raises(TimedOut, match=r"nothing came for 0\.05 s") as raised:
            await client.call("count")

    assert (raised.value.phase, raised.value.seconds) == ("starting", 0.05)


async def test_a_stream_that_is_silent_for_too_long_is_told_with_its_run() -> None:
    answer = stream(OPENING, chunk(1, "a"), hangs=True)
    async with scripted(answer, tries=1, idle=0.05) as (client, _):
        run = await client.start("count", detached=False)
        with pytest.raises(TimedOut, match=r"nothing came for 0\.05 s") as raised:
            await run.result()

    assert (raised.value.phase, raised.value.run_id) == ("reading", "r1")


async def test_a_request_that_is_not_answered_in_time_is_told() -> None:
    async with scripted(SILENT, tries=1, request=0.05) as (client, _):
        with pytest.raises(TimedOut, match=r"did not answer in 0\.05 s") as raised:
            await client.snapshot("r1")

    assert (raised.value.phase, raised.value.seconds) == ("answering", 0.05)


async def test_a_call_can_be_limited_as_a_whole() -> None:
    answer = stream(OPENING, chunk(1, "a"), hangs=True)
    async with scripted(answer) as (client, _):
        with pytest.raises(
            TimedOut, match=r"^The call of count took more than 0\.05 s\.$"
        ) as raised:
            await client.call("count", timeout=0.05)

    assert (raised.value.phase, raised.value.seconds) == ("total", 0.05)
    assert raised.value.run_id == "r1"


async def test_a_stream_that_is_limited_yields_what_came_before() -> None:
    async with scripted(stream(OPENING, chunk(1, "a"), hangs=True)) as (client, _):
        chunks = client.stream("count", timeout=0.05)

        assert await anext(chunks) == "a"
        with pytest.raises(TimedOut, match="The call of count"):
            await anext(chunks)


async def test_a_limit_that_is_kept_changes_nothing() -> None:
    answers = [stream(OPENING, chunk(1, "a"), end(2, value={"result": 3}))] * 2
    async with scripted(*answers) as (client, _):
        assert [value async for value in client.stream("count", timeout=30)] == ["a"]
        assert await client.call("count", timeout=30) == 3


async def test_a_start_that_takes_longer_than_its_call_can_is_cancelled_on_the_server() -> None:
    told = json({"runId": None, "status": "cancelled"})
    async with scripted(SILENT, told) as (client, server):
        with pytest.raises(TimedOut, match="The call of count"):
            await client.call("count", timeout=0.05)

    assert [seen.path for seen in server.requests] == ["count", "count/cancel"]


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(serve(actions).url) as client:
        yield client


async def test_a_result_that_was_not_there_in_time_can_be_waited_for_again(
    client: AsyncClient,
) -> None:
    run = await client.start("wait_for")
    with pytest.raises(TimedOut, match=r"^The run took more than 0\.1 s\.$"):
        await run.result(timeout=0.1)
    await run.send("end")

    assert await run.result(timeout=30) is None


@pytest.mark.parametrize(("message", "status"), [("end", "completed"), ("fail", "failed")])
async def test_a_run_is_waited_for_while_it_is_read(
    client: AsyncClient, message: str, status: str
) -> None:
    run = await client.start("wait_for")
    seqs: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(run.wait())
        async for event in run.events():
            seqs.append(event.seq)
            if event.seq == 1:
                await run.send(message)

    snapshot, again = waiting.result(), await run.wait()
    assert (snapshot["status"], again["status"]) == (status, status)
    assert (snapshot["error"] is None) == (status == "completed")
    assert seqs == [1, 2, 3]


async def test_a_run_that_does_not_end_is_waited_for_only_so_long(client: AsyncClient) -> None:
    run = await client.start("wait_for")

    with pytest.raises(TimedOut, match=r"^The run took more than 0\.1 s\.$") as raised:
        await run.wait(timeout=0.1)

    assert raised.value.run_id == run.id


def test_blocking_code_waits_and_is_told_the_same(serve: Serve) -> None:
    with Client(serve(actions).url) as client:
        run = client.start("wait_for")
        with pytest.raises(TimedOut, match="The run took"):
            run.wait(timeout=0.1)
        with pytest.raises(TimedOut, match="The run took"):
            run.result(timeout=0.1)
        run.send("end")

        assert run.wait(timeout=30)["status"] == "completed"
        with pytest.raises(TimedOut, match="The call of wait_for"):
            client.call("wait_for", timeout=0.1)
        with pytest.raises(TimedOut, match="The call of wait_for"):
            list(client.stream("wait_for", timeout=0.1))


def test_an_error_of_time_is_also_what_python_and_those_who_knew_no_phases_catch() -> None:
    error = TimedOut("Too late.", phase="total", seconds=1.0, run_id="r1")

    assert isinstance(error, TimeoutError)
    assert isinstance(error, Unreachable)
    assert (str(error), error.run_id, error.code) == ("Too late.", "r1", "UNREACHABLE")
