"""An outlet sends what follows its place, and leaves everything else to its reader."""

import asyncio
from collections.abc import Sequence

import pytest

from yieldwire.log.events import Block, EventType
from yieldwire.runs.outlet import Outlet
from yieldwire.testing.contract.harness import chunks


class Noted(Outlet):
    """Notes what it sends, and fails at one block."""

    def __init__(self, fails_at: int = 0) -> None:
        super().__init__()
        self.sent, self.fails_at = list[int](), fails_at

    def send(self, block: Block) -> bool:
        if block.last == self.fails_at:
            raise ConnectionError("The connection is closed.")
        self.sent.append(block.last)
        return True


def waiting(outlet: Outlet) -> "asyncio.Future[Sequence[Block]]":
    """Let its reader wait."""
    outlet.waiter = waiter = asyncio.get_running_loop().create_future()
    return waiter


async def test_what_follows_is_sent_and_the_reader_waits_on() -> None:
    outlet = Noted()
    waiter = waiting(outlet)

    assert [outlet.deliver(chunks("r1", seq, 1)) for seq in (1, 2)] == [True, True]

    assert (outlet.sent, outlet.seq, waiter.done()) == ([1, 2], 2, False)


async def test_after_a_gap_the_reader_reads_for_itself() -> None:
    outlet = Noted()
    waiter = waiting(outlet)

    assert not outlet.deliver(chunks("r1", 2, 1))

    assert (outlet.sent, outlet.seq, waiter.result()) == ([], 0, ())


async def test_the_end_of_a_run_is_for_the_reader() -> None:
    outlet = Noted()
    waiter, end = waiting(outlet), Block.of_event("r1", 1, EventType.DONE, b"{}")

    assert not outlet.deliver(end)

    assert (outlet.sent, waiter.result()) == ([], (end,))


async def test_an_error_of_the_connection_is_the_readers_and_not_the_appends() -> None:
    outlet = Noted(fails_at=1)
    waiter = waiting(outlet)

    assert not outlet.deliver(chunks("r1", 1, 1))

    assert outlet.seq == 1  # it counts as sent
    with pytest.raises(ConnectionError):
        waiter.result()


async def test_a_reader_that_was_cancelled_is_left_alone() -> None:
    outlet = Outlet()
    waiting(outlet).cancel()

    assert not outlet.deliver(chunks("r1", 1, 1))

    outlet.wake()
    assert not outlet.deliver(chunks("r1", 2, 1))
