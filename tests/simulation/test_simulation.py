"""Whatever order things happen in, and whatever breaks meanwhile, the promises of a run hold."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.link import Witness
from tests.simulation.play import simulate
from tests.stores import broken

SEEDS = 30
"""`make soak` plays 500."""
MOST_SEEDS = 120
"""Enough to find each of the faulty stores below, most of them with the first few."""
CHUNK = 10


class Repeats(broken.Repeats, Witness): ...


class IgnoresTheCursor(broken.IgnoresTheCursor, Witness): ...


class ClaimsTwice(broken.ClaimsTwice, Witness): ...


class LooksTheKeyUpTooEarly(broken.LooksTheKeyUpTooEarly, Witness): ...


class KeepsTheWishToStop(broken.KeepsTheWishToStop, Witness): ...


class PurgesByAge(broken.PurgesByAge, Witness): ...


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_holds_in_every_order(first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            simulate(seed)
        except BaseException as exc:
            exc.add_note(f"Repeat it with: python -m tests.simulation {seed}")
            raise


@pytest.mark.parametrize(
    "store",
    [
        Repeats,
        IgnoresTheCursor,
        ClaimsTwice,
        LooksTheKeyUpTooEarly,
        KeepsTheWishToStop,
        PurgesByAge,
    ],
)
def test_a_simulation_sees_the_fault_of_a_store(store: type[Witness]) -> None:
    with pytest.raises((AssertionError, ExceptionGroup)):
        simulate_all(store)


def simulate_all(store: type[Witness]) -> None:
    for seed in range(MOST_SEEDS):
        simulate(seed, store)
