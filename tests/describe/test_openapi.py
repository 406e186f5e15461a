import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_core import to_json

from tests.support.world import Node, world
from yieldwire import ActionError, Actions, Body, OpenAPI, Result, Text, Upload
from yieldwire.codecs.sse import SSEParser
from yieldwire.describe.openapi import document
from yieldwire.errors import Json, UsageError

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


def resolved(document: Json, part: Json) -> Json:
    return found(document, part["$ref"]) if "$ref" in part else part


def content_of(document: Json, path: str, status: str = "200") -> Json:
    (operation,) = document["paths"][path].values()
    return resolved(document, operation["responses"][status])["content"]


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
        if operation["tags"] == ["actions"]
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
    assert [ref for ref in references if not ref.startswith("#/components/")] == []
    assert all(found(described, reference) is not None for reference in references)


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
    assert schemas["Error"]["properties"] == {
        "error": {"$ref": "#/components/schemas/runs.Failure"}
    }
    content = described["paths"]["/report"]["post"]["requestBody"]["content"]
    items = content["application/json"]["schema"]["properties"]["errors"]["items"]
    assert list(found(described, items["$ref"])["properties"]) == ["reason"]


def test_a_stream_is_described_in_both_ways(described: dict[str, Json]) -> None:
    content = content_of(described, "/draw")

    # `schema` is what a client yields that reads each event's data as JSON.
    (item, done, *others) = content["text/event-stream"]["schema"]["anyOf"]
    assert item == {"$ref": "#/components/schemas/draw.chunk"}
    assert done["properties"]["result"] == {"$ref": "#/components/schemas/Drawing"}
    assert {"$ref": "#/components/schemas/runs.Failure"} in others
    # `itemSchema` is an event as OpenAPI 3.2 has it: with its data as text.
    frame = content["text/event-stream"]["itemSchema"]["anyOf"][0]["properties"]
    assert (frame["data"]["type"], frame["data"]["contentSchema"]) == ("string", item)
    lines = content["application/x-ndjson"]
    assert lines["schema"] == lines["itemSchema"]


def test_the_answer_without_accept_is_described_first(described: dict[str, Json]) -> None:
    (operation,) = described["paths"]["/draw"].values()

    assert list(content_of(described, "/draw")) == [
        "text/event-stream",
        "application/x-ndjson",
        "text/plain",
        "application/*",
    ]
    # Any other successful answer would be one more type of a stream's items.
    assert [each for each in operation["responses"] if each.startswith("2")] == ["200"]


def test_a_stream_says_how_it_ends_and_that_it_can_be_resumed(described: dict[str, Json]) -> None:
    (operation,) = described["paths"]["/draw"].values()

    assert operation["x-stream"] == {
        "terminalEvents": ["cancelled", "done", "error"],
        "resumeHeader": "Last-Event-ID",
    }
    assert operation["x-fern-streaming"] == {"format": "sse", "resumable": True}
    assert {"$ref": "#/components/parameters/Last-Event-ID"} in operation["parameters"]
    assert "x-stream" not in described["paths"]["/add"]["post"]


def test_an_action_that_does_not_stream_has_one_answer(described: dict[str, Json]) -> None:
    content = content_of(described, "/add")

    assert set(content) == {"application/json"}
    answer = resolved(described, content["application/json"]["schema"])
    assert answer["required"] == ["runId", "status", "result", "error"]
    assert answer["properties"]["result"]["type"] == "integer"


def test_a_feeds_input_is_its_query(described: dict[str, Json]) -> None:
    operation = described["paths"]["/watch"]["get"]

    parameters = [resolved(described, each) for each in operation["parameters"]]
    assert "requestBody" not in operation
    assert [(each["name"], each["in"], each["required"]) for each in parameters] == [
        ("name", "query", True),
        ("limit", "query", False),
        ("Last-Event-ID", "header", False),
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
        responses = {
            status: resolved(described, each) for status, each in operation["responses"].items()
        }
        error = responses["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/Error"}
        assert all(each["description"] for each in responses.values())


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
    schema = responses["402"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}
    assert "`TOO_LATE`" in responses["default"]["description"]


def test_a_field_that_is_always_sent_is_required_in_answers_only() -> None:
    actions = Actions()

    @actions.action
    async def move(item: Node) -> Node:
        return item

    described = document(actions.app.registry.actions)

    operation = described["paths"]["/move"]["post"]
    taken = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = described["components"]["schemas"]["move.answer"]
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
            path: [each.get("name", each.get("$ref", "")) for each in operation["parameters"]]
            for path in ("/report", "/prices")
            for operation in paths[path].values()
        }

    header = "#/components/parameters/Webhook-URL"
    named, unnamed = names_of(names_webhooks=True), names_of(names_webhooks=False)
    assert named["/report"] == [*unnamed["/report"], header]
    assert header not in unnamed["/report"]
    assert named["/prices"] == unnamed["/prices"]


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


class Order(BaseModel):
    item: str = Field(examples=["tea"])
    count: int = 1


def test_examples_are_those_that_the_application_declares() -> None:
    actions = Actions()

    @actions.action
    async def order(order: Order, note: str | None = None) -> AsyncIterator[Order | Result[Order]]:
        yield order

    @actions.action
    async def find(name: str) -> str:
        return name

    described = document(actions.app.registry.actions)

    body = described["paths"]["/order"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == {"order": {"item": "tea", "count": 1}}
    content = content_of(described, "/order")
    stream = content["text/event-stream"]["examples"]["stream"]["serializedValue"]
    assert [message.event for message in SSEParser().feed(stream.encode())] == [
        "run",
        "message",
        "done",
    ]
    assert content["application/*"]["example"]["result"] == {"item": "tea", "count": 1}
    found = described["paths"]["/find"]["post"]["requestBody"]["content"]["application/json"]
    assert "example" not in found


def test_an_application_names_its_version_and_its_security_schemes() -> None:
    session = {"type": "apiKey", "in": "cookie", "name": "session"}
    about = OpenAPI(title="Shop", version="2", description="Sells.", security={"session": session})

    described = document(whole().app.registry.actions, about=about)

    assert described["info"] == {"title": "Shop", "version": "2", "description": "Sells."}
    assert described["components"]["securitySchemes"] == {"session": session}
    assert described["paths"]["/add"]["post"]["security"] == [{"session": []}]
    assert described["paths"]["/runs"]["get"]["security"] == [{"session": []}]
    assert "security" not in described["paths"]["/answers/{link}"]["post"]


@pytest.mark.parametrize("security", [{"a b": {"type": "http"}}, {"a": {"type": "cookie"}}, ["a"]])
def test_what_is_not_a_security_scheme_is_refused(security: Json) -> None:
    with pytest.raises(UsageError, match=r'write \{"session": \{"type": "apiKey"'):
        OpenAPI(security=security)
