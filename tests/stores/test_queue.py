"""Who is next in line for a worker."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.stores.queue import Slots, Waiting, next_in_line


def waiting(caller: str, number: int, *, action: str = "count", priority: int = 0) -> Waiting:
    return Waiting(action, caller, priority, number)


def test_nobody_is_next_where_nobody_waits() -> None:
    assert next_in_line([], {}) is None


def test_among_equals_the_oldest_is_next() -> None:
    assert next_in_line([waiting("b", 2), waiting("a", 1)], {}) == waiting("a", 1)


def test_a_caller_with_fewer_runs_in_progress_is_next_over_all_their_actions() -> None:
    taken = {("count", "a"): 1, ("other", "a"): 2, ("count", "b"): 2}

    assert next_in_line([waiting("a", 1), waiting("b", 9)], taken) == waiting("b", 9)


def test_a_priority_outweighs_everything_else() -> None:
    high = waiting("a", 9, priority=1)

    assert next_in_line([waiting("b", 1), high], {("count", "a"): 7}) == high


@pytest.mark.parametrize(
    ("slots", "is_free"),
    [
        (Slots(), True),
        (Slots(total=4), True),
        (Slots(total=3), False),
        (Slots(each=3), True),
        (Slots(each=2), False),
        (Slots(total=4, each=2), False),
    ],
)
def test_an_action_without_a_free_slot_is_passed_over(slots: Slots, *, is_free: bool) -> None:
    taken = {("count", "a"): 2, ("count", "b"): 1, ("other", "a"): 9}
    other = waiting("a", 2, action="other")

    found = next_in_line([waiting("a", 1), other], taken, {"count": slots})

    assert found == (waiting("a", 1) if is_free else other)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=6),
)
def test_no_caller_waits_for_more_than_one_run_of_another(callers: list[str], workers: int) -> None:
    # Runs end in the order in which they were taken, and all workers are busy.
    line = [waiting(caller, number) for number, caller in enumerate(callers)]
    working: list[str] = []
    while line:
        if len(working) == workers:
            working.pop(0)
        run = next_in_line(line, {("count", each): n for each, n in Counter(working).items()})
        assert run is not None
        others = Counter(working)
        for left in {each.quota_key for each in line}:
            assert others[run.quota_key] <= others[left]
        line.remove(run)
        working.append(run.quota_key)
