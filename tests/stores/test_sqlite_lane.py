"""What is asked of the thread is done, whatever becomes of whoever asked."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator

import pytest

from yieldwire.errors import Conflict, StoreError
from yieldwire.stores.sqlite.lane import Lane
from yieldwire.testing.contract.harness import SOON


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def explain(exc: Exception) -> StoreError:
    return StoreError(str(exc))


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    lane = Lane(connect, explain, name="lane", writes=True)
    yield lane
    await lane.close()


async def test_whoever_is_cancelled_waits_until_the_work_is_done(lane: Lane) -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def work(_: sqlite3.Connection) -> None:
        may_end.wait(SOON)
        has_ended.set()

    asking = asyncio.ensure_future(lane.do(work))  # noqa: TID251 - the test owns it
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0.01)
    was_waiting = not asking.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert was_waiting
    assert has_ended.is_set()


async def test_a_failure_that_whoever_asked_does_not_wait_for_is_no_noise(
    lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    may_fail = threading.Event()

    def work(_: sqlite3.Connection) -> None:
        may_fail.wait(SOON)
        raise Conflict("no")

    asking = asyncio.ensure_future(lane.do(work))  # noqa: TID251 - the test owns it
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0)
    may_fail.set()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert caplog.records == []


async def test_a_cancel_that_comes_with_the_outcome_waits_for_nothing(lane: Lane) -> None:
    done = threading.Event()
    asking = asyncio.ensure_future(lane.do(lambda _: done.set()))  # noqa: TID251 - as above
    await asyncio.sleep(0)
    # The loop stands still until the outcome is on its way to it.
    done.wait(SOON)
    time.sleep(0.05)  # noqa: ASYNC251 - it stands still on purpose
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asking, SOON)


async def test_what_is_refused_is_refused_alone(lane: Lane) -> None:
    def refuse(_: sqlite3.Connection) -> None:
        raise Conflict("no")

    outcomes = await asyncio.gather(
        lane.do(lambda _: 1), lane.do(refuse), lane.do(lambda _: 3), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [int, Conflict, int]


async def test_nothing_is_asked_of_a_lane_that_is_closed() -> None:
    lane = Lane(connect, explain, name="lane", writes=True)
    await lane.close()

    with pytest.raises(StoreError, match="closed"):
        await lane.do(lambda _: None)
