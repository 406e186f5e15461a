"""Valid parameters, and valid defaults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    HttpUrl,
    SecretStr,
    conint,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

from yieldwire.actions.context import Context
from yieldwire.actions.marker import Body
from yieldwire.actions.parameter import Parameters
from yieldwire.actions.schema import inspect_action
from yieldwire.actions.stream import Stream
from yieldwire.errors import InvalidAction

EMPTY: Any = object()


class Kind(Enum):
    A = "a"


class Order(BaseModel):
    amount: int = 1


@dataclass(frozen=True)
class Point:
    x: int = 0


class Opaque:
    pass


class FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    amount: int = 1


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    value: T


class Late(BaseModel):
    later: "Missing"  # type: ignore[name-defined] # noqa: F821


class OwnContext(Context):
    pass


class OwnStream(Stream[int]):
    carries: ClassVar[str | None] = "stream"


class Celsius:
    """A class that Pydantic makes of a number and writes as one, and takes in no other way."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.float_schema(ge=-273.15),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.degrees
            ),
        )


Aliased = TypeAliasType("Aliased", Context)


def split(text: str) -> list[str]:
    return text.split(",")


def needs_a_database(text: str) -> str:
    raise ConnectionError("no database yet")


def refuses(text: str) -> str:
    raise ValueError("not this")


def taking(annotation: object, default: object = EMPTY) -> Callable[..., object]:
    async def act(first: int, value: object = None) -> None: ...

    act.__annotations__["value"] = annotation
    act.__defaults__ = None if default is EMPTY else (default,)
    return act


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (int, 3),
        (float, 3),
        (Decimal, 1),
        (bool, False),
        (int, True),
        (int | None, None),
        (int, ...),
        (Kind, Kind.A),
        (Literal["a", 1], "a"),
        (Path, Path("x")),
        (date, date(2026, 1, 1)),
        (timedelta, timedelta(seconds=1)),
        (Order, Order()),
        (Point, Point()),
        (Box[int], Box(value=1)),
        (Box[int], Box[int](value=1)),
        (list[int], []),
        (list[int], (1, 2)),
        (Sequence[int], ()),
        (set[str], {"a"}),
        (dict[str, Order], {"a": Order()}),
        (HttpUrl, HttpUrl("https://example.com/")),
        (SecretStr, SecretStr("a")),
        (Celsius, Celsius(20)),
        (Celsius | None, Celsius(20)),
        (conint(ge=1), 1),
        (Annotated[str, Field(min_length=1)], "a"),
        (Annotated[int, Field(ge=1)], Field(1)),
        (Annotated[str, BeforeValidator(str)], "3"),
        (Annotated[str, AfterValidator(split)], "a,b"),
        (Annotated[str, AfterValidator(str.strip)], " a "),
        (Annotated[str, AfterValidator(needs_a_database)], "a"),
        (Annotated[list[int], Field(default_factory=list)], EMPTY),
        (list[int], Field(default_factory=list)),
    ],
)
def test_a_default_that_fits_is_taken(annotation: object, default: object) -> None:
    signature = inspect_action(taking(annotation, default))

    assert list(signature.input_schema()["properties"]) == ["first", "value"]


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (int, "many", r"has the default 'many', which its type refuses \('Input should be a"),
        (str, None, r"default None, which its type refuses .*; write its type with `\| None`"),
        (int, "3", "default '3', which is of the type str and not int; write it as int"),
        (int, 1.5, r"default 1\.5, which its type refuses"),
        (Path, "x", "default 'x', which is of the type str and not PosixPath"),
        (Kind, "a", "default 'a', which is of the type str and not Kind"),
        (timedelta, 30, "default 30, which is of the type int and not timedelta"),
        (HttpUrl, "https://example.com/", "is of the type str and not HttpUrl"),
        (Literal["a"], "b", "default 'b', which its type refuses"),
        (Celsius, Celsius(-300), "which its type refuses"),
        (Celsius, "cold", "cannot be written as JSON"),
        (str, Path("x"), "which its type refuses"),
        (list[int], ["a"], r"default \['a'\], which its type refuses"),
        (Annotated[int, Field(ge=1)], 0, "default 0, which its type refuses"),
        (int, Field("many"), "default 'many', which its type refuses"),
        (Annotated[str, AfterValidator(refuses)], "a", r"\('Value error, not this'\)"),
        (float, float("inf"), "default inf, which its type refuses"),
        (Order, {"amount": 1}, "is of the type dict and not Order; write it as Order"),
        (Point, {"x": 1}, "is of the type dict and not Point; write it as Point"),
        (FromAttributes, Point(), "is of the type Point and not FromAttributes"),
        (Annotated[int, Field(default=3)], EMPTY, r"has its default in Field\(default=3\)"),
        (list[Annotated[int, Field(default=3)]], [], r"has its default in Field\(default=3\)"),
    ],
)
def test_a_default_that_does_not_fit_is_told(
    annotation: object, default: object, message: str
) -> None:
    with pytest.raises(InvalidAction, match=rf"act: the parameter 'value' [^\n]*{message}"):
        inspect_action(taking(annotation, default))


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Opaque, "Unable to generate pydantic-core schema for"),
        (list[Opaque] | None, "Unable to generate pydantic-core schema for"),
        (Callable[[int], str], "Cannot generate a JsonSchema for"),
        (Late, "is not fully defined; you should define `Missing`"),
        (3, "(?:'int' object has no attribute|Unable to generate pydantic-core schema for 3)"),
    ],
)
def test_the_parameter_that_cannot_be_described_is_named(annotation: object, reason: str) -> None:
    told = rf"^\S+: the parameter 'value' has a type that cannot be an input: [^\n]*{reason}[^\n]+$"

    with pytest.raises(InvalidAction, match=told):
        inspect_action(taking(annotation))


def test_a_body_that_cannot_be_described_is_named() -> None:
    async def act(late: Annotated[Late, Body()]) -> None: ...

    with pytest.raises(InvalidAction, match="the parameter 'late' has a type that cannot be"):
        inspect_action(act)


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (Order, Body(), "'value' has Body\\(\\) where it is ignored"),
        (Order, Body, "'value' has Body\\(\\) where it is ignored"),
        (list[Annotated[Order, Body()]], EMPTY, "'value' has Body\\(\\) where it is ignored"),
        (Annotated[Order, Body()], Order(), "'value' is marked Body.*its default is ignored"),
    ],
)
def test_the_mark_of_the_whole_input_is_around_its_type(
    annotation: object, default: object, message: str
) -> None:
    async def act(value: object = None) -> None: ...

    act.__annotations__["value"] = annotation
    act.__defaults__ = None if default is EMPTY else (default,)

    with pytest.raises(InvalidAction, match=message):
        inspect_action(act)


@pytest.mark.parametrize(
    "annotation",
    [Context | None, list[Context], Annotated[Context, "x"], Aliased, dict[str, Stream[int]]],
)
def test_an_injected_type_is_written_by_itself(annotation: object) -> None:
    with pytest.raises(InvalidAction, match="'value' is injected by its type alone"):
        inspect_action(taking(annotation))


@pytest.mark.parametrize(("annotation", "base"), [(OwnContext, "Context"), (OwnStream, "Stream")])
def test_an_injected_type_is_not_a_subclass(annotation: object, base: str) -> None:
    with pytest.raises(InvalidAction, match=f"'value' has the type Own.*; write {base}"):
        inspect_action(taking(annotation))


async def has_ctx(ctx) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001


async def has_request(amount: int, request=None) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001


@pytest.mark.parametrize("function", [has_ctx, has_request])
def test_the_context_has_its_type(function: Callable[..., object]) -> None:
    with pytest.raises(InvalidAction, match="has no type, so it would be an input; write `"):
        inspect_action(function)


async def takes_a_string_of_that_name(context: str) -> None: ...


def test_a_parameter_with_a_type_may_have_any_name() -> None:
    assert inspect_action(takes_a_string_of_that_name).injected == {}


def test_parameters_begin_empty() -> None:
    assert Parameters("act").model("ActInput").model_fields == {}
