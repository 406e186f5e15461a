"""The result of a step is recorded by its function's return type, and read back the same."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from yieldwire.actions.retry import Retry
from yieldwire.actions.step import Step
from yieldwire.errors import ActionError, InvalidOutput, UsageError


class Review(BaseModel, strict=True):
    """A model with an alias, and types that JSON does not have."""

    summary: str = Field(alias="Summary")
    on: date


@dataclass(frozen=True)
class Point:
    """A dataclass."""

    x: Decimal
    tags: frozenset[str]


def step(function: Callable[..., object], *args: object, name: str = "s", **keywords: Any) -> Step:  # noqa: ANN401 - a function's own
    return Step(name, function, args, keywords)


def review() -> Review:
    return Review(Summary="good", on=date(2026, 5, 1))


def point() -> Point:
    return Point(Decimal("1.50"), frozenset({"a"}))


def rows() -> list[datetime]:
    return [datetime(2026, 5, 1, tzinfo=UTC)]


def pairs() -> tuple[tuple[int, str], ...]:
    return ((1, "a"),)


async def later() -> Point:
    return point()


def promised() -> Awaitable[Point]:
    return later()


class Maker:
    """An object that is called."""

    def __call__(self) -> UUID:
        return UUID(int=7)

    def method(self) -> Point | None:
        return None


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (review, review()),
        (point, point()),
        (rows, rows()),
        (pairs, pairs()),
        (later, point()),
        (promised, point()),
        (partial(point), point()),
        (Maker(), UUID(int=7)),
        (Maker().method, None),
        (Decimal, Decimal("1.5")),
        (lambda: {"plain": [1, "a", None]}, {"plain": [1, "a", None]}),
        (len, 3),
    ],
)
def test_a_result_is_read_back_as_what_it_was(
    function: Callable[..., object], result: object
) -> None:
    made = step(function)

    read = made.read(made.encode("act", result))

    assert (read, type(read)) == (result, type(result))


def test_a_result_that_would_change_without_an_annotation_is_refused() -> None:
    made = step(lambda: (1, 2), name="pair")

    with pytest.raises(UsageError, match=r"step 'pair' is a tuple.*Annotate what .*lambda.* ret"):
        made.encode("act", (1, 2))


def test_a_result_that_is_not_of_the_declared_type_is_refused() -> None:
    with pytest.raises(InvalidOutput, match=re.escape("act: step('s').x does not match")):
        step(point).encode("act", {"x": "much", "tags": []})


def test_a_type_that_cannot_be_recorded_is_told() -> None:
    def opened() -> Coroutine[Any, Any, partial[int]]:
        raise NotImplementedError

    with pytest.raises(UsageError, match=r"The step 's' cannot record what .*opened returns"):
        step(opened).read(b"1")


def test_a_recorded_result_of_another_type_is_told() -> None:
    with pytest.raises(UsageError, match=r"The recorded result of the step 's' does not match"):
        step(point).read(b'{"x":1}')


@pytest.mark.parametrize("name", ["", "x" * 201, "row#2", 7])
def test_a_name_is_a_short_string_without_a_number_sign(name: Any) -> None:  # noqa: ANN401 - the point
    with pytest.raises(UsageError, match="cannot be a step's name"):
        Step(name, point, (), {})


def test_its_retries_are_not_the_functions() -> None:
    made = step(lambda a, *, b: [a, b], 1, b=2, retries=3)

    assert made.retry == Retry(3)
    assert made.call() == [1, 2]


def test_a_wrong_number_of_retries_is_told() -> None:
    with pytest.raises(UsageError, match=re.escape("step('s'): retries='3' is not a whole number")):
        step(point, retries="3")


def test_it_is_tried_again_after_any_exception_or_after_those_that_are_named() -> None:
    error = ActionError("BUSY", "Later.")

    assert [step(point, retries=2).repeats(error, n) for n in (1, 2, 3)] == [True, True, False]
    assert step(point, retries=Retry(1, on=["BUSY"])).repeats(error, 1)
    assert not step(point, retries=Retry(1, on=[OSError])).repeats(error, 1)


@pytest.mark.parametrize(
    ("function", "is_async"),
    [(later, True), (partial(later), True), (promised, False), (point, False), (Maker(), False)],
)
def test_only_a_coroutine_function_belongs_in_the_loop(
    function: Callable[..., object], *, is_async: bool
) -> None:
    assert step(function).is_async is is_async
