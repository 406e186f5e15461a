"""A setting is checked where it is given, and what is wrong is told in one line."""

import inspect
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yieldwire.actions.action import Options
from yieldwire.actions.declare import FeedOptions
from yieldwire.actions.ratelimit import RateLimit
from yieldwire.app import App
from yieldwire.asgi import Actions
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.safety import Safety
from yieldwire.client.patience import Patience
from yieldwire.clock import Timing
from yieldwire.errors import UsageError
from yieldwire.executors import RunLimits
from yieldwire.runs.access import Identity
from yieldwire.setting import (
    ANYTHING,
    FLAG,
    SECONDS,
    SOME_SECONDS,
    TEXT,
    Count,
    Rule,
    count,
    each,
    fault_of,
    function_of,
    one_of,
    optional,
    rules_of,
    settings,
    shown,
)
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

CLASSES: list[Any] = [
    Actions,
    App,
    RequestLimits,
    Identity,
    RunLimits,
    MemoryStore,
    Options,
    Patience,
    RateLimit,
    SQLiteStore,
    Safety,
    Timing,
]
UNCHECKED = {"asks", "inbox", "labels", "result"}
"""Settings that are looked at where they are used."""
REQUIRED: dict[Any, dict[str, Any]] = {
    Identity: {"owner": "ada"},
    RateLimit: {"rate": "1/hour"},
    SQLiteStore: {"path": "runs.db"},
}
each_class = pytest.mark.parametrize("kind", CLASSES, ids=[kind.__name__ for kind in CLASSES])


@each_class
def test_every_setting_has_a_rule(kind: Any) -> None:  # noqa: ANN401 - a class
    rules = rules_of(kind.__init__)

    assert list(rules) == list(inspect.signature(kind).parameters)
    assert {name for name, rule in rules.items() if rule is ANYTHING} <= UNCHECKED


def test_the_keywords_of_an_action_are_its_options_with_the_same_types() -> None:
    # Of `result`, which has a form of its own, type checkers learn the type of the result.
    options = get_type_hints(Options, include_extras=True)

    assert get_type_hints(FeedOptions, include_extras=True) == {
        name: hint for name, hint in options.items() if name not in {"result", "is_feed"}
    }


@each_class
def test_every_default_keeps_its_rule(kind: Any) -> None:  # noqa: ANN401 - a class
    given = REQUIRED.get(kind, {})
    defaults = {
        name: each.default
        for name, each in inspect.signature(kind).parameters.items()
        if name not in given and name != "clock"  # that of `Patience` is made when it is needed
    }

    assert fault_of(defaults, rules_of(kind.__init__)) is None


class Hostile:
    """An object whose text has many lines."""

    def __repr__(self) -> str:
        return "one\ntwo\u2028" + "x" * 500


class Silent:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


ODD: list[Any] = [
    Hostile(),
    object(),
    b"x",
    {"a": 1},
    {1},
    math.nan,
    math.inf,
    -1,
    True,
    "",
    "5s",
    1 + 2j,
    Decimal(1),
    timedelta(seconds=1),
    int,
    len,
    [[]],
    [None],
    (1, "a"),
    "x" * 1000,
    "\ud800",
    10**400,
    10**5000,
    Silent(),
]


@each_class
def test_an_odd_value_is_taken_or_told_in_one_line(kind: Any) -> None:  # noqa: ANN401
    for name in rules_of(kind.__init__):
        for value in ODD:
            try:
                kind(**{**REQUIRED.get(kind, {}), name: value})
            except UsageError as exc:
                message = str(exc)
                assert message.startswith(f"{kind.__name__}: {name}=")
                assert len(message.splitlines()) == 1


@each_class
def test_an_unknown_keyword_is_told_with_the_one_that_is_near(kind: Any) -> None:  # noqa: ANN401
    name = next(iter(rules_of(kind.__init__)))

    with pytest.raises(UsageError, match=rf"no setting {name}x=; did you mean {name}=\?$"):
        kind(**{**REQUIRED.get(kind, {}), name + "x": 1})
    with pytest.raises(UsageError, match=rf"no setting qqq=; there are {name}\b.*\.$"):
        kind(**{**REQUIRED.get(kind, {}), "qqq": 1})


def test_settings_can_be_copied_with_a_change_which_is_checked() -> None:
    assert replace(Timing(), grace=3.0).grace == 3.0
    with pytest.raises(UsageError, match="Timing: grace=-3 is not"):
        replace(Timing(), grace=-3)


def test_a_subclass_is_told_of_by_its_own_name() -> None:
    class Shop(Actions):
        pass

    with pytest.raises(UsageError, match=r"^Shop: max_runs=0 is not"):
        Shop(max_runs=0)


def test_values_by_place_are_checked_too() -> None:
    @settings
    @dataclass
    class Pair:
        name: str
        times: Count = 1

    assert Pair("a", 2) == Pair(name="a", times=2)
    with pytest.raises(UsageError, match="Pair: times=0 is not"):
        Pair("a", 0)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (SECONDS, 0),
        (SECONDS, 0.5),
        (SOME_SECONDS, 1e9),
        (optional(SECONDS), None),
        (count(0), 0),
        (FLAG, False),
        (one_of("A", "B"), "B"),
        (each(TEXT, "strings"), []),
        (each(TEXT, "strings"), {"a"}),
        (each(TEXT, "strings"), ("a", "b")),
        (function_of("x"), str),
        (function_of("x"), lambda x, y=1: None),
        (function_of("x", "y"), lambda *all_of_them: None),
    ],
)
def test_a_value_that_fits_has_no_fault(rule: Rule, value: object) -> None:
    assert rule.fault(value) is None


@pytest.mark.parametrize(
    ("rule", "value", "fault"),
    [
        (SECONDS, -0.1, "is not a number of seconds (0 or more)"),
        (SECONDS, True, "is not a number of seconds (0 or more)"),
        (SECONDS, "1.5 min", "is not a number of seconds (0 or more); write 90"),
        (SOME_SECONDS, 0, "is not a number of seconds above 0"),
        (SOME_SECONDS, math.nan, "is not a number of seconds above 0"),
        (optional(SOME_SECONDS), "2h", "is not a number of seconds above 0 or None; write 7200"),
        (count(1), 1.0, "is not a whole number (1 or more)"),
        (FLAG, 0, "is not True or False"),
        (one_of("POST", "GET"), "post", "is not 'POST' or 'GET'; write 'POST'"),
        (each(TEXT, "strings"), "a", "is not a list of strings; write ['a']"),
        (each(TEXT, "strings"), ["a", 1], "is not a list of strings; 1 is not a string"),
        (each(TEXT, "strings"), {"a": 1}, "is not a list of strings"),
        (function_of("x"), "x", "is not a function of x"),
        (function_of(), lambda x: None, "is not a function of nothing"),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_would(
    rule: Rule, value: object, fault: str
) -> None:
    assert rule.fault(value) == fault


@given(st.text(max_size=200))
def test_a_value_is_shown_in_one_short_line(text: str) -> None:
    assert len(shown([text]).splitlines()) <= 1
    assert len(shown(text)) <= 81


def test_a_password_is_not_shown() -> None:
    assert shown("redis://ada:secret@db:6379/0") == "'redis://…@db:6379/0'"
    with pytest.raises(UsageError, match=r"store='mongodb://…@db' is not"):
        Actions(store="mongodb://ada:secret@db")
