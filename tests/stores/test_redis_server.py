"""The servers that the Redis store can use: the oldest one, Sentinel, and a cluster."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.stores.test_redis import RedisHarness
from tests.support.ports import free_port
from tests.support.valkey import REDIS_6, RedisServer
from yieldwire.errors import StoreError, UsageError
from yieldwire.stores import RunStore
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.contract import StoreHarness
from yieldwire.testing.contract.appending import AppendContract
from yieldwire.testing.contract.harness import SOON, chunks, claimed, finished, log_of
from yieldwire.testing.contract.pairing import PairContract
from yieldwire.testing.contract.queueing import QueueContract
from yieldwire.testing.contract.reading import ReadContract
from yieldwire.testing.contract.sharing import FeedContract
from yieldwire.testing.contract.sweeping import LingerContract


class TestOldestRedis(
    AppendContract,
    FeedContract,
    LingerContract,
    PairContract,
    QueueContract,
    ReadContract,
):
    """The contracts whose scripts use commands that not every server has."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[StoreHarness]:
        harness = RedisHarness(REDIS_6)
        yield harness
        for store in [harness.store, *harness.others]:
            await store.close()


async def lives(store: RunStore) -> None:
    """Check that a store works: a run is written, waited for and read."""
    await store.open()
    run = await finished(store)
    live = await claimed(store)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(store.read(live.id, 0, wait=10 * SOON))
        await store.append(live.id, chunks(live.id, 1, 1), after=0, fence=live.fence)
        await waiting
    assert len(await log_of(store, run.id)) == len(await log_of(store, live.id)) == 1
    await store.purge(run.id)
    await store.close()


async def test_a_server_of_an_application_of_another_name_is_shared() -> None:
    one, other = (RedisHarness().store for _ in range(2))

    run = await claimed(one)

    with pytest.raises(Exception, match=f"There is no run {run.id}"):
        await other.get(run.id)
    await one.close()
    await other.close()


async def test_a_valkey_url_and_a_database_are_understood() -> None:
    with RedisServer() as server:
        await lives(RedisStore(f"valkey://127.0.0.1:{server.port}/5"))

        assert "db5" in server.facts("keyspace")


@pytest.fixture
def cluster() -> Iterator[list[RedisServer]]:
    """Two nodes, each with half of the slots."""
    ports = [free_port() for _ in range(2)]
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                RedisServer("--cluster-enabled", "yes", "--cluster-port", str(port))
            )
            for port in ports
        ]
        for node, slots in zip(nodes, (("0", "8191"), ("8192", "16383")), strict=True):
            node.ask("cluster", "addslotsrange", *slots)
        nodes[0].ask("cluster", "meet", "127.0.0.1", str(nodes[1].port), str(ports[1]))
        yield nodes


async def test_in_a_cluster_the_node_with_the_keys_is_found(cluster: list[RedisServer]) -> None:
    states = (partial(node.ask, "cluster", "info") for node in cluster)
    for state in states:
        await until(partial(has, state, "cluster_state:ok"))

    for prefix in ("a", "b", "c", "d"):
        for node in cluster:
            await lives(RedisStore(node.url, prefix=prefix))

    assert all(int(node.ask("dbsize")) > 0 for node in cluster)


def has(ask: Callable[[], str], text: str) -> bool:
    return text in ask()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - the server says when
            await asyncio.sleep(0.02)


async def test_after_a_failover_the_primary_is_the_one_that_sentinel_names(tmp_path: Path) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(RedisServer("--repl-diskless-sync-delay", "0"))
        new = stack.enter_context(RedisServer("--replicaof", f"127.0.0.1 {old.port}"))
        watch = tmp_path / "sentinel.conf"
        watch.write_text(f"sentinel monitor runs 127.0.0.1 {old.port} 1\n", "utf-8")
        sentinel = stack.enter_context(RedisServer.sentinel(watch))
        store = RedisStore(f"redis+sentinel://127.0.0.1:{sentinel.port}/runs/0")
        run = await claimed(store)
        key = f"{{yieldwire}}:run:{run.id}"
        await until(lambda: new.ask("hget", key, "status") == "running")

        new.ask("replicaof", "no", "one")
        sentinel.ask("sentinel", "remove", "runs")
        sentinel.ask("sentinel", "monitor", "runs", "127.0.0.1", str(new.port), "1")
        old.ask("replicaof", "127.0.0.1", str(new.port))
        block = chunks(run.id, 1, 1)
        with pytest.raises(StoreError, match="Redis at"):
            await store.append(run.id, block, after=0, fence=run.fence)
        await store.append(run.id, block, after=0, fence=run.fence)

        assert new.ask("hget", key, "seq") == "1"
        await store.close()


@pytest.mark.parametrize(
    ("url", "prefix"),
    [("localhost", "a"), ("http://localhost", "a"), ("redis://h", "{a}"), ("redis://h", "")],
)
def test_what_cannot_be_a_server_or_a_prefix_is_said(url: str, prefix: str) -> None:
    with pytest.raises(UsageError, match=r"RedisStore: (url|prefix)=.* is not a"):
        RedisStore(url, prefix=prefix)
