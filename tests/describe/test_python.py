"""A Python module says what a manifest says, type-checks, and reads values as its types."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from hypothesis import assume, given, settings

from tests.support.checkers import complaints
from tests.support.long import amount
from tests.support.oddschema import action, manifests
from tests.support.shop import actions as shop
from yieldwire.client.typed import DeclaredAction
from yieldwire.describe.manifest import manifest
from yieldwire.describe.python import python
from yieldwire.errors import Json, ProtocolError
from yieldwire.log.events import Event, EventType

GOLDEN: Final = Path(__file__).parents[1] / "support" / "shopclient.py"
NUMBERS: Final = count()

STRING: Final = {"type": "string"}

Schema = Mapping[str, Json]


@pytest.fixture(autouse=True)
def _modules_are_forgotten() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("written"):
            del sys.modules[name]


def imported(folder: Path, text: str) -> ModuleType:
    """Return a text as a module."""
    name = f"written{next(NUMBERS)}"
    file = folder / f"{name}.py"
    file.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(module: ModuleType) -> dict[str, DeclaredAction[..., Any, Any]]:
    """Return a module's actions by the names of their methods."""
    members = vars(vars(module)["_Actions"])
    return {name: one for name, one in members.items() if isinstance(one, DeclaredAction)}


def returned(schema: Schema, **definitions: Json) -> str:
    """Return the type of an action's result."""
    text = python([action(result={**schema, "$defs": definitions})])
    found = re.search(r"^    def act\(self\) -> TypedCall\[Never, (.*)\]:$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def taken(schema: Schema, **definitions: Json) -> str:
    """Return the type of a parameter."""
    fields = {"properties": {"x": schema}, "required": ["x"]}
    text = python([action(input={"type": "object", **fields, "$defs": definitions})])
    found = re.search(r"^    def act\(self, \*, x: (.*)\) -> TypedCall", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def declaration(text: str, name: str) -> str:
    """Return one of a text's declarations."""
    parts = re.split(r"\n\n\n", text)
    found = [one for one in parts if re.search(rf"^(class )?{name}\b", one, re.MULTILINE)]
    assert len(found) == 1, text
    return found[0].strip()


# As a whole.


def test_the_module_of_an_application_is_the_one_that_is_type_checked_with_the_tests() -> None:
    text = python(manifest(shop.app.registry.actions)["actions"])

    assert text == GOLDEN.read_text("utf-8")


def test_a_manifest_that_was_sent_says_the_same() -> None:
    whole = manifest(shop.app.registry.actions)

    sent = json.loads(json.dumps(whole))

    assert python(sent["actions"]) == python(whole["actions"])


def test_a_module_without_actions_can_be_imported(tmp_path: Path) -> None:
    module = imported(tmp_path, python([]))

    assert declared(module) == {}


# Methods.


def test_a_method_has_the_name_on_the_server_and_the_fields_as_parameters() -> None:
    fields = {"a": {"type": "string"}, "b": {"type": "integer", "default": 3}}
    given_ = {"type": "object", "properties": fields, "required": ["a"]}

    text = python([action(name="do_it", alias="doIt", input=given_)])

    assert '    @action("do_it")\n' in text
    assert "    def do_it(self, *, a: str, b: int = default(3)) -> TypedCall[Never, Any]:\n" in text
    assert '        return TypedCall({"a": a, "b": b})\n' in text


def test_a_feed_is_a_feed() -> None:
    assert '    @feed("act")\n' in python([action(method="GET")])


@pytest.mark.parametrize(
    ("name", "method"),
    [("class", "class_"), ("list", "list_"), ("action", "action_"), ("print", "print")],
)
def test_a_method_is_named_so_that_python_can_have_it(
    name: str, method: str, tmp_path: Path
) -> None:
    result = {"type": "array", "items": {"type": "string"}}

    module = imported(tmp_path, python([action(name), action("last", result=result)]))

    assert list(declared(module)) == [method, "last"]
    assert declared(module)[method].name == name
    assert declared(module)["last"].types.result(["a"]) == ["a"]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("class", "class_"),
        ("self", "self_"),
        ("TypedCall", "TypedCall_"),
        ("a-b", "a_b"),
        ("1", "field_1"),
        ("_id", "id"),
        ("", "field"),
        ("ﬁ", "fi"),
        ("größe", "größe"),
    ],
)
def test_a_parameter_is_named_so_that_python_can_have_it(
    name: str, parameter: str, tmp_path: Path
) -> None:
    given_ = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}

    module = imported(tmp_path, python([action(input=given_)]))

    assert declared(module)["act"].call(**{parameter: "x"}).input == {name: "x"}


def test_two_fields_that_would_have_one_name_have_two() -> None:
    fields = {"a-b": {"type": "string"}, "a b": {"type": "string"}}

    text = python([action(input={"type": "object", "properties": fields, "required": [*fields]})])

    assert '        return TypedCall({"a-b": a_b, "a b": a_b_})\n' in text


def test_an_input_that_is_not_an_object_is_one_argument() -> None:
    text = python([action(input={"title": "Words", "type": "array", "items": {"type": "string"}})])

    assert "    def act(self, input: Words, /) -> TypedCall[Never, Any]:\n" in text
    assert "        return TypedCall(input)\n" in text


def test_a_docstring_says_what_is_known_of_each_parameter_and_error() -> None:
    fields = {
        "a": {"type": "string", "description": "A word.", "minLength": 1, "maxLength": 9},
        "b": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "deprecated": True},
        "c": {"type": "boolean"},
    }
    errors = [{"code": "NO_WORD", "doc": "There is\nno word."}, {"code": "C_D", "doc": ""}]

    text = python(
        [action(doc="Act.", input={"type": "object", "properties": fields}, errors=errors)]
    )

    assert (
        '        """Act.\n\n'
        "        Args:\n"
        "            a: A word. At least 1 character, at most 9 characters.\n"
        "            b: >= 0. Deprecated.\n\n"
        "        Raises:\n"
        "            NoWord: There is no word.\n"
        "            CD: ``C_D``.\n"
        '        """\n'
    ) in text


def test_a_docstring_that_tells_of_its_parameters_is_left_alone() -> None:
    fields = {"a": {"type": "string", "description": "A word."}}
    doc = "Act.\n\nArgs:\n    a: Mine."

    text = python([action(doc=doc, input={"type": "object", "properties": fields})])

    assert "            a: Mine.\n" in text
    assert "A word." not in text


@pytest.mark.parametrize("doc", ['a """ b', 'a "', "a \\", "\x00\u202e", "'''", "\\N{nothing}"])
def test_a_docstring_cannot_be_left(doc: str, tmp_path: Path) -> None:
    module = imported(tmp_path, python([action(doc=doc)]))

    told = declared(module)["act"].__doc__ or ""
    assert told.strip() == "".join(char if char.isprintable() else " " for char in doc).strip()


# Types.


@pytest.mark.parametrize(
    ("schema", "sent", "got"),
    [
        ({"type": "string"}, "str", "str"),
        ({"type": "string", "format": "email"}, "str", "str"),
        ({"type": "string", "format": "date-time"}, "dt.datetime | str", "dt.datetime"),
        ({"type": "string", "format": "date"}, "dt.date | str", "dt.date"),
        ({"type": "string", "format": "time"}, "dt.time | str", "dt.time"),
        ({"type": "string", "format": "duration"}, "dt.timedelta | str", "dt.timedelta"),
        ({"type": "string", "format": "uuid"}, "UUID | str", "UUID"),
        ({"type": "string", "format": "decimal"}, "Decimal | str", "Decimal"),
        ({"type": "string", "format": "binary"}, "FileLike", "str"),
        ({"type": "integer"}, "int", "int"),
        ({"type": "number"}, "float", "float"),
        ({"type": "boolean"}, "bool", "bool"),
        ({"type": "null"}, "None", "None"),
        ({}, "Any", "Any"),
        ({"type": "what is that"}, "Any", "Any"),
        ({"anyOf": [{"type": "string"}, {}]}, "Any", "Any"),
        ({"type": ["string", "null"]}, "str | None", "str | None"),
        ({"allOf": [{"type": "string"}, {"title": "x"}]}, "str", "str"),
        ({"allOf": [{"type": "string"}, {"type": "null"}]}, "Any", "Any"),
        ({"const": 'a"\\\u2028'}, r'Literal["a\"\\\u2028"]', r'Literal["a\"\\\u2028"]'),
        (
            {"enum": ["é", 1, True, None, 1.5]},
            'Literal["é", 1, True] | None | float',
            'Literal["é", 1, True] | None | float',
        ),
        ({"enum": [2**70]}, "int", "int"),
        ({"enum": []}, "Any", "Any"),
        ({"const": [1]}, "list[Any]", "list[Any]"),
        ({"const": {}}, "dict[str, Any]", "dict[str, Any]"),
        ({"type": "array"}, "Sequence[Any]", "list[Any]"),
        ({"items": {"type": "integer"}}, "Sequence[int]", "list[int]"),
        ({"items": {"type": "null"}, "uniqueItems": True}, "Collection[None]", "list[None]"),
        (
            {"prefixItems": [{"type": "integer"}, STRING], "minItems": 1, "maxItems": 2},
            "tuple[int] | tuple[int, str]",
            "tuple[int] | tuple[int, str]",
        ),
        ({"prefixItems": [{"type": "null"}], "items": False}, "tuple[()] | tuple[None]", None),
        (
            {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
            "Sequence[int | str]",
            "list[int | str]",
        ),
        ({"prefixItems": [{}] * 9, "items": False}, "Sequence[Any]", "list[Any]"),
        ({"type": "object"}, "Mapping[str, Any]", "dict[str, Any]"),
        ({"additionalProperties": {"type": "null"}}, "Mapping[str, None]", "dict[str, None]"),
        (
            {"additionalProperties": False, "patternProperties": {"^x": {"type": "null"}}},
            "Mapping[str, None]",
            "dict[str, None]",
        ),
        (
            {"additionalProperties": {}, "propertyNames": {"enum": ["a", "b"]}},
            'Mapping[Literal["a", "b"], Any]',
            'dict[Literal["a", "b"], Any]',
        ),
        ({"additionalProperties": {}, "propertyNames": {"const": 1}}, "Mapping[str, Any]", None),
        ({"$ref": "#/$defs/Gone"}, "Any", "Any"),
        ({"$ref": "https://example.com/schema.json"}, "Any", "Any"),
        ({"not": {}}, "Any", "Any"),
    ],
    ids=str,
)  # fmt: skip
def test_a_schema_is_the_type_of_what_it_describes(
    schema: Schema, sent: str, got: str | None
) -> None:
    assert taken(schema) == sent
    if got is not None:
        assert returned(schema) == got


ITEM: Final = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
OTHER: Final = {"type": "object", "properties": {"y": {"type": "string"}}, "required": ["y"]}


def test_what_is_sent_is_a_dict_and_what_is_got_is_an_object() -> None:
    assert taken({"$ref": "#/$defs/Item"}, Item=ITEM) == "Item"
    both = {**ITEM, "title": "Item"}

    text = python([action(input={**ITEM, "properties": {"x": both}}, result=both)])

    assert "class Item:\n    x: str" in text
    assert "class ItemInput(TypedDict):\n    x: str" in text


def test_a_choice_of_values_is_the_same_when_sent_and_when_got() -> None:
    colour = {"enum": ["red", "blue"], "title": "Colour", "type": "string"}
    given_ = {"type": "object", "properties": {"c": {"$ref": "#/$defs/Colour"}}}

    text = python([action(input={**given_, "$defs": {"Colour": colour}}, result=colour)])

    assert "def act(self, *, c: Colour = default()) -> TypedCall[Never, Colour]:" in text


def test_two_models_of_one_name_have_names_of_their_own() -> None:
    text = python(
        [
            action("a", result={**ITEM, "title": "Item"}),
            action("b", result={**OTHER, "title": "Item"}),
            action("c", result={**ITEM, "title": "Item"}),
        ]
    )

    returns = re.findall(r"TypedCall\[Never, (\w+)\]:", text)
    assert returns == ["Item", "ItemOutput", "Item"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("snake_case", "SnakeCase"),
        ("Page[int]", "PageInt"),
        ("3D", "Type3D"),
        ("None", "NoneOutput"),
        ("Literal", "LiteralOutput"),
        ("Actions", "ActionsOutput"),
        ("class", "Class"),
    ],
)
def test_a_class_is_named_so_that_python_can_have_it(title: str, name: str) -> None:
    assert returned({**ITEM, "title": title}) == name


def test_a_field_can_be_left_out_unless_it_is_required_or_tells_a_union_apart() -> None:
    fields = {
        "a": {"type": "string"},
        "b": {"type": "string", "default": "x", "description": "A word."},
        "kind": {"const": "item", "default": "item"},
    }
    item = {"title": "Item", "type": "object", "properties": fields, "required": ["a"]}

    text = python([action(input={**ITEM, "properties": {"x": item}})])

    assert declaration(text, "Item") == (
        "class Item(TypedDict):\n"
        "    a: str\n"
        "    b: NotRequired[str]\n"
        '    """A word. Default: ``"x"``."""\n'
        '    kind: Literal["item"]\n'
        '    """Default: ``"item"``."""'
    )


def test_a_field_of_a_dict_can_have_any_name() -> None:
    item = {"title": "Item", "type": "object", "properties": {"a-b": {"type": "string"}}}

    text = python([action(input={**ITEM, "properties": {"x": item}})])

    assert '        "a-b": "NotRequired[str]",\n' in declaration(text, "Item")


# What is read.


def result_of(folder: Path, schema: Schema, value: Json) -> object:
    """Return a result as a module reads it."""
    module = imported(folder, python([action(result=schema)]))
    return declared(module)["act"].types.result(value)


def test_fields_have_names_that_hide_no_type(tmp_path: Path) -> None:
    fields = {
        "str": {"type": "string"},
        "list": {"type": "array", "items": {"type": "string"}},
        "dt": {"type": "string", "format": "date"},
        "int": {"type": "string"},
    }
    schema = {"title": "Item", "type": "object", "properties": fields, "required": [*fields]}

    value: Any = result_of(
        tmp_path, schema, {"str": "a", "list": ["b"], "dt": "2026-01-02", "int": "c"}
    )

    assert (value.str_, value.list_, str(value.dt_), value.int) == ("a", ["b"], "2026-01-02", "c")


def test_a_field_that_can_be_left_out_is_none_then(tmp_path: Path) -> None:
    schema = {"title": "Item", "type": "object", "properties": {"a-b": {"type": "string"}}}

    value: Any = result_of(tmp_path, schema, {})

    assert value.a_b is None


def test_an_object_with_more_fields_keeps_them(tmp_path: Path) -> None:
    value: Any = result_of(
        tmp_path, {**ITEM, "title": "Item", "additionalProperties": True}, {"x": "a", "y": 1}
    )

    assert (value.x, value.y) == ("a", 1)


def test_a_union_is_told_apart(tmp_path: Path) -> None:
    schema = {
        "title": "Either",
        "anyOf": [{"$ref": "#/$defs/Item"}, {"$ref": "#/$defs/Other"}, {"type": "null"}],
        "$defs": {"Item": ITEM, "Other": OTHER},
    }

    names = [
        type(result_of(tmp_path, schema, value)).__name__
        for value in ({"x": "a"}, {"y": "a"}, None)
    ]

    assert names == ["Item", "Other", "NoneType"]


def test_a_model_can_contain_itself(tmp_path: Path) -> None:
    kids = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
    tree = {"type": "object", "properties": {"kids": kids}, "required": ["kids"]}

    value: Any = result_of(
        tmp_path, {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}}, {"kids": [{"kids": []}]}
    )

    assert type(value.kids[0]) is type(value)


def test_a_type_can_contain_itself(tmp_path: Path) -> None:
    deep = {
        "anyOf": [
            {"type": "string", "format": "date"},
            {"type": "array", "items": {"$ref": "#/$defs/Deep"}},
        ]
    }

    value: Any = result_of(
        tmp_path, {"$ref": "#/$defs/Deep", "$defs": {"Deep": deep}}, [["2026-01-02"]]
    )

    assert str(value[0][0]) == "2026-01-02"


def test_a_union_that_is_its_own_member_can_be_anything() -> None:
    first = {"anyOf": [{"$ref": "#/$defs/Second"}, {"type": "null"}]}
    second = {"allOf": [{"$ref": "#/$defs/First"}]}

    assert returned({"$ref": "#/$defs/First"}, First=first, Second=second) == "Any"


def test_a_long_union_has_a_line_for_each_member() -> None:
    word = "a | b" * 15
    parts = [{"enum": [word]}, {"type": "array", "items": {"type": ["string", "null"]}}]

    text = python([action(result={"title": "Long", "anyOf": parts})])

    assert declaration(text, "Long: TypeAlias") == (
        f'Long: TypeAlias = (\n    Literal["{word}"]\n    | list[str | None]\n)'
    )


# Errors.


def test_an_error_is_a_class_with_its_code_and_the_type_of_its_data(tmp_path: Path) -> None:
    errors = [
        {"code": "A_B", "doc": "It is so.", "data": {**ITEM, "title": "Credit"}},
        {"code": "RATE_LIMITED", "doc": ""},
    ]

    text = python([action(errors=errors)])

    assert '    @action("act", errors=[AB])\n' in text
    assert declaration(text, "AB") == (
        'class AB(ActionError):\n    """It is so."""\n\n    code = "A_B"\n    data: Credit'
    )
    assert imported(tmp_path, text).AB.code == "A_B"


def test_one_code_with_two_kinds_of_data_has_two_classes() -> None:
    errors = [[{"code": "A_B", "data": {**one, "title": "X"}}] for one in (ITEM, OTHER)]

    text = python([action(f"a{n}", errors=one) for n, one in enumerate(errors)])

    assert re.findall(r"errors=\[(\w+)\]", text) == ["AB", "ABError"]


# Questions and messages.


def test_answers_and_messages_have_types() -> None:
    asks = {"Decision": {**ITEM, "title": "Decision"}, "bool": {"type": "boolean"}}

    text = python(
        [
            action("a", asks=asks, inbox={"type": "string"}),
            action("b", asks={}, inbox={"type": "string"}),
            action("c", asks=asks),
        ]
    )

    assert re.findall(r"TypedCall\[Never, Any(.*)\]:", text) == [
        ", Decision | bool, str",
        ", Never, str",
        ", Decision | bool",
    ]
    assert "class Decision(TypedDict):" in text


# Whatever the schema.


@pytest.mark.timeout(300)
def test_whatever_the_schema_the_module_is_imported_and_type_checks(tmp_path: Path) -> None:
    @settings(max_examples=amount(20, long=60))
    @given(manifest=manifests)
    def write(manifest: list[dict[str, Json]]) -> None:
        text = python(manifest)
        assume(not has_mutual_aliases(text))
        assert python(json.loads(json.dumps(manifest))) == text
        for one in declared(imported(tmp_path, text)).values():
            read(one)

    write()

    assert complaints(tmp_path) == []


def has_mutual_aliases(text: str) -> bool:
    """Whether aliases are made of each other, which basedpyright cannot always follow.

    Only lists and unions of each other are: an object has a class of its own.
    """
    found = re.findall(r'^(\w+) = TypeAliasType\("\w+", "(.*)"\)$', text, re.MULTILINE)
    uses = {name: {*re.findall(r"\w+", of)} - {name} for name, of in found}
    return any(name in uses[other] for name in uses for other in uses[name] & uses.keys())


def read(one: DeclaredAction[..., Any, Any]) -> None:
    """Build what reads an action's values."""
    with suppress(ProtocolError):
        one.types.result(object())
    with suppress(ProtocolError):
        one.types.chunk(Event(1, EventType.CHUNK, b"0"))
