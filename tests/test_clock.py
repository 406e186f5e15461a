"""The machine's own clocks."""

from yieldwire.clock import SystemClock


def test_the_systems_clock_tells_seconds_since_the_epoch() -> None:
    assert SystemClock().now() > 1_700_000_000


def test_the_systems_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()

    times = [clock.monotonic() for _ in range(100)]

    assert times == sorted(times)
