"""What is plain JSON, and where a value is not."""

import math
from collections import OrderedDict
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from yieldwire.log.jsonvalue import json_fault


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


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({1}, "state is a set"),
        (b"a", "state is a bytes"),
        (Decimal(1), "state is a decimal.Decimal"),
        (date(2026, 1, 1), "state is a datetime.date"),
        (math.nan, "state is nan"),
        (-math.inf, "state is -inf"),
        ("\ud800", "state has half of a surrogate pair"),
        (object, "state is a type"),
        ({1: "a"}, "state has the key 1, which is not a string"),
        ({"rows": [1, {"at": {2}}]}, "state['rows'][1]['at'] is a set"),
        (((1, (b"",)),), "state[0][1][0] is a bytes"),
        (LOOP, "state[0][0][0][0][0][0][0][0][0][0][0][0… is nested too deeply"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_plain_json_is_named_with_its_place(value: object, fault: str) -> None:
    assert json_fault(value, "state") == fault
