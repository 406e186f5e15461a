import pytest

from yieldwire.client.patience import Backoff, Lost, Patience
from yieldwire.errors import ActionError, Unreachable


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Waits(list[float]):
    async def sleep(self, seconds: float) -> None:
        self.append(seconds)


async def test_a_wait_is_twice_the_one_before_up_to_a_bound() -> None:
    waits = Waits()
    backoff = Backoff(Patience(sleep=waits.sleep, chance=lambda: 1.0, backoff_max=3.0))

    for _ in range(5):
        await backoff.pause(Lost("gone"))

    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


async def test_chance_takes_up_to_half_of_a_wait() -> None:
    waits = Waits()
    backoff = Backoff(Patience(sleep=waits.sleep, chance=lambda: 0.0))

    await backoff.pause(Lost("gone"))

    assert waits == [0.25]


async def test_a_wait_that_the_server_asks_for_is_not_cut_short() -> None:
    waits = Waits()
    backoff = Backoff(Patience(sleep=waits.sleep, chance=lambda: 0.0))

    await backoff.pause(Lost("later", after=20.0))

    assert waits == [20.0]


async def test_the_last_try_raises_what_was_wrong() -> None:
    backoff = Backoff(Patience(sleep=Waits().sleep, tries=2))
    await backoff.pause(Lost("gone"))

    with pytest.raises(Unreachable, match="gone again"):
        await backoff.pause(Lost("gone again"))


async def test_what_the_server_said_is_raised_rather_than_that_it_was_lost() -> None:
    backoff = Backoff(Patience(tries=1))
    said = ActionError("UNAVAILABLE", "Closed for today.", status=503)

    with pytest.raises(ActionError, match="Closed for today"):
        await backoff.pause(Lost("later", error=said))


async def test_keepalives_of_a_connection_that_lived_long_restart_the_count() -> None:
    clock, waits = Clock(), Waits()
    backoff = Backoff(Patience(sleep=waits.sleep, chance=lambda: 1.0, clock=clock, tries=3))
    await backoff.pause(Lost("gone"))
    await backoff.pause(Lost("gone"))

    backoff.connected()
    clock.at = 1.0
    backoff.received(events=False)
    clock.at = 6.0
    backoff.received(events=False)
    await backoff.pause(Lost("gone"))

    assert waits == [0.5, 1.0, 0.5]


async def test_bytes_without_events_soon_after_the_start_do_not() -> None:
    backoff = Backoff(Patience(sleep=Waits().sleep, clock=Clock(), tries=2))
    await backoff.pause(Lost("gone"))

    backoff.connected()
    backoff.received(events=False)

    with pytest.raises(Unreachable, match="gone"):
        await backoff.pause(Lost("gone"))


async def test_that_it_works_again_is_told_once() -> None:
    told = list[str]()
    patience = Patience(sleep=Waits().sleep, restored=lambda: told.append("restored"))
    backoff = Backoff(patience)

    backoff.succeeded()
    await backoff.pause(Lost("gone"))
    backoff.received(events=True)
    backoff.succeeded()

    assert told == ["restored"]
