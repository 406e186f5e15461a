"""Validation of settings, by rules in their types.

A class is decorated with `settings`, and the type of each of its parameters has a rule:
``grace: Seconds``. A keyword that is not a parameter and a value that breaks its rule are
reported where they are given, in one line that says what to write. Rules that need more than
this module knows are defined next to their subject.
"""

import math
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import wraps
from inspect import signature
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from yieldwire.errors import UsageError

T = TypeVar("T")

_SHOWN: Final = 80
"""The maximum length of a value in a message, in characters."""
_MOST: Final = 2**63
"""Whole numbers are below this, so that every store can keep them."""
_DURATION: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(|ms|s|m|min|h|d)\s*")
_UNITS: Final = {"": 1, "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]*@")


def _no_hint(_value: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule for a setting.

    Attributes:
        fits: Whether a value is valid.
        wanted: What is valid, in words that follow "is not".
        hint: What to write instead of an invalid value; ``""`` if unknown.
        is_secret: Whether a message must not show the value.
    """

    fits: Callable[[Any], bool]
    wanted: str
    hint: Callable[[Any], str] = _no_hint
    is_secret: bool = False

    def fault(self, value: object) -> str | None:
        """Return why ``value`` is invalid, and what to write; ``None`` if it is valid."""
        if self.fits(value):
            return None
        hint = self.hint(value)
        return f"is not {self.wanted}" + (f"; {hint}" if hint else "")


Rules: TypeAlias = Mapping[str, Rule]


def fault_of(given: Mapping[str, object], rules: Rules) -> str | None:
    """Return what is wrong with settings, in one line; ``None`` if nothing is."""
    for name, value in given.items():
        if name not in rules:
            return f"there is no setting {name}=; {_other(name, rules)}"
        if (fault := rules[name].fault(value)) is not None:
            told = "…" if rules[name].is_secret else shown(value)
            return f"{name}={told} {fault}"
    return None


def sentence(owner: str, fault: str) -> str:
    """Return the message for a fault of ``owner``."""
    return f"{owner}: {fault}" + ("" if fault.endswith("?") else ".")


_SETTINGS: Final = set[type]()
"""Every class of settings."""


def settings(kind: type[T]) -> type[T]:
    """Make a class check its arguments, by the rules in their types.

    Creating an instance raises `UsageError` for an argument that its rule does not allow.
    """
    make: Callable[..., None] = kind.__init__
    rules = rules_of(make)
    _self, *parameters = signature(make).parameters.values()
    by_place = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]

    @wraps(make)
    def __init__(self: T, *args: object, **given: object) -> None:  # noqa: N807 - it is one
        placed = dict(zip(by_place, args, strict=False))
        fault = fault_of({**placed, **given}, rules)
        if fault is not None:
            raise UsageError(sentence(type(self).__name__, fault))
        make(self, *args, **given)

    kind.__init__ = __init__  # type: ignore[assignment]
    _SETTINGS.add(kind)
    return kind


def rules_of(owner: Callable[..., object]) -> Rules:
    """Return the rules in the types of a function's parameters, or of a ``TypedDict``'s keys."""
    hints = get_type_hints(owner, include_extras=True)
    return {name: _rule_in(hint) for name, hint in hints.items() if name != "return"}


def _rule_in(hint: Any) -> Rule:  # noqa: ANN401 - a type
    arguments = get_args(hint)
    match get_origin(hint):
        case typing.Annotated:
            return next((extra for extra in arguments if isinstance(extra, Rule)), ANYTHING)
        case typing.Union | types.UnionType:
            members = [each for each in arguments if each is not types.NoneType]
            return optional(_rule_in(members[0])) if len(members) == 1 else ANYTHING
        case typing.Literal:
            return one_of(*arguments)
        case _:
            return instance(hint) if hint in _SETTINGS else _PLAIN.get(hint, ANYTHING)


def shown(value: object) -> str:
    """Return a value for a message: short, in one line, without a URL's password."""
    if isinstance(value, (list, tuple)):
        text = f"[{', '.join(map(shown, value))}]"
    else:
        text = _CREDENTIALS.sub("…@", " ".join(_written(value).split()))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _written(value: object) -> str:
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return name
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - the message is about something else
        return f"<{type(value).__name__}>"


def _other(name: str, rules: Rules) -> str:
    near = get_close_matches(name, rules, n=1)
    return f"did you mean {near[0]}=?" if near else f"there are {', '.join(rules)}"


# Rules.


def is_number(value: object) -> bool:
    """Return whether ``value`` is a finite number; a `bool`, although an `int`, is not."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= sys.float_info.max  # false for NaN and for a larger `int`


def _seconds_hint(value: object) -> str:
    if isinstance(value, timedelta):
        return f"write {value.total_seconds():g}"
    written = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return f"write {float(written[1]) * _UNITS[written[2]]:g}" if written else ""


ANYTHING: Final = Rule(lambda _value: True, "")
FLAG: Final = Rule(lambda value: isinstance(value, bool), "True or False")
TEXT: Final = Rule(lambda value: isinstance(value, str), "a string")
SECONDS: Final = Rule(
    lambda value: is_number(value) and value >= 0,
    "a number of seconds (0 or more)",
    _seconds_hint,
)
SOME_SECONDS: Final = Rule(
    lambda value: is_number(value) and value > 0,
    "a number of seconds above 0",
    _seconds_hint,
)
NUMBER: Final = Rule(is_number, "a finite number")
_PLAIN: Final[Mapping[object, Rule]] = {bool: FLAG, str: TEXT}
"""The rules of types that need no other."""


def count(least: int) -> Rule:
    """Return the rule for a whole number that is at least ``least``."""
    return Rule(
        lambda value: is_number(value) and isinstance(value, int) and least <= value < _MOST,
        f"a whole number ({least} or more)",
    )


Seconds: TypeAlias = Annotated[float, SECONDS]
SomeSeconds: TypeAlias = Annotated[float, SOME_SECONDS]
"""More than 0."""
Count: TypeAlias = Annotated[int, count(1)]
"""1 or more."""
CountOrZero: TypeAlias = Annotated[int, count(0)]
Whole: TypeAlias = Annotated[
    int,
    Rule(
        lambda value: is_number(value) and isinstance(value, int) and -_MOST < value < _MOST,
        "a whole number",
    ),
]


def optional(rule: Rule) -> Rule:
    """Return a rule that also accepts ``None``."""

    def hint(value: object) -> str:
        is_endless = isinstance(value, float) and value == math.inf
        if is_endless and rule.hint is _seconds_hint:
            return "write None for no limit"
        return rule.hint(value)

    return Rule(
        lambda value: value is None or rule.fits(value),
        f"{rule.wanted} or None",
        hint,
        is_secret=rule.is_secret,
    )


def one_of(*values: str) -> Rule:
    """Return the rule for one of a few strings."""

    def hint(value: object) -> str:
        near = get_close_matches(value.upper(), values, n=1) if isinstance(value, str) else []
        return f"write {near[0]!r}" if near else ""

    wanted = " or ".join(map(repr, values))
    return Rule(lambda value: isinstance(value, str) and value in values, wanted, hint)


def instance(kind: type) -> Rule:
    """Return the rule for an object of a class of settings."""
    name = kind.__name__

    def hint(value: object) -> str:
        if isinstance(value, dict):
            return (
                f"write {name}({', '.join(f'{key}={shown(each)}' for key, each in value.items())})"
            )
        return f"write {name}(...)"

    return Rule(lambda value: isinstance(value, kind), f"a {name}", hint)


def having(*names: str, wanted: str) -> Rule:
    """Return the rule for an object, and not a class, that has attributes of these names."""
    return Rule(
        lambda value: not isinstance(value, type) and all(hasattr(value, each) for each in names),
        wanted,
        lambda value: f"write {value.__name__}(...)" if isinstance(value, type) else "",
    )


def function_of(*parameters: str) -> Rule:
    """Return the rule for a callable that takes these parameters."""
    wanted = f"a function of {', '.join(parameters) or 'nothing'}"
    return Rule(lambda value: callable(value) and accepts(value, len(parameters)), wanted)


def accepts(function: Callable[..., object], arguments: int) -> bool:
    """Return whether a function can be called with that number of ``arguments``."""
    try:
        signature(function).bind(*range(arguments))
    except TypeError:
        return False
    except ValueError:
        return True  # a built-in function without a signature
    return True


def each(rule: Rule, wanted: str) -> Rule:
    """Return the rule for a list whose items match ``rule``; a string is not a list."""

    def is_list(value: object) -> bool:
        return isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (str, bytes))

    def hint(value: object) -> str:
        if not is_list(value):
            return f"write [{shown(value)}]" if rule.fits(value) else ""
        bad = next(item for item in _items(value) if not rule.fits(item))
        return f"{shown(bad)} {rule.fault(bad)}"

    def fits(value: object) -> bool:
        return is_list(value) and all(map(rule.fits, _items(value)))

    return Rule(fits, f"a list of {wanted}", hint)


def _items(value: Any) -> list[object]:  # noqa: ANN401 - a sequence or a set
    return list(value)
