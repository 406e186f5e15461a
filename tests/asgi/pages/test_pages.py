import logging
from collections.abc import Mapping
from typing import Any

import pytest
from jinja2 import Environment

from yieldwire import Pages
from yieldwire.asgi.pages import PageContent
from yieldwire.asgi.pages.link import Links
from yieldwire.asgi.pages.markup import Markup, tag
from yieldwire.errors import UsageError

CONTENT = PageContent(
    title="Import <contacts>",
    body=tag("main", "<x>"),
    base="/api",
    head=tag("script", src="/api/follow.js"),
    run={"id": "r1"},
    links=Links(back="/form", next="/contacts"),
)


def test_a_page_has_the_name_of_the_application() -> None:
    page = Pages(name="Tom & Co").page(CONTENT).decode()

    assert "<title>Import &lt;contacts&gt; · Tom &amp; Co</title>" in page
    assert '<header><p class="brand">Tom &amp; Co</p></header><main>&lt;x&gt;</main>' in page
    assert '<link rel="stylesheet" href="/api/follow.css"><script src="/api/follow.js">' in page
    assert page.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')


def test_a_page_without_a_name_has_no_header_of_its_own() -> None:
    page = Pages().page(CONTENT).decode()

    assert "<title>Import &lt;contacts&gt;</title>" in page
    assert "brand" not in page


def test_a_colour_is_set_for_light_and_for_dark_pages() -> None:
    assert Pages(color="#0f766e").style == (
        b"\n:root {\n  --brand: light-dark(#0f766e, #3a8f88);\n}\n"
    )
    assert Pages().style == b""


def test_a_template_gets_the_parts_of_the_page() -> None:
    got: list[Mapping[str, object]] = []

    def template(parts: Mapping[str, object]) -> str:
        got.append(parts)
        return "whole"

    assert Pages(name="Tom & Co", template=template).page(CONTENT) == b"whole"
    (parts,) = got
    assert parts == {
        "title": "Import <contacts> · Tom & Co",
        "name": "Tom & Co",
        "run": {"id": "r1"},
        "error": None,
        "back": "/form",
        "next": "/contacts",
        "head": (
            '<link rel="stylesheet" href="/api/follow.css"><script src="/api/follow.js"></script>'
        ),
        "content": "<main>&lt;x&gt;</main>",
    }
    assert isinstance(parts["head"], Markup)
    assert isinstance(parts["content"], Markup)


def test_a_jinja_template_gets_the_html_as_html_and_escapes_the_rest() -> None:
    source = "{{ title }}|{{ head }}|{{ content }}|{{ run.id }}|{{ next }}"
    template = Environment(autoescape=True).from_string(source)

    page = Pages(template=template.render).page(CONTENT).decode()

    head = '<link rel="stylesheet" href="/api/follow.css"><script src="/api/follow.js"></script>'
    assert page == f"Import &lt;contacts&gt;|{head}|<main>&lt;x&gt;</main>|r1|/contacts"


@pytest.mark.parametrize("written", [None, b"bytes"])
def test_a_template_that_returns_no_text_is_told_so(written: object) -> None:
    def template(_parts: Mapping[str, object]) -> Any:  # noqa: ANN401 - a mistake
        return written

    with pytest.raises(UsageError, match="template= must return a string, not"):
        Pages(template=template).page(CONTENT)


def test_an_error_is_shown_without_the_template_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_parts: Mapping[str, object]) -> str:
        raise KeyError("menu")

    page = Pages(name="Tom & Co", template=broken).error_page(CONTENT)

    assert page == Pages(name="Tom & Co").page(CONTENT)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.ERROR,
        "the template of the pages failed",
    )


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"name": 3}, "Pages: name=3 is not a string."),
        ({"color": "teal"}, "Pages: color='teal' is not a colour such as '#0f766e' or None."),
        ({"template": "run.html"}, "Pages: template='run.html' is not a function of the page's"),
        ({"colour": "#fff"}, r"Pages: there is no setting colour=; did you mean color=\?"),
    ],
)
def test_a_wrong_setting_is_told_where_it_is_given(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        Pages(**settings)
