"""How fast a queue moves, and which changes of a place are told."""

import pytest

from yieldwire.runs.standing import PACE_MOVES, PACE_SECONDS, Pace, Standing


def pace_of(moves: dict[float, int]) -> Pace:
    pace = Pace()
    for time, moved in moves.items():
        pace.see(time, moved)
    return pace


def test_no_pace_is_known_until_the_queue_has_moved() -> None:
    pace = pace_of({0.0: 0, 1.0: 0, 30.0: 0})

    assert pace.seconds_for(1, 30.0) is None


def test_the_time_for_some_runs_is_that_which_as_many_took() -> None:
    pace = pace_of({0.0: 0, 10.0: 1, 20.0: 1})

    assert pace.seconds_for(1, 20.0) == 10.0
    assert pace.seconds_for(4, 20.0) == 40.0
    assert pace.seconds_for(1, 40.0) == 20.0


def test_a_pace_follows_the_newest_moves() -> None:
    pace = pace_of({0.0: 0, **{10.0 * n: 1 for n in range(1, 40)}})
    slow = pace.seconds_for(1, 390.0)
    for n in range(1, PACE_MOVES + 1):
        pace.see(390.0 + n, 1)

    assert slow == pytest.approx(10.0)
    assert pace.seconds_for(1, 440.0) == pytest.approx(1.0, rel=0.05)


def test_a_queue_that_has_stood_still_for_long_has_no_pace() -> None:
    pace = pace_of({0.0: 0, 10.0: 5})
    pace.see(11.0 + PACE_SECONDS, 0)

    assert pace.seconds_for(1, 11.0 + PACE_SECONDS) is None


@pytest.mark.parametrize(
    ("old", "new", "is_told"),
    [
        (Standing(3), Standing(3), False),
        (Standing(3), Standing(2), True),
        (Standing(None), Standing(2), True),
        (Standing(2), Standing(2, 9.0), True),
        (Standing(2, 8.0), Standing(2, 9.0), False),
        (Standing(1000, 8.0), Standing(990, 9.0), False),
        (Standing(1000, 8.0), Standing(970, 9.0), True),
        (Standing(not_before=1.0), Standing(not_before=1.0), False),
        (Standing(not_before=1.0), Standing(not_before=2.0), True),
    ],
)
def test_a_reader_is_told_of_what_matters(old: Standing, new: Standing, *, is_told: bool) -> None:
    assert old.differs(new) is is_told
