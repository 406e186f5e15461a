"""`RateLimit` counts starts, for each caller and action."""

import asyncio
import sys
import threading
from typing import ClassVar

import pytest
from limits.aio.storage import MemoryStorage

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.ratelimit import KEYS, RateLimit, Window
from yieldwire.errors import MissingDependency, RateLimited, UsageError


def context(caller: str = "c", action: str = "a") -> Context:
    return Context(run_id="r1", action=action, owner=None, quota_key=caller, request=RequestFacts())


TWICE, EACH, EVERYBODY, FIRST, SECOND = (
    RateLimit("2/hour"),
    RateLimit("1/hour"),
    RateLimit("1/hour", key=lambda ctx: "everybody"),
    RateLimit("1/hour"),
    RateLimit("1/hour"),
)
"""Made here, where an application makes them: reading the library's files blocks."""


async def test_a_rate_limits_starts_and_says_how_long_to_wait() -> None:
    limit = TWICE
    await limit(context())
    await limit(context())

    with pytest.raises(RateLimited, match="At most 2 per 1 hour") as caught:
        await limit(context())

    assert 1.0 <= caught.value.retry_after <= 3600


async def test_a_rate_counts_each_caller_and_action_apart() -> None:
    limit = EACH
    await limit(context("c", "a"))

    await limit(context("d", "a"))
    await limit(context("c", "b"))

    with pytest.raises(RateLimited, match="At most 1"):
        await limit(context("c", "a"))


async def test_a_rate_can_count_whom_its_key_names() -> None:
    limit = EVERYBODY
    await limit(context("c"))

    with pytest.raises(RateLimited, match="At most 1"):
        await limit(context("d"))


async def test_two_limits_count_apart() -> None:
    await FIRST(context())
    await SECOND(context())


class CountedStorage(MemoryStorage):
    """A storage that counts its connections, as one on another machine has them."""

    STORAGE_SCHEME = ["async+counted"]  # noqa: RUF012 - as the library declares it
    made: ClassVar[list[str | None]] = []

    def __init__(self, uri: str | None = None) -> None:
        super().__init__(uri)
        self.made.append(uri)


async def test_counting_leaves_no_task_and_no_thread() -> None:
    limit, tasks, threads = RateLimit("2/hour"), asyncio.all_tasks(), threading.active_count()

    await limit(context())

    assert (asyncio.all_tasks(), threading.active_count()) == (tasks, threads)


def test_a_rate_counts_over_event_loops() -> None:
    limit = RateLimit("2/hour")
    asyncio.run(twice(limit))

    with pytest.raises(RateLimited, match="At most 2"):
        asyncio.run(twice(limit))


async def twice(limit: RateLimit) -> None:
    await asyncio.gather(limit(context()), limit(context()))


def test_a_storage_elsewhere_has_connections_of_each_event_loop() -> None:
    limit = RateLimit("9/hour", storage="counted://")

    for _ in range(2):
        asyncio.run(twice(limit))
        asyncio.run(twice(limit))

    assert len(CountedStorage.made) == 4


async def test_a_storage_elsewhere_says_how_long_to_wait() -> None:
    limit, tasks = RateLimit("1/hour", storage="counted://"), asyncio.all_tasks()
    await limit(context())

    with pytest.raises(RateLimited, match="At most 1") as caught:
        await limit(context())

    assert 1.0 <= caught.value.retry_after <= 3600
    if left := asyncio.all_tasks() - tasks:
        await asyncio.wait(left)  # the housekeeping of the class that it is made of


async def test_starts_that_are_over_are_forgotten() -> None:
    window = Window(amount=1, seconds=0.0)

    for n in range(3 * KEYS):
        await window.wait_for(f"caller {n}")

    assert len(window) <= KEYS


def test_what_is_not_a_rate_is_told() -> None:
    with pytest.raises(UsageError, match="'often' is not a rate; write for example '10/minute'"):
        RateLimit("often")


def test_without_its_library_a_rate_limit_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[limits\]'"):
        RateLimit("1/hour")
