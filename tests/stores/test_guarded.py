"""A third-party store can raise anything: runs end anyway, and others continue."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest

from tests.support.runs import SOON, opened
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import Fenced, StoreError
from yieldwire.executors import RunLimits
from yieldwire.log.run import Status
from yieldwire.stores import Query, Reach
from yieldwire.stores.guarded import METHODS, guarded
from yieldwire.stores.memory import MemoryStore

BRISK = Timing(grace=0.1, sweep_every=0.01, lease=0.3, keepalive=0.05)


class DatabaseError(Exception):
    """What a client of a database raises."""

    def __str__(self) -> str:
        raise RuntimeError("it cannot even be read")


class StumblingStore(MemoryStore):
    """A store of which some calls of one method raise something; they count from ``armed`` on."""

    def __init__(self, method: str, error: BaseException, calls: range) -> None:
        super().__init__()
        self.armed, self._count = False, 0
        real = getattr(self, method)

        async def stumble(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - the method's own
            self._count += self.armed
            if self.armed and self._count - 1 in calls:
                raise error
            return await real(*args, **named)

        setattr(self, method, stumble)


class StumblingLeased(StumblingStore):
    """The same, as if processes shared it."""

    reach: ClassVar[Reach] = "machine"


ERRORS = [ValueError("no"), DatabaseError(), OSError(5, "gone"), asyncio.CancelledError()]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


async def count() -> AsyncIterator[int]:
    for number in range(3):
        yield number
        await asyncio.sleep(0.001)


async def answer() -> int:
    return 42


async def until_all_have_ended(store: MemoryStore) -> None:
    async with asyncio.timeout(SOON):
        while any(  # noqa: ASYNC110 - as many calls of the store are made
            not run.status.is_terminal
            for run in await MemoryStore.find(store, Query(everyone=True))
        ):
            await asyncio.sleep(0.01)


@each_error
@pytest.mark.parametrize("method", sorted(METHODS))
async def test_whatever_a_method_raises_is_a_store_error(method: str, error: BaseException) -> None:
    store = StumblingStore(method, error, range(1))
    store.armed = True

    with pytest.raises(StoreError, match=type(error).__name__) as raised:
        await getattr(guarded(store), method)()

    assert raised.value.__cause__ is error


async def test_what_the_contract_names_is_raised_as_it_is() -> None:
    store = StumblingStore("append", Fenced("another's"), range(1))
    store.armed = True

    with pytest.raises(Fenced, match="another's"):
        await guarded(store).append("r", None, after=0, fence=1)  # type: ignore[arg-type]


async def test_a_cancellation_of_the_caller_comes_through() -> None:
    class Slow(MemoryStore):
        async def find(self, query: Query, /) -> Any:  # noqa: ANN401 - never comes to it
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await guarded(Slow()).find(Query())


@each_error
@pytest.mark.parametrize("kind", [StumblingStore, StumblingLeased])
@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("method", ["append", "claim", "get", "heartbeat", "hold", "read", "sweep"])
async def test_every_run_ends_whichever_call_of_a_store_raises(
    method: str, first: int, kind: type[StumblingStore], error: BaseException
) -> None:
    store = kind(method, error, range(first, first + 1))
    async with opened(
        App(store=store, timing=BRISK, run_limits=RunLimits(cancel_within=0.1))
    ) as app:
        counting, answering = app.action(count), app.action(answer)
        store.armed = True
        await app.start(counting, {}, owner="ada")

        await until_all_have_ended(store)

        store.armed = False
        other = await app.start(answering, {}, owner="bob")
        async with asyncio.timeout(SOON):
            assert await other.result() == 42


@pytest.mark.parametrize("method", ["append", "claim"])
async def test_a_run_ends_when_its_store_works_again_however_long_that_takes(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yieldwire.executors.attempt.LONGEST_PAUSE", 0.01)
    monkeypatch.setattr("yieldwire.executors.backoff.LONGEST_PAUSE", 0.01)
    store = StumblingStore(method, ConnectionError("away"), range(1_000_000))
    async with opened(
        App(store=store, timing=BRISK, run_limits=RunLimits(store_patience=0.0))
    ) as app:
        store.armed = True
        run = await app.start(app.action(count), {}, owner="ada")
        await asyncio.sleep(0.1)
        assert not (await store.get(run.id)).status.is_terminal
        store.armed = False

        await until_all_have_ended(store)

        assert (await store.get(run.id)).status in {Status.FAILED, Status.COMPLETED}
