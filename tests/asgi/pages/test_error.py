import pytest

from tests.support.elements import Elements
from yieldwire.asgi.pages.error import error_content
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.link import NO_LINKS, Links
from yieldwire.errors import ErrorObject
from yieldwire.errors.errorobject import Json

SCHEMA = {"properties": {"age": {"type": "integer", "title": "Age"}}, "type": "object"}
INVALID = ErrorObject(
    code="VALIDATION_ERROR",
    message="The input is not valid.",
    status=422,
    field_errors={"age": ["Not a number."]},
)


def form(values: Json = None) -> Form:
    return Form(title="Pay", schema=SCHEMA, takes_files=False, target="/pay", values=values)


def test_an_error_page_names_the_fields_and_the_id() -> None:
    error = ErrorObject(
        code="X", message="<b>", field_errors={"<i>": ["<u>", "two"]}, error_id="4711"
    )

    content = error_content(error, "", links=NO_LINKS)

    assert "<h1>&lt;b&gt;</h1>" in content.body
    assert "<li><strong>&lt;i&gt;</strong>: &lt;u&gt; two</li>" in content.body
    assert "X · 4711" in content.body
    assert (content.title, content.error) == ("<b>", error.to_dict())


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ErrorObject(code="VALIDATION_ERROR", message="No.", status=422), "change what is wrong"),
        (ErrorObject(code="RATE_LIMITED", message="No.", status=429, retryable=True), "a moment"),
        (ErrorObject(code="NOT_FOUND", message="No.", status=404), None),
        (ErrorObject(code="METHOD_NOT_ALLOWED", message="No.", status=405), None),
    ],
)
def test_an_error_page_advises_what_helps(error: ErrorObject, advice: str | None) -> None:
    shown = error_content(error, "", links=NO_LINKS).body

    assert ("Go back" in shown) == (advice is not None)
    assert advice is None or advice in shown


def test_a_form_that_was_read_is_shown_again_with_its_errors_and_the_link_back() -> None:
    content = error_content(INVALID, "", form=form({"age": "x"}), links=Links(back="/form"))

    read = Elements(content.body)
    assert {"href": "#field-age"} in read.named("a")
    assert {"href": "/form"} in read.named("a")
    assert [each["value"] for each in read.named("input")] == ["x"]
    assert "Go back" not in read.text
    assert content.title == "Error: Pay"


def test_a_form_of_which_nothing_was_read_is_not_shown_empty() -> None:
    error = ErrorObject(code="RATE_LIMITED", message="Too many.", status=429, retryable=True)

    content = error_content(error, "", form=form(), links=Links(back="/form", next="/contacts"))

    read = Elements(content.body)
    assert "PayToo many.Go back, and send it again in a moment.Code: RATE_LIMITED" in read.text
    assert read.named("form") == []
    assert read.named("a") == [{"href": "/form"}]


def test_the_details_of_an_unexpected_error_are_text() -> None:
    error = ErrorObject(
        code="INTERNAL_ERROR",
        message="Something went wrong on the server.",
        debug={"type": "X", "message": "", "traceback": "File <string>"},
    )

    assert "File &lt;string&gt;" in error_content(error, "", links=NO_LINKS).body
