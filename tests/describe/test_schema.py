"""One reading of JSON Schema, for forms, the command line, OpenAPI and TypeScript."""

from typing import Any

import pytest

from yieldwire.describe.schema import (
    Field,
    alternatives,
    definitions_of,
    kinds,
    properties_of,
    references,
    resolved,
    with_references,
)

TREE: dict[str, Any] = {
    "$defs": {
        "Alias": {"$ref": "#/$defs/Tree"},
        "Tree": {"type": "object", "properties": {"children": {"items": {"$ref": "#/$defs/Tree"}}}},
        "Name": {"type": "string"},
    },
    "$ref": "#/$defs/Alias",
}
FILE = {"type": "string", "format": "binary"}


def test_a_reference_leads_to_what_it_names_at_the_end() -> None:
    definitions = definitions_of(TREE)

    assert resolved(TREE, definitions) is TREE["$defs"]["Tree"]
    assert resolved({"$ref": "#/$defs/Nobody"}, definitions) == {}
    assert set(properties_of(TREE)) == {"children"}


def test_alternatives_are_found_at_any_depth_and_without_references() -> None:
    schema = {"anyOf": [{"$ref": "#/$defs/Name"}, {"oneOf": [{"const": 1}, {"allOf": [FILE]}]}]}

    assert alternatives(schema, definitions_of(TREE)) == [{"type": "string"}, {"const": 1}, FILE]
    assert alternatives(FILE, {}) == [FILE]


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, ["string"]),
        ({"type": ["string", "null"]}, ["string", "null"]),
        ({"enum": [1, 2, "a", None, True]}, ["integer", "string", "null", "boolean"]),
        ({"const": 1.5}, ["number"]),
        ({"properties": {}}, ["object"]),
        ({"prefixItems": []}, ["array"]),
        ({}, []),
    ],
)
def test_the_types_of_a_schema_are_said_or_follow_from_it(
    schema: dict[str, Any], types: list[str]
) -> None:
    assert list(kinds(schema)) == types


def test_a_field_of_a_list_is_asked_about_its_items() -> None:
    field = Field.of({"anyOf": [{"type": "array", "items": FILE}, {"type": "null"}]}, {})

    assert field.kinds == {"array", "null"}
    assert (field.is_list, field.takes_file, field.takes_text) == (True, True, False)
    assert Field.of({}, {}).takes_anything
    assert Field.of({"type": "array"}, {}).takes_anything


def test_references_are_found_and_renamed() -> None:
    schema = {
        "oneOf": [{"$ref": "#/$defs/A"}],
        "discriminator": {"mapping": {"a": "#/$defs/A"}},
        "properties": {"b": {"$ref": "#/$defs/B"}},
    }

    assert list(references(schema)) == ["A", "B"]
    assert list(references(schema, is_shallow=True)) == ["A"]
    assert with_references(schema, "#/new/".__add__) == {
        "oneOf": [{"$ref": "#/new/A"}],
        "discriminator": {"mapping": {"a": "#/new/A"}},
        "properties": {"b": {"$ref": "#/new/B"}},
    }
