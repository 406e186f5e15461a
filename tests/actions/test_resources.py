"""Resources are opened in order and closed in reverse, in one task."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from yieldwire.actions.resource import Resource
from yieldwire.actions.resources import Resources


async def test_resources_are_open_between_ready_and_close() -> None:
    steps: list[str] = []
    declared = [Resource(opener(name, steps)) for name in ("pool", "client")]
    resources = Resources()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        ready = asyncio.get_running_loop().create_future()
        keeper = group.create_task(resources.keep(declared, ready))
        await ready
        opened = dict(resources.opened)
        resources.close()
        await keeper

    assert opened == {declared[0]: "pool", declared[1]: "client"}
    assert steps == ["pool opens", "client opens", "client closes", "pool closes"]


async def test_an_opening_that_fails_is_told_and_closes_what_was_opened() -> None:
    steps: list[str] = []
    resources = Resources()
    ready = asyncio.get_running_loop().create_future()

    await resources.keep([Resource(opener("pool", steps)), Resource(broken)], ready)

    with pytest.raises(OSError, match="no database"):
        await ready
    assert steps == ["pool opens", "pool closes"]


async def test_a_closing_that_fails_is_raised_to_the_owner() -> None:
    resources = Resources()
    ready = asyncio.get_running_loop().create_future()
    resources.close()

    with pytest.raises(OSError, match="will not close"):
        await resources.keep([Resource(sticky)], ready)

    assert ready.done()


def opener(name: str, steps: list[str]) -> Callable[[], AsyncIterator[str]]:
    async def open_it() -> AsyncIterator[str]:
        steps.append(f"{name} opens")
        try:
            yield name
        finally:
            await asyncio.sleep(0)
            steps.append(f"{name} closes")

    return open_it


async def broken() -> AsyncIterator[str]:
    yield connect()


def connect() -> str:
    raise OSError("no database")


async def sticky() -> AsyncIterator[str]:
    yield "sticky"
    raise OSError("will not close")
