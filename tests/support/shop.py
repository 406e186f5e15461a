"""An application with types of every kind: what TypeScript's tests have their types from."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from yieldwire import (
    ActionError,
    Actions,
    Body,
    Progress,
    Result,
    StreamableValue,
    Text,
    Upload,
)

actions = Actions()


class Credit(TypedDict):
    """What is left of the credit."""

    balance: int


class OutOfCredit(ActionError):
    """The caller's credit
    is used up.
    """

    code = "OUT_OF_CREDIT"
    status = 402
    data: Credit


@dataclass
class Summary:
    """What became of a file.

    Example:
        >>> Summary(rows=3).skipped
        0
    """

    rows: int
    skipped: int = 0


@actions.action(errors=[OutOfCredit, "TOO_MANY_ROWS"])
async def import_contacts(
    file: Upload,
    extra: list[Upload] | None = None,
    dry_run: Annotated[bool, Field(description="Write nothing.")] = False,  # noqa: FBT002 - a field of the input
) -> AsyncIterator[Progress | Result[Summary]]:
    """Import contacts from a CSV file."""
    yield Progress(1)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Circle(BaseModel):
    """Whatever is */ round."""

    kind: Literal["circle"] = "circle"
    radius: float = 1


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


Shape = Annotated[Circle | Square, Field(discriminator="kind")]


@actions.action
async def draw(
    shape: Shape, also: list[Shape], tree: Tree | None = None
) -> AsyncIterator[Shape | Text | Progress | Result[Tree]]:
    """Draw a shape */ and another.

    Whatever `it` is.
    """
    yield Text("")


class Pair(NamedTuple):
    first: int
    second: str = ""


class Sparse(TypedDict, total=False):
    x: int


class Order(BaseModel):
    """An order, as it is taken and as it is kept."""

    id: UUID
    at: datetime
    day: date
    price: Decimal
    colour: Colour
    level: Level = Level.LOW
    size: Literal["s", "m", 3] | None = None
    pair: Pair
    both: tuple[int, str | None]
    many: tuple[float, ...]
    tags: set[str | int]
    table: list[list[Colour | None]]
    counts: dict[str, int | None]
    by_colour: dict[Colour, int]
    by_number: dict[int, str]
    by_pattern: dict[Annotated[str, Field(pattern="^x")], int] = {}
    sparse: Sparse
    anything: Any
    note: str | None = None
    raw: bytes = b""


@actions.action
async def keep(order: Annotated[Order, Body()]) -> Order:
    return order


class Loop(RootModel["int | Loop"]):
    """Itself or a number, which is to say: a number."""


class Deep(RootModel["int | list[Deep] | dict[str, Deep]"]):
    """Itself, at any depth."""


class File(BaseModel):
    """A model that is named as what the text itself uses."""

    path: str


class Odd(BaseModel):
    """Names that are hard to write down."""

    model_config = ConfigDict(extra="allow")

    dashed: int = Field(alias="a-b")
    quoted: str = Field(alias='say "x\\\u2028', description="*/ alert(1) /*\u202e")
    proto: int = Field(default=1, alias="__proto__", deprecated=True)
    digit: str = Field(default='"*/', alias="1")


@actions.action
async def echo_odd(
    odd: Odd, loop: Loop, deep: Deep, file: File
) -> tuple[Odd, Loop, Deep, File, Pair]:
    return odd, loop, deep, file, Pair(1)


@actions.action
async def ping() -> None:
    """Take nothing, and answer nothing."""


@actions.feed
async def watch(limit: int = 5) -> AsyncIterator[Any]:
    yield limit


@actions.action
async def count_up(step: int, value: StreamableValue[int]) -> None:
    value.update(step)


class Plan(BaseModel):
    suggestions: list[str]


@actions.action(errors=["BUDGET_EXCEEDED"])
async def suggest_feature(
    page: str, kind: Literal["enhancement", "integration"] = "enhancement"
) -> AsyncIterator[Text | Progress | Result[Plan]]:
    yield Text(page + kind)


class Decision(BaseModel):
    publish: bool
    remark: str = ""


class Wish(BaseModel):
    tone: Literal["warm", "sober"]


@actions.action(asks=(Decision, bool), inbox=Wish)
async def publish(plan: str) -> None:
    """Ask whether to publish a plan."""


@actions.action(inbox=Wish)
async def rewrite(plan: str) -> None:
    """Take wishes."""


def declare_others() -> None:
    """Declare actions with models of a name that is in use."""

    class Summary(BaseModel):
        other: int

    @actions.action
    async def sum_up(of: Summary) -> list[Summary]:
        return [of]


def declare_more() -> None:
    """Declare another with another one."""

    class Summary(BaseModel):
        another: str

    @actions.action
    async def sum_more(of: list[Summary]) -> None: ...


declare_others()
declare_more()
