import pytest

from yieldwire.log.events import Block, EventType
from yieldwire.stores.tails import ENDED_TAILS, Tails

PAGE = 65_536


def block(first: int, count: int = 1, size: int = 1, run: str = "run") -> Block:
    return Block.of_chunks(run, first, [b'"%b"' % (b"x" * size)] * count)


def seqs(tails: Tails, after: int, *, run: str = "run", max_bytes: int = PAGE) -> list[int]:
    return [event.seq for each in tails.page(run, after, max_bytes) for event in each.events()]


@pytest.fixture
def tails() -> Tails:
    return Tails()


def test_what_was_added_is_read_from_any_place_in_it(tails: Tails) -> None:
    tails.add("run", block(1, 3), 1)
    tails.add("run", block(4, 2), 1)

    assert [seqs(tails, after) for after in range(6)] == [
        [1, 2, 3, 4, 5],
        [2, 3, 4, 5],
        [3, 4, 5],
        [4, 5],
        [5],
        [],
    ]


def test_a_page_ends_with_the_block_that_fills_it(tails: Tails) -> None:
    for seq in range(1, 10):
        tails.add("run", block(seq, size=1000), 1)

    assert seqs(tails, 2, max_bytes=2500) == [3, 4, 5]


def test_nothing_is_read_over_a_gap(tails: Tails) -> None:
    tails.add("run", block(1), 1)

    tails.add("run", block(3), 1)

    assert seqs(tails, 0) == []
    assert seqs(tails, 2) == [3]


def test_a_block_that_is_cached_already_changes_nothing(tails: Tails) -> None:
    for seq in range(1, 4):
        tails.add("run", block(seq), 1)

    tails.add("run", block(2), 1)

    assert seqs(tails, 0) == [1, 2, 3]


def test_an_other_block_at_a_place_that_is_cached_replaces_all(tails: Tails) -> None:
    for seq in range(1, 4):
        tails.add("run", block(seq), 1)

    tails.add("run", block(2, size=5), 1)

    assert (seqs(tails, 0), seqs(tails, 1), seqs(tails, 2)) == ([], [2], [])


def test_what_was_trimmed_is_not_read(tails: Tails) -> None:
    tails.add("run", block(1), 1)
    tails.add("run", block(2), 1)

    tails.add("run", block(3), 3)

    assert seqs(tails, 1) == []
    assert seqs(tails, 2) == [3]


def test_one_run_is_remembered_up_to_a_megabyte_and_its_newest_block_always(tails: Tails) -> None:
    for seq in range(1, 31):
        tails.add("run", block(seq, size=100_000), 1)
    assert seqs(tails, 0) == []
    assert len(seqs(tails, 21, max_bytes=10**9)) == 9

    tails.add("run", block(31, size=4_000_000), 1)

    assert seqs(tails, 30) == [31]


def test_all_runs_together_are_remembered_up_to_32_megabytes_the_oldest_are_forgotten(
    tails: Tails,
) -> None:
    names = [f"run{number}" for number in range(100)]

    for name in names:
        tails.add(name, block(1, size=500_000, run=name), 1)

    remembered = [name for name in names if seqs(tails, 0, run=name)]
    assert remembered == names[-len(remembered) :]
    assert 60 <= len(remembered) <= 67


def test_a_run_that_is_forgotten_makes_room(tails: Tails) -> None:
    for number in range(200):
        tails.add(f"run{number}", block(1, size=900_000, run=f"run{number}"), 1)
        if number:
            tails.forget(f"run{number}")

    assert seqs(tails, 0, run="run0") == [1]
    assert seqs(tails, 0, run="run199") == []


def test_of_the_runs_that_have_ended_the_newest_are_remembered(tails: Tails) -> None:
    tails.add("live", block(1, run="live"), 1)
    names = [f"run{number}" for number in range(ENDED_TAILS + 10)]

    for name in names:
        tails.add(name, block(1, run=name).ended(EventType.DONE, b"{}"), 1)

    remembered = [name for name in names if seqs(tails, 0, run=name)]
    assert remembered == names[10:]
    assert seqs(tails, 0, run="live") == [1]


def test_the_end_of_a_log_is_known_until_it_is_in_doubt(tails: Tails) -> None:
    tails.begin("run")
    known = [(tails.has_all("run", 0), tails.has_all("other", 0))]
    tails.doubt()
    known.append((tails.has_all("run", 0), tails.has_all("other", 0)))
    tails.add("run", block(1), 1)
    known.append((tails.has_all("run", 1), tails.has_all("run", 0)))
    tails.add("run", block(2).ended(EventType.DONE, b"{}"), 1)
    known.append((tails.has_all("run", 3), tails.has_all("run", 2)))

    assert known == [(True, False), (False, False), (True, False), (False, False)]


def test_a_new_run_has_no_page(tails: Tails) -> None:
    tails.begin("run")

    assert (seqs(tails, 0), seqs(tails, 1)) == ([], [])
