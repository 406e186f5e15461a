"""Streams that become silent: which of them are quiet, and which are dead."""

import asyncio

import pytest

from tests.client.script import (
    OPENING,
    SILENT,
    UNREACHABLE,
    Answer,
    Server,
    chunk,
    end,
    json,
    refusal,
    serve,
    stream,
)
from tests.support.virtual import run_virtually
from yieldwire.errors import Forbidden, Json

DEAD = stream(OPENING, chunk(1, "a"), hangs=True)
NOTHING_NEW = json({"status": "running", "seq": 1, "events": []})


def followed(*answers: Answer) -> tuple[list[Json], Server, float]:
    """Follow a run to its end, and return its chunks, the server, and how long it took."""

    async def follow() -> tuple[list[Json], Server, float]:
        began = asyncio.get_running_loop().time()
        async with serve(*answers) as (client, server):
            run = await client.start("count", detached=False)
            chunks = [value async for value in run]
        return chunks, server, asyncio.get_running_loop().time() - began

    return run_virtually(follow())


@pytest.mark.parametrize(
    ("answer", "notice", "seconds"),
    [
        (UNREACHABLE, "cannot be reached: connection refused", 4),
        (Answer(status=502, pieces=["Bad gateway"]), "in the server's place: HTTP 502", 4),
        (SILENT, "did not answer in 4 s.", 8),
        (json({"status": "running", "seq": 2}), "does not bring the events that the log has", 4),
    ],
)
def test_a_silent_stream_is_resumed_within_seconds_if_it_is_dead(
    answer: Answer, notice: str, seconds: float
) -> None:
    chunks, server, took = followed(DEAD, answer, stream(chunk(2, "b"), end(3)))

    assert [each.path for each in server.requests] == [
        "count",
        "runs/r1?after=r1.1",
        "runs/r1/events",
    ]
    assert notice in server.notices[0]
    assert (chunks, took) == (["a", "b"], seconds)


def test_a_quiet_stream_is_checked_less_often_the_longer_it_is_quiet() -> None:
    chunks, server, took = followed(DEAD, *[NOTHING_NEW] * 4, stream(end(2)))

    # 45 s without a keepalive is too long for any stream.
    assert server.notices == ["The connection was lost: nothing came for 45 s."]
    assert (chunks, took) == (["a"], 45)


def test_a_server_that_refuses_the_caller_ends_the_run() -> None:
    with pytest.raises(Forbidden):
        followed(DEAD, refusal(403, "FORBIDDEN"))


def test_a_reader_that_leaves_a_silent_stream_leaves_no_task() -> None:
    async def leave() -> int:
        async with serve(DEAD, NOTHING_NEW) as (client, _):
            run = await client.start("count", detached=False)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(6):
                    await run.result()
            return len(asyncio.all_tasks())

    before = 1  # this one
    assert run_virtually(leave()) == before
