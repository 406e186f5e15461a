"""How long a queue is, and how many runs are before one of those that wait in it."""

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from yieldwire.stores.line import NOBODY, Line, QueuedGroup, QueuedPlace
from yieldwire.stores.queue import Waiting, next_in_line


class Queued(NamedTuple):
    caller: str
    priority: int = 0


def line_of(runs: list[Queued], taken: dict[str, int]) -> Line:
    groups, places = dict[Queued, QueuedGroup](), dict[str, QueuedPlace]()
    for number, run in enumerate(runs):
        known = groups.get(run, QueuedGroup(*run, 0, number))
        places[str(number)] = QueuedPlace(*run, number, known.size)
        groups[run] = known._replace(size=known.size + 1)
    return Line([*groups.values()], taken, places, 0.0)


def order_of(runs: list[Queued], taken: dict[str, int]) -> list[str]:
    """Return the runs in the order in which they are taken, if none ends."""
    counts, order = Counter({("count", caller): count for caller, count in taken.items()}), []
    left = [Waiting("count", run.caller, run.priority, number) for number, run in enumerate(runs)]
    while (run := next_in_line(left, counts)) is not None:
        left.remove(run)
        counts["count", run.quota_key] += 1
        order.append(str(run.number))
    return order


def test_a_queue_in_which_nobody_waits_has_no_depth() -> None:
    assert (NOBODY.depth, NOBODY.before(), NOBODY.since) == (0, {}, None)


def test_an_owner_with_a_single_run_is_before_the_flood_of_another() -> None:
    flood = [Queued("flood")] * 10_000

    before = line_of([*flood, Queued("single")], {"flood": 1}).before()

    assert (before["10000"], before["0"], before["9999"]) == (0, 1, 10_000)


def test_a_place_without_its_group_is_left_out() -> None:
    line = line_of([Queued("a"), Queued("b")], {})

    assert line._replace(groups=line.groups[:1]).before() == {"0": 0}


RUNS = st.lists(st.builds(Queued, st.sampled_from("abcd"), st.integers(0, 2)), max_size=40)
TAKEN = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4))


@given(RUNS, TAKEN)
def test_as_many_runs_are_before_one_as_are_taken_before_it(
    runs: list[Queued], taken: dict[str, int]
) -> None:
    before = line_of(runs, taken).before()

    for place, run_id in enumerate(order_of(runs, taken)):
        assert 0 <= before[run_id] - place <= len({run.caller for run in runs}) - 1


@given(st.permutations("abcdefgh"), st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 4)))
def test_the_number_is_exact_for_the_first_run_of_each_caller(
    callers: list[str], taken: dict[str, int]
) -> None:
    runs = [Queued(caller) for caller in callers]

    before = line_of(runs, taken).before()

    assert sorted(before, key=before.__getitem__) == order_of(runs, taken)
