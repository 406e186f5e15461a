import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl, TypeAdapter

from tests.support.elements import Elements
from yieldwire.asgi.pages.value import MOST_COLUMNS, MOST_VALUES, label_of, shown
from yieldwire.errors import Json

PNG: Final = "iVBORw0KGgo="
IMAGE: Final = {"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64"}
TEXTS: Final = st.lists(
    st.sampled_from(
        [*"<>&\"' /:=a.\n", "javascript:", "data:image/png;base64,", "https://", "<b>"]
    ),
    max_size=9,
).map("".join)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
SCHEMAS: Final = st.sampled_from(
    [
        {},
        {"type": "string", "format": "uri"},
        IMAGE,
        {"type": "string", "contentMediaType": "text/html", "contentEncoding": "base64"},
        {"type": "string", "contentMediaType": 'image/"><b>'},
        {"items": {"properties": {"a": {"format": "uri", "type": "string"}}}},
    ]
)
MADE: Final = frozenset(
    [
        "p",
        "a",
        "img",
        "ul",
        "li",
        "dl",
        "dt",
        "dd",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
    ]
)


class Ship(BaseModel):
    """A ship."""

    name: str
    length: Annotated[float, Field(title="Length in metres")]
    home: HttpUrl | None = None
    is_sailing: bool = False


def schema_of(kind: Any) -> dict[str, Json]:  # noqa: ANN401 - a type
    return TypeAdapter[Any](kind).json_schema(mode="serialization")


@pytest.mark.parametrize(
    ("value", "html"),
    [
        ("a < b\nc", '<p class="text">a &lt; b\nc</p>'),
        (28, '<p class="number">28</p>'),
        (2.5, '<p class="number">2.5</p>'),
        (True, "<p>Yes</p>"),
        (False, "<p>No</p>"),
        ([], '<p class="muted">Nothing</p>'),
        ({}, '<p class="muted">Nothing</p>'),
        (["a", "b"], '<ul><li><p class="text">a</p></li><li><p class="text">b</p></li></ul>'),
    ],
)
def test_a_plain_value_is_shown_in_the_words_of_people(value: Json, html: str) -> None:
    assert shown(value, None) == html


def test_an_object_is_a_list_of_its_fields_in_the_order_of_the_schema() -> None:
    value = {"extra": 1, "is_sailing": True, "length": 12.5, "name": "Ada", "home": None}

    html = shown(value, schema_of(Ship))

    assert re.findall("<dt>(.*?)</dt>", html) == [
        "Name",
        "Length in metres",
        "Home",
        "Is sailing",
        "Extra",
    ]
    assert html.startswith("<dl>")


def test_a_list_of_objects_is_a_table_with_a_column_for_each_field() -> None:
    rows = [{"name": "Ada", "length": 12, "is_sailing": True}, {"name": "<b>", "length": 9.5}]

    html = shown(rows, schema_of(list[Ship]))

    heads = re.findall('<th scope="col"(?: class="number")?>(.*?)</th>', html)
    assert heads == ["Name", "Length in metres", "Is sailing"]
    assert html.count("<tr>") == 3
    assert '<td class="number"><p class="number">9.5</p></td><td></td></tr>' in html
    assert "&lt;b&gt;" in html


def test_a_link_is_a_link_only_to_the_web_or_to_this_origin() -> None:
    link = {"type": "string", "format": "uri"}

    for url in ("https://example.com/a?b=c", "/reports/3"):
        assert shown(url, link) == f'<a href="{url}" rel="noopener noreferrer">{url}</a>'
    for url in ("javascript:alert(1)", "//evil.example", "data:text/html,x", "https://a b"):
        assert "<a" not in shown(url, link)
    assert "<a" not in shown("https://example.com", {"type": "string"})


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (PNG, IMAGE),
        (f"data:image/png;base64,{PNG}", {}),
        (f"data:image/png;base64,{PNG}", {"contentMediaType": "image/*"}),
        (PNG[:5] + "\r\n" + PNG[5:], IMAGE),
    ],
)
def test_an_image_is_shown_as_an_image(value: str, schema: dict[str, Json]) -> None:
    assert shown(value, schema) == f'<img src="data:image/png;base64,{PNG}" alt="Image">'


def test_base_64_for_urls_is_read_as_well() -> None:
    assert "base64,a+b/" in shown("a-b_", IMAGE)


def test_an_image_of_this_origin_is_shown_and_any_other_is_a_link() -> None:
    image = {"type": "string", "contentMediaType": "image/png", "description": "Sales"}

    assert shown("/charts/3.png", image) == '<img src="/charts/3.png" alt="Sales">'
    assert shown("/charts/3.png", {"contentMediaType": "image/*", "type": "string"})[:4] == "<img"
    assert shown("https://example.com/x.png", image).startswith(
        '<a href="https://example.com/x.png"'
    )
    assert "<a" not in shown("//evil.example/x.png", image)
    assert "<img" not in shown("not base 64!", IMAGE)


def test_a_file_is_a_link_that_saves_it() -> None:
    csv = {"type": "string", "contentMediaType": "text/csv", "contentEncoding": "base64"}

    assert shown("YSxi", csv) == (
        '<a href="data:text/csv;base64,YSxi" download="result.csv">Download (text/csv, 3 bytes)</a>'
    )


def test_the_alternative_of_a_union_that_fits_describes_the_value() -> None:
    schema = schema_of(int | list[Ship] | Ship | None)
    ship = {"name": "Ada", "length": 3, "home": "https://example.com/", "is_sailing": False}

    assert '<a href="https://example.com/"' in shown(ship, schema)
    assert shown(None, schema) == "<p>\u2013</p>"


def test_a_schema_that_contains_itself_is_followed() -> None:
    class Node(BaseModel):
        name: str
        children: list["Node"] = []

    value: Json = {"name": "leaf", "children": []}
    for _ in range(100):
        value = {"name": "node", "children": [value]}

    html = shown(value, schema_of(Node))

    assert html.count("<td>") < 20
    assert "<code>[{&quot;name&quot;" in html


def test_a_large_value_is_cut_and_says_so() -> None:
    rows = [{"a": n, "b": n} for n in range(MOST_VALUES)]

    table, items = shown(rows, None), shown(list(range(10 * MOST_VALUES)), None)

    assert table.count("<tr>") < MOST_VALUES
    assert re.search(r"The first [\d,]+ of 2,000 rows\.", table)
    assert re.search(r"The first [\d,]+ of 20,000 entries\.", items)
    assert shown([{str(n): n for n in range(9999)}], None).count("<td") == MOST_COLUMNS
    assert shown({str(n): n for n in range(9999)}, None).count("<dt") <= MOST_VALUES


@given(value=VALUES, schema=SCHEMAS)
def test_no_value_becomes_markup_or_a_link_that_runs_something(
    value: Json, schema: Mapping[str, Json]
) -> None:
    read = Elements(shown(value, schema))

    assert {name for name, _ in read.elements} <= MADE
    for name, attributes in read.elements:
        for key, target in attributes:
            assert (
                key in {"class", "href", "src", "alt", "rel", "download", "scope"} or name == "div"
            )
            if key == "href":
                assert re.match(r"https?://|/(?!/)|data:text/html;base64,", target or "")
                assert not str(target).startswith("data:") or "download" in dict(attributes)
            if key == "src":
                assert re.match(r"data:image/|/(?!/)", target or "")


@pytest.mark.parametrize(
    ("name", "schema", "label"),
    [
        ("dry_run", {"title": "Dry Run"}, "Dry run"),
        ("dry_run", {"title": "Only check"}, "Only check"),
        ("email", {}, "Email"),
        ("", {}, "\u2013"),
        ("a", {"title": ["no text"]}, "A"),
    ],
)
def test_a_field_is_labelled_by_its_title_or_its_name(
    name: str, schema: dict[str, Json], label: str
) -> None:
    assert label_of(name, schema) == label
