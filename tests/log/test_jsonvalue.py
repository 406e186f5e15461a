"""What is plain JSON, and where a value is not."""

import math
from collections import OrderedDict
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from yieldwire.log.jsonvalue import Unreadable, check_readable, json_fault


class Colour(StrEnum):
    RED = "red"


PLAIN: list[Any] = [
    None,
    True,
    3,
    -2.5,
    "é\u2028",
    Colour.RED,
    [],
    ("a", 1),
    {"rows": [{"n": 1}, []]},
    OrderedDict(a=1),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_json_has_no_fault_and_can_be_written(value: object) -> None:
    assert json_fault(value) is None
    from_json(to_json(value))


LOOP: list[Any] = []
LOOP.append(LOOP)
LONG = [-(10**4300)]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({1}, "state is a set"),
        (b"a", "state is a bytes"),
        (Decimal(1), "state is a decimal.Decimal"),
        (date(2026, 1, 1), "state is a datetime.date"),
        (math.nan, "state is nan"),
        (LONG, "state[0] has more than 4300 digits"),
        (-math.inf, "state is -inf"),
        ("\ud800", "state has a lone surrogate"),
        (object, "state is a type"),
        ({1: "a"}, "state has the key 1, which is not a string"),
        ({"rows": [1, {"at": {2}}]}, "state['rows'][1]['at'] is a set"),
        (((1, (b"",)),), "state[0][1][0] is a bytes"),
        (LOOP, "state[0][0][0][0][0][0][0][0][0][0][0][0… is nested too deeply"),
    ],
    ids=lambda value: "long" if value is LONG else str(value)[:20],
)
def test_what_is_not_plain_json_is_named_with_its_place(value: object, fault: str) -> None:
    assert json_fault(value, "state") == fault


@pytest.mark.parametrize(
    "value",
    [
        {"rows": [10**4299, -(10**4299)]},
        "1" * 10_000,
        [[[["[", "{"] * 200]]],
        [10**100] * 200,
    ],
)
def test_what_can_be_read_back_is_readable(value: object) -> None:
    check_readable(to_json(value))


@pytest.mark.parametrize("before", [0, 1, 429, 430, 431, 4299, 100_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_of_too_many_digits_is_unreadable_wherever_it_is(before: int, sign: int) -> None:
    data = to_json({"before": "x" * before, "n": sign * 10**4300, "after": [1]})

    with pytest.raises(Unreadable, match="has a number of more than 4300 digits"):
        check_readable(data)


def test_what_nests_too_deep_in_the_middle_is_unreadable() -> None:
    deep: object = 1
    for level in range(189):
        deep = {"a": deep, "b": 1} if level % 2 else [2, deep, []]

    check_readable(to_json({"rows": deep}))
    with pytest.raises(Unreadable, match="nests deeper than 190 levels"):
        check_readable(to_json({"rows": [deep, 3]}))
