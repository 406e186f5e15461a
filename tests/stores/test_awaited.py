"""Everybody who waits for a change is told of it, in the event loop in which they wait."""

import asyncio

from tests.support.virtual import run_virtually
from yieldwire.stores.memory.awaited import Awaited


async def note(awaited: Awaited, name: str, told: list[str]) -> None:
    await awaited.wait(600.0)
    told.append(name)


async def test_a_change_wakes_all_who_wait_those_first_who_came_first() -> None:
    awaited, told = Awaited(), list[str]()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for name in ("ann", "bob", "eve"):
            group.create_task(note(awaited, name, told))
        await asyncio.sleep(0)
        awaited.wake()

    assert told == ["ann", "bob", "eve"]


async def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    awaited, told = Awaited(), list[str]()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        first = group.create_task(note(awaited, "ann", told))
        group.create_task(note(awaited, "bob", told))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        awaited.wake()

    assert told == ["bob"]


def test_a_wait_without_a_change_ends_after_its_time() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await Awaited().wait(600.0)
        return loop.time() - began

    assert run_virtually(program()) == 600.0


def test_a_change_wakes_who_waits_in_another_loop_than_those_who_waited_before() -> None:
    awaited, told = Awaited(), list[str]()

    async def give_up() -> None:
        await awaited.wait(0.0)

    async def wait() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(note(awaited, "ann", told))
            await asyncio.sleep(0)
            awaited.wake()

    asyncio.run(give_up())
    asyncio.run(wait())

    assert told == ["ann"]
