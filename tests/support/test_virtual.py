"""The virtual loop leaps over waiting, and a seed repeats its order."""

import asyncio

import pytest

from tests.support.virtual import run_virtually


def order_of(seed: int) -> list[int]:
    async def program() -> list[int]:
        order: list[int] = []

        async def note(number: int) -> None:
            for _ in range(3):
                await asyncio.sleep(1.0)
                order.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(note(number))
        return order

    return run_virtually(program(), seed=seed)


def test_hours_pass_at_once() -> None:
    async def program() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(7200)
        return loop.time() - before

    assert run_virtually(program()) == pytest.approx(7200)


def test_a_seed_repeats_its_order() -> None:
    assert order_of(5) == order_of(5)


def test_seeds_draw_different_orders() -> None:
    assert len({tuple(order_of(seed)) for seed in range(20)}) > 10


def test_a_program_that_hangs_is_ended() -> None:
    async def program() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_virtually(program())
