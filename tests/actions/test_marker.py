"""Nothing that the author meant to be trusted comes from the request."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path as FilePath
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)

import django.core.files.uploadedfile
import django.http
import fastapi
import litestar
import litestar.datastructures
import litestar.di
import litestar.params
import pydantic.dataclasses
import pytest
import typing_extensions
from annotated_types import Ge, Interval, Len, Predicate
from django.db.models import TextChoices
from fastapi import Cookie, Depends, Header, Path, Query, Security
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    RootModel,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema
from starlette.background import BackgroundTasks
from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from typing_extensions import Doc, TypeAliasType, deprecated

from tests.support.calls import JSON, Call, send
from tests.support.world import opened
from yieldwire import Actions, Body, Caller, Context, Identity, RateLimit, Upload
from yieldwire.actions.context import RequestFacts
from yieldwire.errors import InvalidAction


def current_user() -> str:
    return "ada"


class Inject:
    """A marker of an unknown framework."""


class CurrentUser:
    """A dependency that is an object, as FastAPI takes one too."""

    def __call__(self) -> str:
        return "ada"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A marker that is a dataclass, and can be called."""

    name: str = "user"

    def __call__(self) -> str:
        return self.name


USER = ContextVar[str]("USER")


class OwnRequest(Request):
    pass


class Hidden(BaseModel):
    user: Annotated[str, Depends(current_user)]


class HiddenInExtras(BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, Annotated[str, Depends(current_user)]]  # pyright: ignore[reportIncompatibleVariableOverride]


class InheritsExtras(HiddenInExtras):
    n: int = 1


class WithExtras(BaseModel, extra="allow"):
    n: int = 1


class HiddenDefault(BaseModel):
    user: str = Query("ada")


@dataclasses.dataclass
class HiddenInDataclass:
    user: Annotated[str, Depends(current_user)]


class HiddenInDict(TypedDict):
    user: Annotated[str, Depends(current_user)]


class HiddenInTuple(NamedTuple):
    user: Annotated[str, Depends(current_user)]


class CalledInModel(BaseModel):
    user: Annotated[str, current_user]


class CalledInDataclass(NamedTuple):
    user: Annotated[str, CurrentUser()]


class CalledInDict(TypedDict):
    user: NotRequired[Annotated[str, partial(current_user)]]


class CalledDeeper(BaseModel):
    rows: dict[str, list[CalledInModel | None]]


class FunctionInModel(BaseModel):
    user: Any = current_user


@dataclasses.dataclass(slots=True)
class FunctionInDataclass:
    user: Any = current_user


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    value: T


@dataclasses.dataclass
class BoxWithUser(Generic[T]):
    value: T
    user: Annotated[str, Depends(current_user)]


class TupleWithUser(NamedTuple, Generic[T]):
    value: T
    user: Annotated[str, Depends(current_user)]


class NamesWhatFollows(BaseModel):
    hidden: "list[Follows]"


class Follows(BaseModel):
    user: Annotated[str, Depends(current_user)]


@pydantic.dataclasses.dataclass
class AlsoNamesWhatFollows:
    hidden: "FollowsToo"


class FollowsToo(BaseModel):
    user: Annotated[str, Depends(current_user)]


@dataclasses.dataclass
class InField:
    user: Annotated[str, Field(default=Depends(current_user))]


@pydantic.dataclasses.dataclass
class InInitVar:
    user: dataclasses.InitVar[Annotated[str, Depends(current_user)]]


class VariableInModel(BaseModel):
    user: Annotated[str, USER]


class BaseSettings(BaseModel):
    """As a model of pydantic-settings looks."""

    __module__ = "pydantic_settings.main"

    secret: str = ""


class OwnSettings(BaseSettings):
    pass


User = NewType("User", Annotated[str, Depends(current_user)])  # pyright: ignore[reportGeneralTypeIssues]
Named = TypeAliasType("Named", Annotated[str, Depends(current_user)])
Called = TypeAliasType("Called", Annotated[str, current_user])
Many = TypeAliasType("Many", list[Annotated[T, Inject()]], type_params=(T,))
Written = TypeAliasType("Written", "list[Annotated[str, Depends(current_user)]]")
WrittenDeeper = TypeAliasType("WrittenDeeper", "dict[str, Follows]")
Default = typing_extensions.TypeVar("Default", default=Annotated[str, Depends(current_user)])
Bound = TypeVar("Bound", bound=Annotated[str, Depends(current_user)])
EMPTY: Any = object()


@Actions().resource
async def pool() -> AsyncIterator[str]:
    yield "pool"


MARKED: dict[str, tuple[Any, Any]] = {
    "Security in a union": (Annotated[str, Security(current_user)] | None, EMPTY),  # pyright: ignore[reportOperatorIssue]
    "Header": (Annotated[str, Header()], EMPTY),
    "Header as the default": (str, Header()),
    "Cookie": (Annotated[str | None, Cookie()], None),
    "Query": (Annotated[int, Query(ge=1)], 1),
    "Path": (Annotated[int, Path()], EMPTY),
    "fastapi.Body": (Annotated[dict[str, str], fastapi.Body()], EMPTY),
    "fastapi.Form as the default": (str, fastapi.Form()),
    "fastapi.UploadFile": (fastapi.UploadFile, EMPTY),
    "fastapi.Request": (fastapi.Request, EMPTY),
    "fastapi.BackgroundTasks": (fastapi.BackgroundTasks, EMPTY),
    "UploadFile": (list[UploadFile], EMPTY),
    "Request": (Request, EMPTY),
    "a kind of Request": (OwnRequest, EMPTY),
    "Request or nothing": (Request | None, None),
    "HTTPConnection": (HTTPConnection, EMPTY),
    "Response": (Response, EMPTY),
    "WebSocket": (WebSocket, EMPTY),
    "BackgroundTasks": (BackgroundTasks, EMPTY),
    "an unknown object": (Annotated[str, Inject()], EMPTY),
    "an unknown class": (Annotated[str, Inject], EMPTY),
    "a function": (Annotated[str, current_user], EMPTY),
    "a lambda": (Annotated[str, lambda: "ada"], EMPTY),
    "a text": (Annotated[str, "current_user"], EMPTY),
    "a function as the default": (str, current_user),
    "in a list": (list[Annotated[str, Depends(current_user)]], EMPTY),
    "in a union": (Optional[Annotated[str, Depends(current_user)]], None),  # noqa: UP045
    "in a value of a dict": (dict[str, Annotated[str, Inject()]], EMPTY),
    "in a model": (Hidden, EMPTY),
    "as a model's default": (HiddenDefault, EMPTY),
    "in a list of models": (list[Hidden], EMPTY),
    "in what a model takes in addition to its fields": (HiddenInExtras, EMPTY),
    "in what a model inherits to take in addition to its fields": (InheritsExtras, EMPTY),
    "in the model that is the body": (Annotated[Hidden, Body()], EMPTY),
    "in a dataclass": (HiddenInDataclass, EMPTY),
    "in a TypedDict": (HiddenInDict, EMPTY),
    "in a named tuple": (HiddenInTuple, EMPTY),
    "in a NewType": (User, EMPTY),
    "in an alias": (Named, EMPTY),
    "in an alias or nothing": (Optional[Named], None),  # noqa: UP045
    "in a list of an alias": (dict[str, list[Named]], EMPTY),
    "a function in an alias": (Called, EMPTY),
    "an unknown object in an alias with a parameter": (Many[int], EMPTY),
    "in an alias's argument": (Many[Named], EMPTY),
    "in a type variable's bound": (Bound, EMPTY),
    "in a generic model": (Box[Annotated[str, Depends(current_user)]], EMPTY),
    "in a root model": (RootModel[Annotated[str, Depends(current_user)]], EMPTY),
    "a partial": (Annotated[str, partial(current_user)], EMPTY),
    "an object to call": (Annotated[str, CurrentUser()], EMPTY),
    "an object to call as the default": (str, CurrentUser()),
    "an object to call as anything's default": (Any, CurrentUser()),
    "a partial as the default": (str, partial(current_user)),
    "a partial as the default of anything": (Any, partial(current_user)),
    "a class as the default": (Any, CurrentUser),
    "a built-in function as the default": (Any, len),
    "a dataclass to call as anything's default": (Any, Wanted()),
    "a function in Field as the default": (str, Field(current_user)),
    "Depends in Field as the default": (str, Field(Depends(current_user))),
    "Depends in a default": (list[str], [Depends(current_user)]),
    "a function in a default": (dict[str, Any], {"user": current_user}),
    "a sentinel as anything's default": (Any, object()),
    "a sentinel as an object's default": (object, object()),
    "a sentinel behind an alias": (Annotated[Any, Doc("Who")] | None, object()),  # pyright: ignore[reportOperatorIssue]
    "an unknown object as anything's default": (Any, Inject()),
    "an unknown object in anything's default": (Any, {"users": [Inject()]}),
    "a date as anything's default": (Any, date(2026, 1, 1)),
    "a number that JSON has not as anything's default": (Any, float("nan")),
    "a function in a model": (CalledInModel, EMPTY),
    "an object to call in a named tuple": (CalledInDataclass, EMPTY),
    "a partial in a TypedDict": (list[CalledInDict], EMPTY),
    "a function far inside": (Annotated[CalledDeeper, Body()], EMPTY),
    "a function as a model's default": (FunctionInModel, EMPTY),
    "a function as a dataclass's default": (FunctionInDataclass, EMPTY),
    "in a dataclass with a parameter": (list[BoxWithUser[int]], EMPTY),
    "in a named tuple with a parameter": (TupleWithUser[int], EMPTY),
    "in a model that is defined later": (NamesWhatFollows, EMPTY),
    "in a body's model that is defined later": (Annotated[NamesWhatFollows, Body()], EMPTY),
    "in a model that a dataclass names before it is defined": (AlsoNamesWhatFollows, EMPTY),
    "in an alias's string": (Written, EMPTY),
    "in a model that an alias's string names": (WrittenDeeper, EMPTY),
    "in a type variable's default": (Default, EMPTY),
    "in the Field of a dataclass": (InField, EMPTY),
    "in an InitVar": (InInitVar, EMPTY),
    "as a default's factory": (str, Field(default_factory=Depends(current_user))),
    "a context variable": (Annotated[str, USER], EMPTY),
    "a context variable as the default": (str, USER),
    "a context variable as anything's default": (Any, USER),
    "a context variable in a model": (VariableInModel, EMPTY),
    "FastAPI's credentials": (HTTPAuthorizationCredentials, EMPTY),
    "the server's settings": (OwnSettings, EMPTY),
    "an Identity": (Identity, EMPTY),
    "a Caller or nothing": (Caller | None, None),
    "the facts of the request": (list[RequestFacts], EMPTY),
    "a resource": (Annotated[str, pool], EMPTY),
    "a resource as the default": (str, pool),
    "the Context as a mark": (Annotated[str, Context], EMPTY),
    "a guard as a mark": (Annotated[str, RateLimit("1/minute")], EMPTY),
    "Litestar's Request": (litestar.Request, EMPTY),
    "Litestar's Request with its types": (litestar.Request[str, str, Any], EMPTY),
    "Litestar's State": (litestar.datastructures.State, EMPTY),
    "Litestar's UploadFile": (litestar.datastructures.UploadFile, EMPTY),
    "Litestar's NamedDependency": (litestar.di.NamedDependency[str], EMPTY),
    "Litestar's Provide": (
        Annotated[str, litestar.di.Provide(current_user, sync_to_thread=False)],
        EMPTY,
    ),
    "Litestar's Parameter": (Annotated[str, litestar.params.HeaderParameter(name="X-User")], EMPTY),
    "Litestar's Parameter as the default": (str, litestar.params.Parameter(title="User")),
    "Litestar's Body": (Annotated[dict[str, str], litestar.params.Body()], EMPTY),
    "Litestar's FromHeader": (litestar.params.FromHeader[str], EMPTY),
    "Django's request": (django.http.HttpRequest, EMPTY),
    "Django's response": (django.http.JsonResponse, EMPTY),
    "Django's file": (list[django.core.files.uploadedfile.UploadedFile], EMPTY),  # type: ignore[type-arg] # a generic only in its stubs
}


def taking(annotation: object, default: object) -> Callable[..., Any]:
    async def pay(amount: int = 1, user: object = None) -> None: ...

    pay.__annotations__["user"] = annotation
    pay.__kwdefaults__ = None
    pay.__defaults__ = (1, default)
    if default is not EMPTY:
        return pay

    async def pay_user(user: object) -> None: ...

    pay_user.__annotations__["user"] = annotation
    return pay_user


@pytest.mark.parametrize(("annotation", "default"), MARKED.values(), ids=MARKED)
def test_what_the_author_meant_to_be_injected_is_refused_when_the_action_is_declared(
    annotation: object, default: object
) -> None:
    function = taking(annotation, default)

    with pytest.raises(InvalidAction, match=r"pay.*'user' cannot be an input: .*;") as caught:
        Actions().action(function)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "advice"),
    [
        (list[Annotated[str, Depends(current_user)]], "at the parameter itself"),
        (Request, "Context"),
        (UploadFile, "yieldwire.Upload"),
        (Identity, "ctx.owner"),
        (Annotated[str, pool], r"Use\(pool\)"),
        (Annotated[str, USER], "a guard"),
        (OwnSettings, "outside of the action"),
        (BackgroundTasks, "ctx.spawn"),
        (Annotated[str, Header()], "ctx.request.headers"),
        (django.http.HttpRequest, "Context"),
        (litestar.datastructures.UploadFile, "yieldwire.Upload"),
        (Annotated[str, litestar.params.HeaderParameter(name="X-User")], "ctx.request.headers"),
    ],
)
def test_the_refusal_says_what_to_use_instead(annotation: object, advice: str) -> None:
    with pytest.raises(InvalidAction, match=advice):
        Actions().action(taking(annotation, EMPTY))


class Kind(Enum):
    A = "a"


class Status(TextChoices):
    """A framework's kind of enum is an enum."""

    OPEN = "open", "Open"


class Money:
    """A class that says itself how Pydantic reads and writes it."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __call__(self) -> int:
        return self.cents

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        number = core_schema.int_schema()
        read = core_schema.no_info_after_validator_function(cls, number)
        return core_schema.json_or_python_schema(
            json_schema=read,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), read]),
            serialization=core_schema.plain_serializer_function_ser_schema(cls.__call__),
        )


@dataclasses.dataclass(frozen=True)
class Point:
    x: int = 0


class TaggedForOthers(BaseModel):
    """A model whose fields say something to another library, too."""

    n: Annotated[int, "shown in the admin", Inject()] = 0


def lower(text: str) -> str:
    return text.lower()


Tree = TypeAliasType("Tree", "dict[str, Tree] | list[Tree] | str | None")
"""JSON, as a type that names itself."""


@dataclasses.dataclass
class WithRoutes:
    n: int = 0
    routes: ClassVar[fastapi.APIRouter | None] = None


class Branch(BaseModel):
    branches: "list[Branch]" = []
    leaf: "Leaf | None" = None


class Leaf(BaseModel):
    n: int = 0


Page = TypeAliasType("Page", Annotated[str, Len(1, 20), AfterValidator(lower)])


class Order(BaseModel):
    n: Annotated[int, Field(ge=1, description="How many")] = 1
    kind: Kind = Kind.A


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[int, Field(ge=1)], EMPTY),
        (int, Field(3, ge=1)),
        (Annotated[int, Ge(1)], 1),
        (Annotated[int, Interval(ge=1, le=3)], 1),
        (Annotated[str, Len(1, 20), Predicate(str.islower)], "a"),
        (Annotated[str, StringConstraints(min_length=1)], EMPTY),
        (Annotated[str, AfterValidator(str.strip)], EMPTY),
        (Annotated[str, Doc("A name.")], EMPTY),
        (Annotated[Order, Body()], EMPTY),
        (list[Order], EMPTY),
        (Kind, Kind.A),
        (Literal["a", "b"], "a"),
        (date | None, None),
        (FilePath, FilePath("x")),
        (Upload | None, None),
        (Any, EMPTY),
        (Any, None),
        (Any, {"rows": [1, 2.5, "a", True, None], "empty": ()}),
        (list[str], Field(default_factory=list)),
        (Annotated[list[str], Field(default_factory=list)], EMPTY),
        (Page, "a"),
        (list[Page] | None, None),
        (Annotated[str, BeforeValidator(lower), PlainSerializer(lower)], EMPTY),
        (Annotated[str, deprecated("Use another")], "a"),
        (Money, Money(3)),
        (Annotated[int, Money], EMPTY),
        (Point, Point(1)),
        (Order, Order()),
        (Status, Status.OPEN),
        (Decimal, Decimal("1.5")),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (dict[str, Point], {"a": Point()}),
        (TaggedForOthers, EMPTY),
        (Box[int], EMPTY),
        (WithExtras, EMPTY),
        (Tree, EMPTY),
        (Branch, EMPTY),
        (WithRoutes, WithRoutes()),
        (dict[str, Any], Field(default_factory=lambda: {"a": 1})),
    ],
)
def test_what_describes_or_constrains_an_input_is_taken(
    annotation: object, default: object
) -> None:
    action = Actions().action(taking(annotation, default))

    assert action.input_schema["properties"]


@pytest.mark.parametrize("annotation", [Context | None, Annotated[Context, "x"], list[Context]])
def test_an_injected_type_is_written_by_itself(annotation: object) -> None:
    with pytest.raises(InvalidAction, match="by its type alone"):
        Actions().action(taking(annotation, EMPTY))


async def test_a_caller_cannot_say_who_pays() -> None:
    actions = Actions()

    @actions.action
    async def pay(amount: int, ctx: Context) -> str:
        return f"{ctx.owner} pays {amount}"

    call = Call(
        method="POST", target="/pay", headers=[JSON], body=[b'{"amount": 1, "user": "EVIL"}']
    )
    async with opened(actions) as site:
        answer = await send(site, call)

    assert (answer.status, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
