"""Actions as tools, and questions as forms of plain fields."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from yieldwire import Actions, Result, Text, Upload
from yieldwire.dialects.mcptool import (
    elicitation,
    is_callable,
    is_tool,
    structured,
    tool_of,
    value_of,
)

actions = Actions()


class Found(BaseModel):
    """What was found."""

    name: str
    near: list["Found"] = []


class Decision(BaseModel):
    """A decision about a call."""

    approved: bool = Field(title="Approve it?")
    reason: str | None = None


@actions.action
async def search(text: Annotated[str, Field(description="What to find")], most: int = 5) -> Found:
    """Search for something."""
    return Found(name=text * most)


@actions.action
async def list_names() -> list[str]:
    return []


@actions.action
async def either() -> Found | Decision:
    return Found(name="one")


@actions.action
async def anything() -> Any:  # noqa: ANN401 - JSON
    return {}


@actions.action
async def talk(file: Upload | None = None, loud: bool = False) -> AsyncIterator[Text]:  # noqa: FBT001, FBT002 - an input
    yield Text(str((file, loud)))


@actions.action
async def take(file: Upload) -> AsyncIterator[Result[int]]:
    yield Result(file.size)


@actions.feed
async def tick() -> AsyncIterator[int]:
    yield 1


def test_a_tool_has_the_docstring_and_the_schemas_of_its_action() -> None:
    tool = tool_of(actions.search.action, has_tasks=True)

    assert (tool["name"], tool["description"]) == ("search", "Search for something.")
    assert tool["inputSchema"]["properties"]["text"]["description"] == "What to find"
    assert tool["inputSchema"]["required"] == ["text"]
    assert tool["execution"] == {"taskSupport": "optional"}
    assert tool["outputSchema"]["type"] == "object"
    assert list(tool["outputSchema"]["properties"]) == ["name", "near"]


@pytest.mark.parametrize("name", ["list_names", "either"])
def test_a_result_that_is_not_one_object_is_in_one(name: str) -> None:
    action = getattr(actions, name).action

    schema = tool_of(action, has_tasks=False)["outputSchema"]

    assert (schema["type"], list(schema["properties"])) == ("object", ["value"])
    assert structured(action, ["a"]) == {"value": ["a"]}


def test_a_result_of_no_type_is_structured_if_it_is_an_object() -> None:
    action = actions.anything.action

    assert "outputSchema" not in tool_of(action, has_tasks=False)
    assert structured(action, {"a": 1}) == {"a": 1}
    assert structured(action, [1]) is None


def test_a_file_that_is_not_needed_is_left_out_and_one_that_is_makes_no_tool() -> None:
    tool = tool_of(actions.talk.action, has_tasks=False)

    assert list(tool["inputSchema"]["properties"]) == ["loud"]
    assert is_tool(actions.talk.action)
    assert not is_callable(actions.take.action)


def test_a_feed_is_a_tool_only_if_it_is_named() -> None:
    assert is_callable(actions.tick.action)
    assert not is_tool(actions.tick.action)
    assert tool_of(actions.tick.action, has_tasks=False)["annotations"] == {"readOnlyHint": True}


def asked(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a type
    schema = TypeAdapter[Any](kind).json_schema()
    return {"id": "1", "prompt": "Well?", "schema": schema}


def test_a_plain_value_is_a_form_of_one_field() -> None:
    told = elicitation(asked(bool))

    field = {"value": {"type": "boolean"}}
    form = {"type": "object", "properties": field, "required": ["value"]}
    assert told == {"mode": "form", "message": "Well?", "requestedSchema": form}
    assert value_of(asked(bool), {"value": True}) is True


@pytest.mark.parametrize(
    ("detail", "message"),
    [(None, "Well?"), ("A draft.", "Well?\n\nA draft."), ({"n": 1}, 'Well?\n\n{\n  "n": 1\n}')],
)
def test_what_a_question_is_about_is_in_its_message(detail: object, message: str) -> None:
    assert elicitation({**asked(bool), "detail": detail})["message"] == message


def test_an_object_of_plain_fields_is_a_form() -> None:
    form = elicitation(asked(Decision))["requestedSchema"]

    assert form["properties"] == {
        "approved": {"type": "boolean", "title": "Approve it?"},
        "reason": {"type": "string", "title": "Reason"},
    }
    assert form["required"] == ["approved"]
    assert value_of(asked(Decision), {"approved": True}) == {"approved": True}


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (Annotated[int, Field(ge=1)], {"type": "integer", "minimum": 1}),
    ],
)
def test_choices_and_bounds_are_in_the_form(kind: object, field: dict[str, Any]) -> None:
    assert elicitation(asked(kind))["requestedSchema"]["properties"] == {"value": field}


@pytest.mark.parametrize("kind", [list[str], Found, int | str])
def test_what_no_form_can_ask_is_asked_as_json(kind: object) -> None:
    form = elicitation(asked(kind))["requestedSchema"]

    assert form["properties"]["value"]["type"] == "string"
    assert "JSON that matches the schema" in form["properties"]["value"]["description"]
    assert value_of(asked(kind), {"value": '["a"]'}) == ["a"]
    assert value_of(asked(kind), {"value": "not JSON"}) == "not JSON"
    assert value_of(asked(kind), {"value": 5}) == 5
    assert value_of(asked(kind), None) is None


def test_a_format_that_clients_know_is_kept() -> None:
    question = {"prompt": "?", "schema": {"type": "string", "format": "email", "pattern": "@"}}

    assert elicitation(question)["requestedSchema"]["properties"] == {
        "value": {"type": "string", "format": "email"}
    }
