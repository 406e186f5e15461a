"""A clock that tests move."""

import pytest

from yieldwire.testing import MovingClock


def test_the_clock_does_not_move_by_itself() -> None:
    clock = MovingClock(now=100.0)

    assert (clock.now(), clock.now()) == (100.0, 100.0)
    assert clock.monotonic() == clock.monotonic()


def test_time_passes_on_both_clocks() -> None:
    clock = MovingClock(now=100.0)
    before = clock.monotonic()

    clock.advance(2.5)

    assert (clock.now(), clock.monotonic() - before) == (102.5, 2.5)


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_jump_moves_the_wall_clock_alone(seconds: float) -> None:
    clock = MovingClock(now=10_000.0)
    before = clock.monotonic()

    clock.jump(seconds)

    assert (clock.now(), clock.monotonic()) == (10_000.0 + seconds, before)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="Time does not go back"):
        MovingClock().advance(-1)
