"""A store's guarantees for waiting for messages to a run."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from yieldwire.errors import NotFound
from yieldwire.stores import RunStore
from yieldwire.testing.contract.harness import (
    SOON,
    StoreHarness,
    claimed,
    created,
    finish,
    finished,
    raises,
    wakes_all,
)
from yieldwire.testing.contract.sending import say


class InboxContract:
    """`Inbox.inbox` with ``wait``: it can return early, and must not return late."""

    async def test_there_is_no_wait_for_a_message_that_is_there(
        self, harness: StoreHarness
    ) -> None:
        """A wait returns at once if the inbox has something after the number."""
        run = await claimed(harness.store)
        sent = [await say(harness.store, run) for _ in range(2)]

        async with asyncio.timeout(SOON):
            assert list(await harness.store.inbox(run.id, 0, wait=10 * SOON)) == sent
            assert list(await harness.store.inbox(run.id, 1, wait=10 * SOON)) == sent[1:]

    async def test_there_is_no_wait_for_messages_to_a_run_that_has_ended(
        self, harness: StoreHarness
    ) -> None:
        """It takes none, so a wait for one returns."""
        run = await finished(harness.store)

        async with asyncio.timeout(SOON):
            assert list(await harness.store.inbox(run.id, 0, wait=10 * SOON)) == []

    async def test_there_is_no_wait_for_messages_to_a_run_that_is_gone(
        self, harness: StoreHarness
    ) -> None:
        """The error comes at once."""
        async with asyncio.timeout(SOON):
            with raises(NotFound):
                await harness.store.inbox("rnever", 0, wait=10 * SOON)

    async def test_a_wait_for_messages_ends_after_its_timeout(self, harness: StoreHarness) -> None:
        """A wait does not last forever if nothing comes."""
        run = await claimed(harness.store)

        async with asyncio.timeout(SOON):
            assert list(await harness.store.inbox(run.id, 0, wait=0.01)) == []

    async def test_a_message_wakes_everybody_who_waits(self, harness: StoreHarness) -> None:
        """All who wait for a run's next message are woken by it, also by the second one."""
        run = await claimed(harness.store)

        for after in range(2):
            act = partial(say, harness.store, run)
            await wakes_inbox(harness.store, run.id, after, act, waiters=3)

    async def test_the_end_of_a_run_ends_waits_for_messages(self, harness: StoreHarness) -> None:
        """A worker, a cancel before the start, or a sweep can write the end."""
        done = await claimed(harness.store)
        await wakes_inbox(harness.store, done.id, 0, partial(finish, harness.store, done))
        pending = await created(harness.store)
        cancel = partial(harness.store.request_cancel, pending.id, "requested")
        await wakes_inbox(harness.store, pending.id, 0, cancel)
        lost = await claimed(harness.store, lease=10)

        async def sweep() -> None:
            await harness.advance(11)
            await harness.store.sweep()

        await wakes_inbox(harness.store, lost.id, 0, sweep)

    async def test_a_delete_ends_waits_for_messages(self, harness: StoreHarness) -> None:
        """Nobody keeps waiting for a message to a run that is gone."""
        run = await finished(harness.store)

        await wakes_inbox(harness.store, run.id, 0, partial(harness.store.purge, run.id))

    async def test_who_stops_waiting_for_messages_disturbs_nobody(
        self, harness: StoreHarness
    ) -> None:
        """A cancelled wait affects neither the other waits nor the inbox."""
        run = await claimed(harness.store)

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            leaver = group.create_task(harness.store.inbox(run.id, 0, wait=10 * SOON))
            stayer = group.create_task(harness.store.inbox(run.id, 0, wait=10 * SOON))
            await asyncio.sleep(0)
            leaver.cancel()
            await asyncio.wait({leaver})
            sent = await say(harness.store, run)
            stayed = await stayer

        assert list(stayed or await harness.store.inbox(run.id, 0)) == [sent]

    async def test_a_send_that_is_cancelled_is_completed(self, harness: StoreHarness) -> None:
        """One that has started is accepted, and who waits for it is woken."""
        run = await claimed(harness.store)

        async def send_and_leave() -> None:
            for _ in range(2):
                await harness.store.inbox(run.id, 0, wait=0.1)
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(say(harness.store, run))
                await asyncio.sleep(0)
                sending.cancel()

        await wakes_inbox(harness.store, run.id, 0, send_and_leave)
        assert len(await harness.store.inbox(run.id, 0)) == 1


async def wakes_inbox(
    store: RunStore,
    run_id: str,
    after: int,
    act: Callable[[], Awaitable[object]],
    *,
    waiters: int = 1,
) -> None:
    """Check that ``act`` ends all waits for messages after ``after``."""

    async def wait() -> bool:
        has_news = bool(await store.inbox(run_id, after, wait=10 * SOON))
        return has_news or (await store.get(run_id)).status.is_terminal

    await wakes_all(wait, act, waiters)
