import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from types import MethodType
from typing import TypeVar

import pytest
from starlette.types import Message, Receive

from tests.support.calls import uvicorns_own
from tests.support.server import Loop, ThreadServer
from tests.support.wire import post
from yieldwire import Actions, Timing
from yieldwire.asgi.disconnect import WATCH_AFTER, Disconnected, DisconnectWatch
from yieldwire.tasks import Tasks

T = TypeVar("T")


async def until_disconnect(receive: Receive, work: Awaitable[T]) -> T:
    with DisconnectWatch(receive, Tasks()):
        return await work


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def here() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_what_is_waited_for_is_cancelled_when_the_client_leaves() -> None:
    was_cancelled = False

    async def work() -> None:
        nonlocal was_cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    with pytest.raises(Disconnected):
        await until_disconnect(gone, work())

    assert was_cancelled
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_the_work_raises_is_what_is_raised() -> None:
    async def work() -> None:
        raise LookupError("as it was")

    with pytest.raises(LookupError, match="as it was"):
        await until_disconnect(here, work())


async def test_the_rest_of_a_body_is_not_a_disconnect() -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"x"}] * 3
    is_read = asyncio.Event()

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        is_read.set()
        return await here()

    async def work() -> str:
        await is_read.wait()
        return "done"

    assert await until_disconnect(receive, work()) == "done"
    assert messages == []


async def test_who_is_cancelled_by_somebody_else_is_cancelled() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(until_disconnect(here, asyncio.sleep(3600.0)), name="answer")
        await asyncio.sleep(0)
        task.cancel()

    assert task.cancelled()


async def test_an_answer_that_is_over_soon_is_not_watched() -> None:
    tasks: list[int] = []

    async def work() -> str:
        tasks.append(len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        tasks.append(len(asyncio.all_tasks()))
        return "done"

    assert await until_disconnect(here, work()) == "done"

    assert tasks == [len(asyncio.all_tasks())] * 2


async def test_a_server_that_cannot_tell_any_more_counts_as_a_client_that_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> Message:
        raise OSError("no connection")

    with pytest.raises(Disconnected):
        await until_disconnect(broken, asyncio.sleep(3600.0))
    await asyncio.sleep(0)

    assert "a task failed" in caplog.text


async def test_answers_that_are_watched_from_the_same_moment_on_do_not_learn_of_each_other() -> (
    None
):
    async def broken() -> Message:
        raise OSError("no connection")

    may_end = asyncio.Event()
    answers = [
        until_disconnect(receive, may_end.wait()) for receive in (broken, here, gone, here, broken)
    ]

    async with asyncio.TaskGroup() as group:
        outcomes = group.create_task(
            asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 30.0)
        )
        while len(asyncio.all_tasks()) < 2 + len(answers):  # noqa: ASYNC110 - no event for tasks
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # each of them is watched now, and this one from a later moment on
        with pytest.raises(Disconnected):
            await until_disconnect(gone, asyncio.sleep(3600.0))
        may_end.set()

    kinds = [type(outcome) for outcome in outcomes.result()]
    assert kinds == [Disconnected, bool, Disconnected, bool, Disconnected]


async def test_a_body_that_is_returned_at_every_receive_does_not_block_the_loop() -> None:
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        assert asked < 100
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def work() -> str:
        await asyncio.sleep(3 * WATCH_AFTER)
        return "done"

    assert await until_disconnect(receive, work()) == "done"
    assert asked


async def test_an_answer_of_uvicorn_is_watched_without_a_task() -> None:
    event = asyncio.Event()

    async def receive(_: object) -> Message:
        await event.wait()
        return {"type": "http.disconnect"}

    own = MethodType(uvicorns_own(receive, "receive"), object())
    tasks = len(asyncio.all_tasks())

    async def work() -> None:
        await asyncio.sleep(2 * WATCH_AFTER)
        assert len(asyncio.all_tasks()) == tasks
        event.set()
        await asyncio.sleep(3600.0)

    with pytest.raises(Disconnected):
        await until_disconnect(own, work())


async def test_nobody_waits_for_a_client_of_uvicorn_whose_answer_is_over() -> None:
    event, has_ended = asyncio.Event(), False

    async def receive(_: object) -> Message:
        nonlocal has_ended
        try:
            await event.wait()
        finally:
            has_ended = True
        raise AssertionError

    own = MethodType(uvicorns_own(receive, "receive"), object())

    async def work() -> None:
        await asyncio.sleep(2 * WATCH_AFTER)
        event.set()  # in the moment in which the work is over

    failures: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context))

    await until_disconnect(own, work())
    await asyncio.sleep(0)

    assert has_ended
    assert failures == []


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_client_that_left_behind_a_second_request_stops_the_first_ones_run(loop: Loop) -> None:
    has_begun, has_stopped = threading.Event(), threading.Event()
    actions = Actions(timing=Timing(keepalive=0.1, sweep_every=0.05, grace=0.0))

    @actions.action(linger=0.0)
    async def wait() -> AsyncIterator[int]:
        yield 1
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            has_stopped.set()

    with ThreadServer(actions, http="httptools", loop=loop) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(post("/wait"))
            assert has_begun.wait(10)
            time.sleep(2 * WATCH_AFTER)  # it is watched now
            client.sendall(post("/wait"))
            time.sleep(WATCH_AFTER)
        assert has_stopped.wait(10)
