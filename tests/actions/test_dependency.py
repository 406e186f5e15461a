"""Which parameters are dependencies, and how their values are kept."""

from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any

import pytest
from fastapi import Depends, Header, Security
from pydantic import BaseModel, Field

from yieldwire.actions.dependency import Dependency, asks_for_dependency
from yieldwire.errors import InvalidAction, UsageError


class Account(BaseModel):
    name: str
    token: str = Field(default="", exclude=True)


class Narrow(BaseModel):
    name: str
    secret: str = Field(exclude=True)


@dataclass
class Page:
    number: int


def find() -> None: ...


def dependency(annotation: Any) -> Dependency:  # noqa: ANN401 - a type
    return Dependency("work", Parameter("it", Parameter.KEYWORD_ONLY, annotation=annotation))


@pytest.mark.parametrize(
    ("annotation", "default", "asks"),
    [
        (Annotated[str, Depends(find)], Parameter.empty, True),
        (Annotated[str, "text", Security(find)], Parameter.empty, True),
        (str, Depends(find), True),
        (str, Parameter.empty, False),
        (Annotated[str, Header()], Parameter.empty, False),
        (list[Annotated[str, Depends(find)]], Parameter.empty, False),
    ],
)
def test_a_parameter_asks_for_a_dependency_by_its_own_marker(
    annotation: object, default: object, *, asks: bool
) -> None:
    assert asks_for_dependency(annotation, default) is asks


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Annotated[Account, Depends(find)], Account(name="ada")),
        (Page, Page(3)),
        (list[int], [1, 2]),
        (str | None, None),
        (None, None),
    ],
)
def test_a_value_is_kept_as_json_and_read_with_its_type(annotation: Any, value: object) -> None:  # noqa: ANN401 - a type
    it = dependency(annotation)

    assert it.read({"it": it.kept(value)}) == value


def test_a_field_that_a_model_leaves_out_is_not_kept() -> None:
    it = dependency(Account)

    kept = it.kept(Account(name="ada", token="t"))

    assert kept == {"name": "ada"}


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(int, "7"), (Account, {"name": "ada"}), (Narrow, Narrow(name="ada", secret="s"))],
)
def test_a_value_that_cannot_be_read_again_is_refused(annotation: Any, value: object) -> None:  # noqa: ANN401 - a type
    with pytest.raises(UsageError, match="work: the dependency 'it' has the value"):
        dependency(annotation).kept(value)


def test_a_run_that_was_started_without_the_value_cannot_be_executed() -> None:
    with pytest.raises(UsageError, match="has no value in this run"):
        dependency(int).read({})


def test_a_type_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidAction, match=r"a run outlives its request.*Use\(\)"):
        dependency(type("Session", (), {}))
