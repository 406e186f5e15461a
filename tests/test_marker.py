"""Nothing that the author meant to be trusted comes from the request."""

import dataclasses
from collections.abc import Callable
from datetime import date
from enum import Enum
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict

import fastapi
import pytest
from annotated_types import Ge, Interval, Len, Predicate
from fastapi import Cookie, Depends, Header, Path, Query, Security
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from starlette.background import BackgroundTasks
from starlette.datastructures import UploadFile
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from typing_extensions import Doc

from tests.support.calls import JSON, Call, send
from tests.support.world import opened
from yieldwire import Actions, Body, Context, Upload
from yieldwire.errors import InvalidAction


def current_user() -> str:
    return "ada"


class Inject:
    """A marker of a framework that nobody here has heard of."""


class OwnRequest(Request):
    pass


class Hidden(BaseModel):
    user: Annotated[str, Depends(current_user)]


class HiddenDefault(BaseModel):
    user: str = Query("ada")


@dataclasses.dataclass
class HiddenInDataclass:
    user: Annotated[str, Depends(current_user)]


class HiddenInDict(TypedDict):
    user: Annotated[str, Depends(current_user)]


class HiddenInTuple(NamedTuple):
    user: Annotated[str, Depends(current_user)]


User = NewType("User", Annotated[str, Depends(current_user)])  # pyright: ignore[reportGeneralTypeIssues]
EMPTY: Any = object()

MARKED: dict[str, tuple[Any, Any]] = {
    "Depends": (Annotated[str, Depends(current_user)], EMPTY),
    "Depends as the default": (str, Depends(current_user)),
    "Security": (Annotated[str, Security(current_user)], EMPTY),
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
    "in the model that is the body": (Annotated[Hidden, Body()], EMPTY),
    "in a dataclass": (HiddenInDataclass, EMPTY),
    "in a TypedDict": (HiddenInDict, EMPTY),
    "in a named tuple": (HiddenInTuple, EMPTY),
    "in a NewType": (User, EMPTY),
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
        (Annotated[str, Depends(current_user)], "middleware"),
        (Request, "Context"),
        (UploadFile, "yieldwire.Upload"),
        (BackgroundTasks, "ctx.spawn"),
        (Annotated[str, Header()], "ctx.request.headers"),
    ],
)
def test_the_refusal_says_what_to_use_instead(annotation: object, advice: str) -> None:
    with pytest.raises(InvalidAction, match=advice):
        Actions().action(taking(annotation, EMPTY))


class Kind(Enum):
    A = "a"


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
