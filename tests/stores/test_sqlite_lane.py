"""What is asked of the thread is done, whatever happens to the caller."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.errors import Conflict, StoreError
from yieldwire.stores.sqlite.item import Item
from yieldwire.stores.sqlite.lane import MOST_BYTES_AT_ONCE, Lane, pause_after
from yieldwire.testing.contract.harness import SOON


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def connect_and_trace(begun: list[str]) -> sqlite3.Connection:
    """Return a connection, of which each transaction is noted that begins."""
    connection = connect()
    connection.set_trace_callback(
        lambda text: begun.append(text) if text.startswith("BEGIN") else None
    )
    return connection


def explain(exc: Exception) -> StoreError:
    return StoreError(str(exc))


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    lane = Lane(connect, explain, name="lane", writes=True)
    yield lane
    await lane.close()


async def test_a_cancelled_caller_waits_until_the_work_has_ended(lane: Lane) -> None:
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


async def test_a_failure_that_nobody_waits_for_is_not_logged(
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
    for _ in range(2):  # it is asked for, and then given to the thread
        await asyncio.sleep(0)
    # The loop does not run until the outcome is on its way to it.
    assert done.wait(SOON)
    time.sleep(0.05)  # noqa: ASYNC251 - it blocks on purpose
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


async def together(lane: Lane, works: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    """Ask for all of it while the thread is busy, so that it is one batch."""
    may_go_on = threading.Event()
    busy = lane.ask(lambda _: may_go_on.wait(SOON))
    asked = [lane.ask(work) for work in works]
    may_go_on.set()
    await busy
    return await asyncio.gather(*asked, return_exceptions=True)


def putting(n: object) -> Callable[[sqlite3.Connection], None]:
    def put(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers VALUES (?, 'seen')", [n])

    return put


def putting_then_failing(connection: sqlite3.Connection) -> None:
    putting(-1)(connection)
    raise ValueError("spoilt")


FAILING: list[Callable[[sqlite3.Connection], None]] = [
    putting(2**63),  # OverflowError
    putting("\ud800"),  # UnicodeEncodeError
    putting(object()),  # a type that SQLite does not have
    putting(None),  # a constraint
    putting_then_failing,
]


@pytest.mark.parametrize("failing", FAILING)
@pytest.mark.parametrize("place", range(5))
async def test_an_item_that_fails_takes_no_other_of_its_batch_with_it(
    lane: Lane, place: int, failing: Callable[[sqlite3.Connection], None]
) -> None:
    await lane.do(
        lambda connection: connection.execute("CREATE TABLE numbers (n NOT NULL, seen)").close()
    )
    works = [putting(n) for n in range(4)]
    works.insert(place, failing)

    outcomes = await together(lane, works)

    assert isinstance(outcomes.pop(place), StoreError)
    assert outcomes == [None] * 4
    there = await lane.do(lambda c: [n for (n,) in c.execute("SELECT n FROM numbers ORDER BY n")])
    assert there == [0, 1, 2, 3]


@given(st.lists(st.sampled_from([None, *FAILING]), min_size=1, max_size=12))
def test_whatever_fails_of_a_batch_the_rest_is_done(
    plan: list[Callable[[sqlite3.Connection], None] | None],
) -> None:
    async def play() -> None:
        lane = Lane(connect, explain, name="lane", writes=True)
        try:
            await lane.do(lambda c: c.execute("CREATE TABLE numbers (n NOT NULL, seen)").close())
            works = [putting(n) if work is None else work for n, work in enumerate(plan)]

            outcomes = await together(lane, works)

            good = [n for n, work in enumerate(plan) if work is None]
            assert [n for n, outcome in enumerate(outcomes) if outcome is None] == good
            assert (
                await lane.do(lambda c: [n for (n,) in c.execute("SELECT n FROM numbers")]) == good
            )
        finally:
            await lane.close()

    asyncio.run(play())


async def test_the_thread_continues_where_a_failure_cannot_be_explained() -> None:
    def fail_to_explain(_: Exception) -> StoreError:
        raise PermissionError("this folder cannot be entered")

    def fail(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    lane = Lane(connect, fail_to_explain, name="lane", writes=True)
    async with asyncio.timeout(SOON):
        for work in (fail, putting_then_failing):
            with pytest.raises(StoreError, match="The store failed with"):
                await lane.do(work)
        assert await lane.do(lambda _: 1) == 1
        await lane.close()


async def test_reads_of_many_pages_take_more_than_one_transaction() -> None:
    begun: list[str] = []
    lane = Lane(partial(connect_and_trace, begun), explain, name="lane", writes=False)
    may_go = threading.Event()
    first = lane.ask(lambda _: may_go.wait(SOON))
    await asyncio.sleep(0.01)  # until the thread has begun with it

    pages = [lane.ask(lambda _: len(begun), size=MOST_BYTES_AT_ONCE // 4) for _ in range(10)]
    may_go.set()
    async with asyncio.timeout(SOON):
        done = await asyncio.gather(first, *pages)
    await lane.close()

    assert max(done[1:].count(number) for number in done[1:]) <= 4


class Sized(Item):
    """Says how much it writes, and notes in which transaction it was done."""

    def __init__(self, size: int, done: list[int], begun: list[str]) -> None:
        super().__init__(size)
        self.list, self.begun = done, begun

    def do(self, connection: sqlite3.Connection) -> None:
        assert connection.in_transaction
        self.list.append(len(self.begun))


async def test_one_transaction_writes_a_limited_number_of_bytes_and_the_rest_has_the_next() -> None:
    begun: list[str] = []
    lane = Lane(partial(connect_and_trace, begun), explain, name="lane", writes=True)
    may_go, done = threading.Event(), list[int]()
    first = lane.ask(lambda _: may_go.wait(SOON))
    await asyncio.sleep(0.01)  # until the thread has begun with it
    items = [Sized(MOST_BYTES_AT_ONCE // 4, done, begun) for _ in range(10)]
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for item in items:
            group.create_task(lane.finish(item))
        await asyncio.sleep(0)
        may_go.set()
    await first
    await lane.close()

    sizes = [done.count(number) for number in sorted(set(done))]
    assert sum(sizes) == 10
    assert max(sizes) <= 4


def test_a_patient_thread_checks_less_often_the_longer_nothing_comes() -> None:
    pauses = [pause_after(quiet) for quiet in (0.0, 0.4, 1.0, 5.0, 86_400.0)]

    assert pauses == [0.02, 0.02, 0.05, 0.25, 0.25]


class Untold(Item):
    """Fails when it is told the outcome."""

    def do(self, connection: sqlite3.Connection) -> None:
        """Do nothing."""

    def tell(self) -> None:
        raise RuntimeError("nobody can hear this")


async def test_an_outcome_that_cannot_be_reported_keeps_no_other_from_being(lane: Lane) -> None:
    failures = list[object]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: failures.append(str(context["exception"]))
    )

    lane.put(Untold())
    result = await lane.do(lambda _: 1)

    assert (result, failures) == (1, ["nobody can hear this"])


async def test_what_is_asked_for_in_one_turn_of_the_loop_is_one_transaction() -> None:
    begun: list[str] = []
    lane = Lane(partial(connect_and_trace, begun), explain, name="lane", writes=True)
    await lane.do(lambda _: None)

    numbers = await asyncio.gather(*(lane.do(lambda _: len(begun)) for _ in range(50)))
    await lane.close()

    assert numbers == [2] * 50


class Pair(Item):
    """Two pieces of work, of which each is done by itself if they cannot be done together."""

    def __init__(self, works: Sequence[Callable[[sqlite3.Connection], None]]) -> None:
        super().__init__()
        self.items = [Single(work) for work in works]
        self.is_joint = True

    def do(self, connection: sqlite3.Connection) -> None:
        raise AssertionError("its parts are done")

    def parts(self) -> Sequence[Item]:
        return self.items


class Single(Item):
    """One of them."""

    def __init__(self, work: Callable[[sqlite3.Connection], None]) -> None:
        super().__init__()
        self.work, self.done = work, asyncio.get_running_loop().create_future()

    def do(self, connection: sqlite3.Connection) -> None:
        self.work(connection)


class Half:
    """Does half of the work."""

    def do_all(self, connection: sqlite3.Connection, items: Sequence[Pair]) -> bool:
        for pair in items:
            pair.items[0].work(connection)
        return False


@pytest.mark.parametrize("failing", [None, *FAILING])
async def test_what_cannot_be_done_together_is_undone_and_done_in_parts(
    failing: Callable[[sqlite3.Connection], None] | None,
) -> None:
    lane = Lane(connect, explain, name="lane", writes=True, joint=Half())
    await lane.do(lambda c: c.execute("CREATE TABLE numbers (n NOT NULL, seen)").close())
    pairs = [Pair([putting(1), failing or putting(2)]), Pair([putting(3), putting(4)])]

    for pair in pairs:
        lane.put(pair)
    outcomes = await asyncio.gather(
        *(item.done for pair in pairs for item in pair.items), return_exceptions=True
    )
    there = await lane.do(lambda c: [n for (n,) in c.execute("SELECT n FROM numbers ORDER BY n")])
    await lane.close()

    assert there == ([1, 2, 3, 4] if failing is None else [1, 3, 4])
    assert [outcome is None for outcome in outcomes] == [True, failing is None, True, True]
