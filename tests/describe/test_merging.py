"""Two OpenAPI documents become one."""

from yieldwire.describe.merging import merged
from yieldwire.errors import Json


def document(path: str, schema: Json) -> dict[str, Json]:
    operation = {"responses": {"200": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    return {
        "openapi": "3.1.0",
        "paths": {path: {"get": operation}},
        "components": {"schemas": {"Error": schema}},
    }


def test_paths_and_components_of_both_are_there() -> None:
    one, other = document("/a", {"type": "string"}), document("/b", {"type": "string"})

    both = merged(one, other)

    assert both["paths"].keys() == {"/a", "/b"}
    assert both["components"]["schemas"] == {"Error": {"type": "string"}}


def test_another_schema_of_the_same_name_is_renamed_with_its_references() -> None:
    one, other = document("/a", {"type": "string"}), document("/b", {"type": "object"})

    both = merged(one, other)

    schemas = {"Error": {"type": "string"}, "Error_": {"type": "object"}}
    reference = both["paths"]["/b"]["get"]["responses"]["200"]["schema"]["$ref"]
    assert both["components"]["schemas"] == schemas
    assert reference == "#/components/schemas/Error_"
    assert "Error_" not in str(both["paths"]["/a"])


def test_an_operation_of_both_has_the_lists_of_both_and_the_values_of_the_other() -> None:
    one = {"paths": {"/a": {"post": {"summary": "A", "parameters": [{"name": "a"}]}}}}
    other = {"paths": {"/a": {"post": {"summary": "B", "parameters": [{"name": "b"}]}}}}

    both = merged(one, other)

    operation = {"summary": "B", "parameters": [{"name": "a"}, {"name": "b"}]}
    assert both["paths"] == {"/a": {"post": operation}}


def test_the_documents_themselves_stay_as_they_are() -> None:
    one, other = document("/a", {"type": "string"}), document("/b", {"type": "object"})

    merged(one, other)

    assert (one, other) == (
        document("/a", {"type": "string"}),
        document("/b", {"type": "object"}),
    )
