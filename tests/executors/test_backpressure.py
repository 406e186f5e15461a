"""A run is held back by its fastest reader in this process, and by nobody where there is none."""

import asyncio
import sys

from tests.support.runs import SOON
from yieldwire.executors.backpressure import MARKS, Backpressure


async def has_room(backpressure: Backpressure) -> bool:
    """Whether the run can write without waiting."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(backpressure.wait_for_room())
        for _ in range(3):
            await asyncio.sleep(0)
        has_room = waiting.done()
        waiting.cancel()
    return has_room


async def test_without_readers_a_run_continues() -> None:
    backpressure = Backpressure(100)

    for seq in range(1, 50):
        backpressure.wrote(seq, 1_000)

    assert await has_room(backpressure)


async def test_a_run_can_be_ahead_up_to_a_limit_in_bytes() -> None:
    backpressure = Backpressure(100)
    backpressure.read("tab", 0)

    backpressure.wrote(1, 100)
    at_the_limit = await has_room(backpressure)
    backpressure.wrote(2, 1)

    assert at_the_limit
    assert not await has_room(backpressure)


async def test_what_was_written_before_a_reader_came_holds_nothing_up() -> None:
    backpressure = Backpressure(100)
    backpressure.wrote(1, 1_000)

    backpressure.read("tab", 0)
    backpressure.wrote(2, 50)

    assert await has_room(backpressure)


async def test_a_reader_that_reads_makes_room() -> None:
    backpressure = Backpressure(100)
    backpressure.read("tab", 0)
    for seq in range(1, 5):
        backpressure.wrote(seq, 60)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(backpressure.wait_for_room())
        await asyncio.sleep(0)
        backpressure.read("tab", 2)
        for _ in range(3):
            await asyncio.sleep(0)
        still_waiting = not waiting.done()
        backpressure.read("tab", 3)

    assert still_waiting


async def test_what_a_reader_sent_on_while_it_was_written_does_not_hold_the_run() -> None:
    backpressure = Backpressure(100)
    backpressure.read("tab", 0)

    backpressure.read("tab", 1)
    has_to_wait = backpressure.wrote(1, 1_000)

    assert not has_to_wait
    assert await has_room(backpressure)


async def test_the_fastest_reader_counts() -> None:
    backpressure = Backpressure(100)
    backpressure.read("slow", 0)
    backpressure.read("fast", 0)
    backpressure.wrote(1, 200)

    backpressure.read("fast", 1)

    assert await has_room(backpressure)


async def test_the_last_reader_to_leave_lets_the_run_continue() -> None:
    backpressure = Backpressure(100)
    backpressure.read("tab", 0)
    backpressure.read("phone", 0)
    backpressure.wrote(1, 200)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(backpressure.wait_for_room())
        backpressure.left("tab")
        for _ in range(3):
            await asyncio.sleep(0)
        still_waiting = not waiting.done()
        backpressure.left("phone")

    assert still_waiting


async def test_a_runs_end_waits_for_no_reader() -> None:
    backpressure = Backpressure(100)
    backpressure.read("tab", 0)
    backpressure.wrote(1, 200)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(backpressure.wait_for_room())
        await asyncio.sleep(0)
        backpressure.close()

    assert await has_room(backpressure)


async def test_a_reader_that_was_never_here_can_leave() -> None:
    backpressure = Backpressure(100)

    backpressure.left("nobody")

    assert await has_room(backpressure)


async def test_what_is_noted_of_an_unread_log_is_bounded() -> None:
    backpressure, endless = Backpressure(1_000_000), Backpressure(sys.maxsize)
    for each in (backpressure, endless):
        each.read("tab", 0)
    for seq in range(1, 20_001):
        backpressure.wrote(seq, 50)
        endless.wrote(seq, 50)

    at_the_limit = await has_room(backpressure)
    backpressure.wrote(20_001, 50)
    over = await has_room(backpressure)
    backpressure.read("tab", 2_000)

    assert (at_the_limit, over) == (True, False)
    assert backpressure.marks <= 2 * MARKS + 2
    assert endless.marks == 1
    assert await has_room(backpressure)
    assert await has_room(endless)
