"""Which functions can be actions, and what their annotations mean."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from annotated_types import Ge

from yieldwire.actions.function import check_function, hints_of, name_of
from yieldwire.actions.schema import inspect_action
from yieldwire.errors import InvalidAction


async def pay(amount: int) -> int:
    return amount


class Shop:
    async def pay(self, amount: int) -> int:
        return amount

    @classmethod
    async def open(cls, amount: int) -> int:
        return amount

    @staticmethod
    async def refund(amount: int) -> int:
        return amount


@functools.cache
def price(amount: int) -> int:
    return amount


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        return await function(*args, **kwargs)

    return call


@pytest.mark.parametrize(
    "function",
    [pay, Shop().pay, Shop.open, Shop.refund, price, logged(pay), lambda amount: amount],
    ids=name_of,
)
def test_whatever_is_a_function_can_be_an_action(function: Callable[..., object]) -> None:
    check_function(function)

    assert list(inspect_action(function).input_schema()["properties"]) == ["amount"]


class Callable_:  # noqa: N801 - not the typing one
    def __call__(self, amount: int) -> int:
        return amount


def test_a_method_of_a_local_class_is_a_method_too() -> None:
    class Local:
        async def annotated(self: "Local", amount: int) -> int:
            return amount

    with pytest.raises(InvalidAction, match=r"Local\.annotated: the parameter 'self' would be"):
        check_function(Local.annotated)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (functools.partial(pay, 1), r"a functools.partial has no name; .* calls pay"),
        (Callable_(), "an object of the class Callable_ is not a function"),
        (Callable_, "a class is not a function"),
        (Shop.__dict__["open"], "a classmethod is not a function yet"),
        (3, "3: this is not a function; options have names"),
    ],
)
def test_what_is_not_a_function_is_told_why(function: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(InvalidAction, match=message):
        check_function(function)


def annotated(**annotations: object) -> Callable[..., object]:
    async def act(row: object, rows: object) -> None: ...

    act.__annotations__ = annotations
    return act


@pytest.mark.parametrize(
    ("annotations", "place"),
    [
        ({"row": "Row"}, "the parameter 'row' names 'Row'"),
        ({"row": "int", "rows": "dict[str, list[Row]]"}, "the parameter 'rows' names 'Row'"),
        ({"rows": list["Row"]}, "the parameter 'rows' names 'Row'"),  # type: ignore[name-defined] # noqa: F821
        ({"row": "int", "return": "AsyncIterator[int]"}, "its return type names 'AsyncIterator'"),
    ],
    ids=str,
)
def test_a_name_that_is_not_known_is_told_with_its_place_and_a_cure(
    annotations: dict[str, object], place: str
) -> None:
    cure = "top level of its module, or remove `from __future__ import annotations`"

    with pytest.raises(InvalidAction, match=f"^{inspect.cleandoc(place)}|act: {place}.*{cure}"):
        hints_of(annotated(**annotations))


@pytest.mark.parametrize("broken", ["int |", "inspect.nothing", "int[", "list[int"])
def test_an_annotation_that_cannot_be_read_is_told(broken: str) -> None:
    with pytest.raises(InvalidAction, match=r"act: its annotations cannot be read: [^\n]+\.$"):
        hints_of(annotated(row=broken))


def test_hints_keep_their_extras() -> None:
    async def act(amount: Annotated[int, Ge(1)]) -> None: ...

    assert hints_of(act) == {"amount": Annotated[int, Ge(1)], "return": type(None)}
