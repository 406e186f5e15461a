"""What is asked for at one moment shares a round trip, and fails by itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.stores.test_redis import RedisHarness
from tests.support.valkey import RedisServer, shared_url
from yieldwire.errors import StoreError
from yieldwire.stores import Admission, Query
from yieldwire.stores.redis import RedisStore
from yieldwire.stores.redis.link import MOST_BYTES_AT_ONCE, Link
from yieldwire.stores.redis.server import Server
from yieldwire.tasks import Tasks
from yieldwire.testing.contract.harness import chunks, claimed, log_of, record


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    link = Link(Server(shared_url(), 5.0), Tasks())
    yield link
    await link.close()


async def test_what_is_asked_for_at_one_moment_shares_a_round_trip(link: Link) -> None:
    echoes = await asyncio.gather(*(link.ask((b"ECHO", f"{n}")) for n in range(100)))

    assert echoes == [[b"%d" % n] for n in range(100)]
    assert link.trips == 1


async def test_what_is_asked_for_during_a_round_trip_shares_the_next(link: Link) -> None:
    async def ask_in_turn() -> None:
        for n in range(10):
            assert await link.ask((b"ECHO", n)) == [b"%d" % n]

    await asyncio.gather(*(ask_in_turn() for _ in range(50)))

    assert link.trips == 10


async def test_large_replies_are_asked_for_some_at_a_time(link: Link) -> None:
    half = MOST_BYTES_AT_ONCE // 2

    await asyncio.gather(*(link.ask((b"ECHO", b"a"), size=half) for _ in range(6)))

    assert link.trips == 3


async def test_an_error_reaches_only_its_caller(link: Link) -> None:
    fine = link.ask((b"ECHO", b"a"))
    wrong = link.ask((b"ECHO", b"b"), (b"ECHO",))
    fine_too = link.ask((b"ECHO", b"c"))

    assert (await fine, await fine_too) == ([b"a"], [b"c"])
    with pytest.raises(StoreError, match="wrong number of arguments"):
        await wrong
    assert link.trips == 1


async def test_a_script_that_the_server_does_not_know_is_sent_in_full() -> None:
    harness = RedisHarness()
    run = await claimed(harness.store)
    await harness.store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    link = Link(Server(shared_url(), 5.0), Tasks())
    await link.ask((b"SCRIPT", b"FLUSH"))
    await link.close()

    appends = [
        harness.store.append(run.id, chunks(run.id, 2, 1), after=1, fence=run.fence),
        harness.store.hold(run.id, "tab", seconds=5),
        harness.store.find(Query(everyone=True)),
    ]
    await asyncio.gather(*appends)

    assert [event.seq for event in await log_of(harness.store, run.id)] == [1, 2]
    await harness.store.close()


@pytest.mark.parametrize("place", range(3))
async def test_a_run_that_cannot_be_stored_fails_alone(place: int) -> None:
    store = RedisHarness().store
    runs = [record(labels=("fine",)) for _ in range(3)]
    runs[place] = runs[place]._replace(action="\ud800")  # a text that UTF-8 does not have

    outcomes = await asyncio.gather(
        *(store.create(run, Admission()) for run in runs), return_exceptions=True
    )

    failed = outcomes.pop(place)
    assert isinstance(failed, StoreError)
    assert not failed.retryable
    kept = {run.id for run in await store.find(Query(everyone=True))}
    assert kept == {run.id for run in runs} - {runs[place].id}
    await store.close()


async def test_all_who_ask_are_told_that_the_connection_failed() -> None:
    with RedisServer() as server:
        store = RedisStore(server.url, timeout=0.3)
        run = await claimed(store)
        server.freeze()

        outcomes = await asyncio.gather(
            *(store.get(run.id) for _ in range(5)),
            store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence),
            return_exceptions=True,
        )

        server.thaw()
        assert [type(each) for each in outcomes] == 6 * [StoreError]
        await store.close()
