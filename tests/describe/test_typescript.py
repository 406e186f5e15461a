"""TypeScript types say what a manifest says, and compile."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings

from tests.support.oddschema import action, manifests
from tests.support.shop import actions as shop
from yieldwire.describe.manifest import manifest
from yieldwire.describe.typescript import typescript
from yieldwire.errors import Json

TYPESCRIPT: Final = Path(__file__).parents[2] / "typescript"
TSC: Final = TYPESCRIPT / "node_modules" / ".bin" / "tsc"
GOLDEN: Final = TYPESCRIPT / "test" / "types" / "actions.gen.ts"

Schema = Mapping[str, Json]


def result_of(schema: Json, **definitions: Json) -> str:
    """Return the type of an action's result."""
    text = typescript([action(result={**schema, "$defs": definitions})])
    found = re.search(r"^  act: Action<ActInput, never, (.*)>$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def declaration(text: str, name: str) -> str:
    """Return one of a text's declarations, with its comment."""
    found = [
        part
        for part in text.split("\n\n")
        if re.search(rf"^export \w+ {name}\b", part, re.MULTILINE)
    ]
    assert len(found) == 1, text
    return found[0].strip()


def input_type(schema: Schema, **definitions: Json) -> str:
    """Return the declaration of an action's input."""
    given = {"title": "Given", "type": "object", **schema, "$defs": definitions}
    return declaration(typescript([action(input=given)]), "Given")


# As a whole.


def test_the_types_of_an_application_are_those_that_typescript_is_tested_with() -> None:
    text = typescript(manifest(shop.app.registry.actions)["actions"])

    assert text == GOLDEN.read_text("utf-8")


def test_a_manifest_that_was_sent_says_the_same() -> None:
    whole = manifest(shop.app.registry.actions)

    sent = json.loads(json.dumps(whole))

    assert typescript(sent["actions"]) == typescript(whole["actions"])


def test_no_actions_import_nothing() -> None:
    assert typescript([]).endswith("*/\n\nexport interface Actions {\n}\n")


def test_a_manifest_without_errors_is_read_too() -> None:
    assert "  act: Action<ActInput, never, unknown>\n" in typescript([action()])


def test_an_error_is_told_by_its_code_and_by_what_it_means() -> None:
    errors = [{"code": "A_B", "doc": "It is\nso."}, {"code": "C_D", "doc": ""}]

    text = typescript([action(errors=errors, doc="Act.")])

    assert '  act: Action<ActInput, never, unknown, "A_B" | "C_D">' in text
    assert "  /**\n   * Act.\n   * @throws `A_B` It is so.\n   */\n" in text


def test_an_error_whose_data_has_a_type_is_a_member_of_an_object() -> None:
    credit = {**ITEM, "title": "Credit"}
    errors = [{"code": "A_B", "doc": "", "data": credit}, {"code": "C_D", "doc": ""}]

    text = typescript([action(errors=errors)])

    assert '  act: Action<ActInput, never, unknown, "C_D" | { A_B: Credit }>\n' in text
    assert declaration(text, "Credit") == "export interface Credit {\n  readonly x?: string\n}"


# Names.


ITEM: Final = {"type": "object", "properties": {"x": {"type": "string"}}}
OTHER: Final = {"type": "object", "properties": {"y": {"type": "string"}}}
LIST: Final = {"type": "array", "items": {"$ref": "#/$defs/Item"}}


def results(*schemas: Json) -> str:
    return typescript(action(f"a{n}", result=schema) for n, schema in enumerate(schemas))


def names_in(text: str) -> set[str]:
    found = re.findall(r"^export (?:interface|type) (\w+)", text, re.MULTILINE)
    assert len(found) == len(set(found))
    return {name for name in found if name != "Actions" and not re.fullmatch(r"A\d+Input", name)}


def test_a_model_that_two_actions_share_is_declared_once() -> None:
    text = results({**LIST, "$defs": {"Item": ITEM}}, {**ITEM, "title": "Item"})

    # As a definition it has no title of its own here, so the two are told apart.
    assert names_in(text) == {"Item", "ItemOutput"}
    shared = results({**LIST, "$defs": {"Item": ITEM}}, {**LIST, "$defs": {"Item": ITEM}})
    assert names_in(shared) == {"Item"}


def test_two_models_of_one_name_have_names_of_their_own() -> None:
    text = results(*({**LIST, "$defs": {"Item": each}} for each in (ITEM, OTHER)))

    assert names_in(text) == {"Item", "ItemOutput"}
    assert "  a1: Action<A1Input, never, readonly ItemOutput[]>" in text


def test_models_that_differ_in_what_they_refer_to_differ() -> None:
    outer = {"type": "object", "properties": {"inner": {"$ref": "#/$defs/Inner"}}}

    text = results(
        *({**LIST, "$defs": {"Item": outer, "Inner": each}} for each in (ITEM, OTHER)),
    )

    assert names_in(text) == {"Item", "Inner", "ItemOutput", "InnerOutput"}
    assert "readonly inner?: InnerOutput" in declaration(text, "ItemOutput")


def test_however_many_models_have_one_name_each_has_its_own() -> None:
    schemas = [{"title": "Item", "type": "object", "properties": {f"x{n}": {}}} for n in range(6)]

    text = typescript(action("a0", result=schema) | {"alias": "a0"} for schema in schemas)

    assert {"Item", "ItemOutput", "A0Item", "Item2", "Item3", "Item4"} <= names_in(text)


def test_an_input_leaves_the_plain_name_to_the_output() -> None:
    text = typescript(
        [
            action("a0", input={**ITEM, "title": "Item"}),
            action("a1", result={**OTHER, "title": "Item"}),
        ]
    )

    assert "y?: string" in declaration(text, "Item")
    assert "x?: string" in declaration(text, "ItemInput")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("snake_case", "SnakeCase"),
        ("Page[int]", "PageInt"),
        ("Value_int_", "ValueInt"),
        ("3D", "Type3D"),
        ("Größe", "Größe"),
        ("!", "Type"),
        ("Actions", "ActionsOutput"),
        ("Action", "ActionOutput"),
        ("File", "FileOutput"),
        ("Files", "FilesOutput"),
        ("Blob", "BlobOutput"),
        ("class", "Class"),
    ],
)
def test_a_name_is_one_that_typescript_can_have(title: str, name: str) -> None:
    assert result_of({**ITEM, "title": title}) == name


# Types.


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "string"),
        ({"type": "string", "format": "binary"}, "File | Blob"),
        ({"type": "array", "items": {"type": "string", "format": "binary"}}, "Files"),
        ({"type": "integer"}, "number"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "null"}, "null"),
        ({}, "unknown"),
        ({"anyOf": [{"type": "string"}, {}]}, "unknown"),
        ({"type": "what is that"}, "unknown"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"const": 'a"b'}, r'"a\"b"'),
        ({"const": "a\u2028b\u202ec\ud800"}, r'"a\u2028b\u202ec\ud800"'),
        ({"enum": ["é", 1, -1.5, True, None]}, '"é" | 1 | -1.5 | true | null'),
        ({"const": [1, {"a b": []}]}, 'readonly [1, { "a b": readonly [] }]'),
        ({"const": {}}, "{ [key: string]: never }"),
        ({"const": float("inf")}, "null"),
        ({"enum": []}, "never"),
        ({"type": "array"}, "readonly unknown[]"),
        ({"items": {"type": ["string", "null"]}}, "readonly (string | null)[]"),
        ({"type": "array", "items": {"type": "array"}}, "readonly (readonly unknown[])[]"),
        ({"prefixItems": [{"type": "string"}], "minItems": 1, "maxItems": 1}, "readonly [string]"),
        (
            {"prefixItems": [{"type": ["string", "null"]}], "items": False},
            "readonly [(string | null)?]",
        ),
        ({"prefixItems": [{}], "minItems": 1, "items": False}, "readonly [unknown]"),
        (
            {"prefixItems": [{"type": "null"}], "minItems": 1, "items": {"type": "string"}},
            "readonly [null, ...string[]]",
        ),
        ({"type": "object"}, "{ readonly [key: string]: unknown }"),
        ({"type": "object", "properties": {}}, "{ readonly [key: string]: never }"),
        ({"additionalProperties": {"type": "string"}}, "{ readonly [key: string]: string }"),
        ({"patternProperties": {"^x": {"type": "null"}}}, "{ readonly [key: string]: null }"),
        (
            {"additionalProperties": {}, "propertyNames": {"enum": ["a", 1]}},
            '{ readonly [key in "a" | "1"]?: unknown }',
        ),
        (
            {"additionalProperties": {}, "propertyNames": {"const": True}},
            '{ readonly [key in "true"]?: unknown }',
        ),
        (
            {"properties": {"a b": {"type": "null"}, "c": {}}, "required": ["c"]},
            '{ readonly "a b"?: null; readonly c: unknown }',
        ),
        (
            {"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "string"}},
            "{ readonly a?: null; readonly [key: string]: unknown }",
        ),
        ({"allOf": [{"type": ["string", "null"]}, {"type": "string"}]}, "(string | null) & string"),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"$ref": "#/$defs/Gone"}, "unknown"),
        ({"$ref": "https://example.com/schema.json"}, "unknown"),
        ({"not": {}}, "unknown"),
        ({"type": "object", "propertyNames": True}, "{ readonly [key: string]: unknown }"),
    ],
    ids=str,
)  # fmt: skip
def test_a_schema_is_the_type_of_what_it_describes(schema: Schema, type_: str) -> None:
    assert result_of(schema) == type_


def test_a_model_can_contain_itself() -> None:
    tree = {"type": "object", "properties": {"kids": {"items": {"$ref": "#/$defs/Tree"}}}}

    text = results({"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}})

    assert "a0: Action<A0Input, never, Tree>" in text
    assert "readonly kids?: readonly Tree[]" in declaration(text, "Tree")


def test_a_union_that_is_its_own_member_is_unknown() -> None:
    first = {"anyOf": [{"$ref": "#/$defs/Second"}, {"type": "null"}]}
    second = {"allOf": [{"$ref": "#/$defs/First"}]}

    assert result_of({"$ref": "#/$defs/First"}, First=first, Second=second) == "unknown"


def test_a_long_union_has_a_line_for_each_member() -> None:
    text = results({"title": "Word", "enum": ["x" * 60, "y" * 60]})

    assert declaration(text, "Word") == f'export type Word =\n  | "{"x" * 60}"\n  | "{"y" * 60}"'


def test_chunks_of_several_types_are_a_union_with_a_name() -> None:
    text = typescript([action(chunk={"anyOf": [{"type": "string"}, {"type": "integer"}]})])

    assert "act: Action<ActInput, ActChunk, unknown>" in text
    assert declaration(text, "ActChunk") == "export type ActChunk = string | number"


def test_what_is_sent_to_the_server_can_be_changed_before() -> None:
    assert "  x?: string\n" in input_type(ITEM)


def test_a_field_can_be_left_out_unless_it_is_required() -> None:
    fields = {"a": {"type": "string"}, "b": {"type": "string", "default": "x"}}

    text = input_type({"properties": fields, "required": ["a"]})

    assert "  a: string\n" in text
    assert '  /** @defaultValue "x" */\n  b?: string\n' in text


def test_a_default_that_is_long_is_not_shown() -> None:
    assert "@defaultValue" not in input_type({"properties": {"a": {"default": "x" * 80}}})


def test_a_tag_that_has_a_default_is_still_looked_for() -> None:
    circle = {"type": "object", "properties": {"kind": {"const": "circle"}}}
    mapping = {"circle": "#/$defs/Circle", "round": "#/$defs/Circle"}
    shape = {
        "oneOf": [{"$ref": "#/$defs/Circle"}],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }

    text = input_type({"properties": {"shape": shape}}, Circle=circle)

    assert '  shape?: Circle & { kind: "circle" | "round" }\n' in text


# Comments.


def test_a_comment_cannot_be_left() -> None:
    text = typescript([action(doc="a */ alert(1) /* b\n\nc\u202e\r\n  d  ")])

    assert "  /**\n   * a *\\/ alert(1) /* b\n   *\n   * c\n   *   d\n   */\n" in text


def test_examples_in_python_are_left_out() -> None:
    text = typescript([action(doc="Act.\n\nExample:\n    >>> act()")])

    assert "  /** Act. */\n" in text


def test_code_in_a_comment_is_written_as_typescript_writes_it() -> None:
    text = typescript([action(doc="``a`` is ``None``, `b` is not; ```c``` stays.")])

    assert "  /** `a` is `null`, `b` is not; ```c``` stays. */\n" in text


def test_what_is_deprecated_says_so() -> None:
    text = input_type({"properties": {"a": {"deprecated": True, "description": "Old."}}})

    assert "  /**\n   * Old.\n   * @deprecated\n   */\n  a?: unknown\n" in text


# Questions and messages.


def test_answers_are_known_by_their_names_and_messages_come_last() -> None:
    decision = {"title": "Decision", "type": "object", "properties": {"publish": {}}}
    asks = {"Decision": decision, "a b": {"type": "boolean"}}

    text = typescript([action(asks=asks, inbox={"type": "string"})])

    args = 'ActInput, never, unknown, never, { Decision: Decision; "a b": boolean }, string'
    assert f"  act: Action<{args}>\n" in text
    assert "  publish?: unknown\n" in declaration(text, "Decision")  # it belongs to the caller


def test_a_file_in_an_answer_or_a_message_is_a_file_or_a_blob() -> None:
    file = {"type": "string", "format": "binary"}

    text = typescript([action(asks={"Upload": file}, inbox={"type": "array", "items": file})])

    assert "{ Upload: File | Blob }, Files>" in text


def test_an_action_that_only_asks_or_only_takes_messages_has_no_more_types_than_that() -> None:
    asking = typescript([action(asks={"bool": {"type": "boolean"}}, inbox=None)])
    taking = typescript([action(asks={}, inbox={"type": "boolean"})])

    assert "  act: Action<ActInput, never, unknown, never, { bool: boolean }>\n" in asking
    assert "  act: Action<ActInput, never, unknown, never, NoAsks, boolean>\n" in taking
    assert 'import type { Action, NoAsks } from "yieldwire"' in taking


# Whatever the schema.


def compile_all(folder: Path, texts: Sequence[str]) -> list[str]:
    """Return what TypeScript's compiler has to say about modules."""
    assert TSC.exists(), "Run `npm ci` in typescript/ first."
    for old in folder.glob("*.ts"):
        old.unlink()
    for number, text in enumerate(texts):
        folder.joinpath(f"actions{number}.ts").write_text(text, "utf-8")
    options: dict[str, Any] = {
        "extends": str(TYPESCRIPT / "tsconfig.json"),
        "compilerOptions": {"rootDir": "/", "paths": {"yieldwire": [f"{TYPESCRIPT}/src/index.ts"]}},
        "include": ["*.ts"],
    }
    folder.joinpath("tsconfig.json").write_text(json.dumps(options), "utf-8")
    done = subprocess.run(
        [TSC, "-p", folder, "--pretty", "false"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    # What is wrong with the package's own sources is for its own tests to say.
    return [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if line[:1].strip() and "/typescript/src/" not in line
    ]


@pytest.mark.timeout(300)
def test_whatever_the_schema_the_types_compile_and_stay_the_same(tmp_path: Path) -> None:
    texts: list[str] = []

    @settings(max_examples=60)
    @given(manifest=manifests)
    def write(manifest: list[dict[str, Json]]) -> None:
        texts.append(typescript(manifest))
        assert typescript(json.loads(json.dumps(manifest))) == texts[-1]

    write()

    assert compile_all(tmp_path, texts) == []
