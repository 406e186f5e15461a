import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_core import to_json

from tests.support.world import Node, world
from yieldwire import ActionError, Actions, Body, Result, Text, Upload
from yieldwire.describe.openapi import document
from yieldwire.errors import Json

JSON_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


Shape = Annotated[Circle | Square, Field(discriminator="kind")]


class Drawing(BaseModel):
    shapes: list[Shape]
    inner: "Drawing | None" = None


class Error(BaseModel):
    """A model whose name the document uses itself."""

    reason: str


def whole() -> Actions:
    """Return an application with types of every kind."""
    actions = world()

    @actions.action
    async def draw(drawing: Annotated[Drawing, Body()]) -> AsyncIterator[Shape | Result[Drawing]]:
        """Draw something.

        More about it.
        """
        yield Circle(kind="circle", radius=1)
        yield Result(drawing)

    @actions.feed
    async def watch(name: str, limit: int = 5) -> AsyncIterator[Text]:
        yield Text(name)

    @actions.action
    async def add_file(file: Upload, shape: Shape) -> None: ...

    return actions


def walk(value: Json) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def found(value: Json, pointer: str) -> Json:
    for part in pointer.removeprefix("#/").split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


@pytest.fixture
def described() -> dict[str, Json]:
    return document(whole().app.registry.actions, base="/api/_actions")


def test_a_document_is_json_and_says_where_it_is_served(described: dict[str, Json]) -> None:
    assert json.loads(to_json(described)) == described
    assert described["openapi"] == "3.2.0"
    assert {"title", "version"} <= set(described["info"])
    assert described["servers"] == [{"url": "/api/_actions"}]


def test_every_action_is_one_operation_of_its_own(described: dict[str, Json]) -> None:
    operations = {
        (method, path): operation["operationId"]
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if "tags" not in operation
    }

    assert operations == {
        (action.method.lower(), f"/{action.name}"): action.name
        for action in whole().app.registry.actions
    }


def test_an_operation_says_what_its_function_does(described: dict[str, Json]) -> None:
    operation = described["paths"]["/draw"]["post"]

    assert operation["summary"] == "Draw something."
    assert operation["description"].endswith("More about it.")


def test_every_reference_leads_to_something(described: dict[str, Json]) -> None:
    references = [each["$ref"] for each in walk(described) if isinstance(each.get("$ref"), str)]

    assert "#/components/schemas/Error" in references
    assert [ref for ref in references if not ref.startswith("#/components/schemas/")] == []
    assert all(found(described, reference) for reference in references)


def test_a_discriminator_maps_to_schemas_of_the_document(described: dict[str, Json]) -> None:
    mappings = [each["mapping"] for each in walk(described) if "mapping" in each]

    assert mappings
    for target in [target for mapping in mappings for target in mapping.values()]:
        assert found(described, target)["type"] == "object"


def test_no_definitions_are_left_where_they_were(described: dict[str, Json]) -> None:
    assert [each for each in walk(described) if "$defs" in each] == []
    assert all(
        re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in described["components"]["schemas"]
    )


def test_two_models_of_one_name_are_two_schemas() -> None:
    actions = Actions()

    def declare(name: str, field: str) -> None:
        model: Any = type("Item", (BaseModel,), {"__annotations__": {field: str}})

        async def take(items: object) -> None: ...

        take.__name__ = name
        take.__annotations__ = {"items": list[model], "return": None}
        actions.action(take)

    declare("take_first", "first")
    declare("take_second", "second")

    described = document(actions.app.registry.actions)

    fields = []
    for name in ("take_first", "take_second"):
        content = described["paths"][f"/{name}"]["post"]["requestBody"]["content"]
        items = content["application/json"]["schema"]["properties"]["items"]["items"]
        fields.append(list(found(described, items["$ref"])["properties"]))
    assert fields == [["first"], ["second"]]


def test_a_model_called_error_does_not_take_the_place_of_the_error_object() -> None:
    actions = Actions()

    @actions.action
    async def report(errors: list[Error]) -> None: ...

    described = document(actions.app.registry.actions)

    schemas = described["components"]["schemas"]
    assert "error" in schemas["Error"]["properties"]
    content = described["paths"]["/report"]["post"]["requestBody"]["content"]
    items = content["application/json"]["schema"]["properties"]["errors"]["items"]
    assert list(found(described, items["$ref"])["properties"]) == ["reason"]


def test_a_stream_is_described_in_both_ways(described: dict[str, Json]) -> None:
    content = described["paths"]["/draw"]["post"]["responses"]["200"]["content"]

    for kind in ("text/event-stream", "application/x-ndjson"):
        assert content[kind]["schema"] == content[kind]["itemSchema"]
        assert content[kind]["itemSchema"]
    assert set(content) == {
        "application/json",
        "text/event-stream",
        "application/x-ndjson",
        "text/plain",
    }


def test_an_action_that_does_not_stream_has_one_answer(described: dict[str, Json]) -> None:
    content = described["paths"]["/add"]["post"]["responses"]["200"]["content"]

    assert set(content) == {"application/json"}
    answer = content["application/json"]["schema"]
    assert answer["required"] == ["runId", "status", "result", "error"]
    assert answer["properties"]["result"]["type"] == "integer"


def test_a_feeds_input_is_its_query(described: dict[str, Json]) -> None:
    operation = described["paths"]["/watch"]["get"]

    assert "requestBody" not in operation
    assert [(each["name"], each["in"], each["required"]) for each in operation["parameters"]] == [
        ("name", "query", True),
        ("limit", "query", False),
    ]


def test_an_action_that_takes_a_file_takes_multipart(described: dict[str, Json]) -> None:
    paths = described["paths"]

    for name, kind in {
        "/take": "multipart/form-data",
        "/add_file": "multipart/form-data",
        "/take_boxed": "multipart/form-data",
        "/say": "application/json",
    }.items():
        assert list(paths[name]["post"]["requestBody"]["content"]) == [kind]


def test_an_answer_and_a_message_can_be_multipart(described: dict[str, Json]) -> None:
    for path in ("/runs/{id}/questions/{question}", "/runs/{id}/inbox", "/answers/{link}"):
        content = described["paths"][path]["post"]["requestBody"]["content"]
        assert list(content) == ["application/json", "multipart/form-data"]


def test_every_operation_names_the_error(described: dict[str, Json]) -> None:
    for operation in (each for item in described["paths"].values() for each in item.values()):
        error = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/Error"}
        assert "tags" in operation or {"200", "202", "303", "default"} == set(
            operation["responses"]
        )
        assert all(each["description"] for each in operation["responses"].values())


def test_no_two_operations_have_one_id(described: dict[str, Json]) -> None:
    ids = [each["operationId"] for item in described["paths"].values() for each in item.values()]

    assert len(set(ids)) == len(ids)
    assert {"runs.list", "runs.get", "runs.events", "runs.cancel", "runs.cancelStart"} < set(ids)


class OutOfCredit(ActionError):
    """The caller's credit is used up."""

    code = "OUT_OF_CREDIT"
    status = 402


def test_a_declared_error_is_an_answer_of_its_status() -> None:
    actions = Actions()

    @actions.action(errors=[OutOfCredit, "TOO_LATE"])
    async def buy() -> None: ...

    responses = document(actions.app.registry.actions)["paths"]["/buy"]["post"]["responses"]

    assert set(responses) == {"200", "202", "303", "402", "default"}
    assert responses["402"]["description"] == "`OUT_OF_CREDIT` The caller's credit is used up."
    assert responses["402"]["content"] == responses["default"]["content"]
    assert "`TOO_LATE`" in responses["default"]["description"]


def test_a_field_that_is_always_sent_is_required_in_answers_only() -> None:
    actions = Actions()

    @actions.action
    async def move(item: Node) -> Node:
        return item

    described = document(actions.app.registry.actions)

    operation = described["paths"]["/move"]["post"]
    taken = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    told = (taken["properties"]["item"]["$ref"], answer["properties"]["result"]["$ref"])
    assert [found(described, reference)["required"] for reference in told] == [
        ["name"],
        ["name", "children"],
    ]


def test_every_schema_has_a_type_that_json_schema_knows(described: dict[str, Json]) -> None:
    types = [
        each["type"]
        for each in walk(described["components"]["schemas"])
        if isinstance(each.get("type"), str)
    ]

    assert set(types) <= JSON_TYPES


def test_the_header_for_a_webhook_is_described_where_a_start_can_name_one() -> None:
    actions = Actions()

    @actions.action
    async def report() -> None: ...

    @actions.feed(shared=True)
    async def prices(of: str) -> AsyncIterator[int]:
        yield len(of)

    def names_of(*, names_webhooks: bool) -> dict[str, list[str]]:
        paths = document(actions.app.registry.actions, names_webhooks=names_webhooks)["paths"]
        return {
            path: [each["name"] for each in operation.get("parameters", ())]
            for path in ("/report", "/prices")
            for operation in paths[path].values()
        }

    assert names_of(names_webhooks=True) == {"/report": ["Webhook-URL"], "/prices": ["of"]}
    assert names_of(names_webhooks=False) == {"/report": [], "/prices": ["of"]}


def test_a_base_that_is_empty_is_the_root() -> None:
    assert document([])["servers"] == [{"url": "/"}]


def test_what_an_action_asks_and_takes_is_described_by_schemas() -> None:
    actions = Actions()

    @actions.action(asks=(Circle, bool), inbox=Square | None)
    async def draw() -> None: ...

    described = document(actions.app.registry.actions)

    operation = described["paths"]["/draw"]["post"]
    assert list(operation["x-asks"]["Circle"]["properties"]) == ["kind", "radius"]
    assert operation["x-asks"]["bool"] == {"type": "boolean"}
    assert operation["x-inbox"]["anyOf"] == [
        {"$ref": "#/components/schemas/Square"},
        {"type": "null"},
    ]
