"""A run whose readers have left: how long it waits for one, and who counts as one."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.support.server import ThreadServer
from tests.support.story import EVENTS, LINGER, SECONDS, Story, events_in
from tests.support.wire import exchange, fetch, post, request

T = TypeVar("T")


async def leave_a_run(server: ThreadServer, story: Story, name: str = "tell") -> str:
    async with exchange(server.port, post(f"/{name}")) as stream:
        run_id = stream.headers["run-id"]
        story.left.clear()
    assert await asyncio.to_thread(story.left.wait, SECONDS)
    return run_id


async def pass_time(server: ThreadServer, story: Story, seconds: float) -> None:
    story.clock.advance(seconds)
    await in_loop(server, story.actions.app.sweep())


async def in_loop(server: ThreadServer, work: Coroutine[Any, Any, T]) -> T:
    return await asyncio.to_thread(server.call, work)


@pytest.mark.parametrize("name", ["tell", "tell_blocking"])
async def test_a_run_that_everybody_left_is_stopped_after_its_linger_and_not_before(
    server: ThreadServer, story: Story, name: str
) -> None:
    run_id = await leave_a_run(server, story, name)

    await pass_time(server, story, LINGER - 0.1)
    before = (await in_loop(server, story.actions.app.snapshot(run_id)))["cancelRequested"]
    await pass_time(server, story, 0.2)

    assert before is False
    assert await asyncio.to_thread(story.cleaned.wait, SECONDS)
    answer = await fetch(server.port, request("GET", f"/runs/{run_id}/events"))
    _, kind, error = events_in(answer.body.decode())[-1]
    assert (kind, error["data"]["reason"]) == ("cancelled", "unattended")


async def test_a_reader_who_comes_back_in_time_keeps_the_run_alive(
    server: ThreadServer, story: Story
) -> None:
    run_id = await leave_a_run(server, story)
    await pass_time(server, story, LINGER - 0.1)

    async with exchange(server.port, request("GET", f"/runs/{run_id}/events")) as stream:
        await pass_time(server, story, LINGER + 1)
        story.go_on()
        body = (await stream.whole()).body.decode()

    assert events_in(body) == EVENTS


async def test_a_poll_counts_as_a_reader(server: ThreadServer, story: Story) -> None:
    run_id = await leave_a_run(server, story)
    await pass_time(server, story, LINGER - 0.1)

    await fetch(server.port, request("GET", f"/runs/{run_id}"))
    await pass_time(server, story, LINGER - 0.1)
    between = (await in_loop(server, story.actions.app.snapshot(run_id)))["cancelRequested"]
    await pass_time(server, story, 0.2)

    assert between is False
    assert await asyncio.to_thread(story.cleaned.wait, SECONDS)


async def test_a_run_that_was_started_to_continue_alone_does_so(
    server: ThreadServer, story: Story
) -> None:
    started = await fetch(server.port, post("/tell", headers={"Prefer": "respond-async"}))

    await pass_time(server, story, 100 * LINGER)
    story.go_on()

    answer = await fetch(server.port, request("GET", f"{started.headers['location']}/events"))
    assert events_in(answer.body.decode()) == EVENTS
