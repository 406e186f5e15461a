import io
from datetime import date
from html.parser import HTMLParser
from typing import Annotated, Any, Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from tests.support.elements import Elements
from yieldwire import Upload
from yieldwire.actions.schema import inspect_action
from yieldwire.asgi.forms import coerce
from yieldwire.asgi.pages.form import Form
from yieldwire.errors import FieldErrors, Json

TEXTS: Final = st.text(alphabet=st.sampled_from(list("<>&\"' \n-1a")), max_size=8)


class Pilot(BaseModel):
    """Who steers."""

    name: str


async def book(  # noqa: PLR0913 - every kind of field
    *,
    captain: Annotated[str, Field(description="As in the passport.")],
    berth: int,
    needs_pilot: bool,
    arrives: date | None = None,
    length: float = 10,
    email: Annotated[str, Field(json_schema_extra={"format": "email"})] = "",
    cargo: Literal["tea", "cocoa"] = "tea",
    flag: Literal["de", "fr"] | None = None,
    remarks: Annotated[str, Field(max_length=2000)] = "",
    secret: SecretStr = SecretStr(""),  # noqa: B008 - read only
    passengers: list[str] = [],  # noqa: B006 - read only
    pilot: Pilot | None = None,
    is_return: bool = True,
    papers: Upload | None = None,
) -> None:
    """Book."""


SCHEMA: Final = inspect_action(book).input_schema()


def form_of(values: Json, errors: FieldErrors | None = None, schema: Json = SCHEMA) -> Elements:
    posted = Form(
        title="Book", schema=schema, takes_files=True, target="/book?next=/x", values=values
    )
    return Elements(posted.markup(errors or {}))


def control(form: Elements, name: str) -> dict[str, str | None]:
    """Return the attributes of the last control with a name: the one that counts."""
    every = [dict(attributes) for _, attributes in form.elements]
    return [each for each in every if each.get("name") == name][-1]


@pytest.mark.parametrize(
    ("name", "value", "attributes"),
    [
        ("captain", "A <b>", {"type": "text", "value": "A <b>", "required": None}),
        ("berth", "3", {"type": "number", "value": "3"}),
        ("berth", "three", {"type": "text", "value": "three"}),  # else the browser hides it
        ("length", "2.5", {"type": "number", "value": "2.5", "step": "any"}),
        ("arrives", "2027-03-01", {"type": "date", "value": "2027-03-01"}),
        ("arrives", "tomorrow", {"type": "text", "value": "tomorrow"}),
        ("email", "a@b", {"type": "email", "value": "a@b"}),
        ("is_return", "true", {"type": "checkbox", "value": "true", "checked": None}),
        ("secret", "hidden", {"type": "password"}),
    ],
)
def test_a_field_has_the_control_of_its_type_with_the_value_that_was_sent(
    name: str, value: str, attributes: dict[str, str | None]
) -> None:
    found = control(form_of({name: value}), name)

    assert {key: found.get(key, "missing") for key in attributes} == attributes


def test_a_field_that_was_not_sent_has_its_default() -> None:
    form = form_of({})

    assert control(form, "length")["value"] == "10"
    assert "checked" in control(form, "is_return")
    assert "checked" not in control(form, "needs_pilot")
    assert {"value": "tea", "selected": None} in form.named("option")


def test_a_box_that_is_not_ticked_is_sent_as_false() -> None:
    hidden, box = (each for each in form_of({}).named("input") if each["name"] == "is_return")

    assert (hidden["type"], hidden["value"]) == ("hidden", "false")
    assert (box["type"], box["value"]) == ("checkbox", "true")


def test_secrets_and_files_are_asked_for_again() -> None:
    file = Upload(io.BytesIO(b"x"), filename="papers.pdf")

    form = form_of({"secret": "canary", "papers": file})

    assert "canary" not in str(form.elements)
    assert "papers.pdf" not in str(form.elements) + form.text
    assert "Choose the file again." in form.text


def test_a_list_has_a_control_for_each_item_and_one_more() -> None:
    form = form_of({"passengers": ["Ada", "<b>"]})

    values = [each["value"] for each in form.named("input") if each["name"] == "passengers"]
    assert values == ["Ada", "<b>", ""]


def test_an_object_is_edited_as_json() -> None:
    form = form_of({"pilot": {"name": "Ada"}})

    assert '{\n  "name": "Ada"\n}' in form.text
    assert {"name": "pilot", "id": "field-pilot"}.items() <= control(form, "pilot").items()


def test_an_error_is_next_to_its_field_and_known_to_a_screen_reader() -> None:
    errors = {"captain": ["Too short."], "pilot.name": ["Field required"]}

    form = form_of({"captain": "A"}, errors)

    captain = control(form, "captain")
    assert captain["aria-invalid"] == "true"
    assert captain["aria-describedby"] == "field-captain-hint field-captain-error"
    assert {"id": "field-captain-error"} in form.named("div")
    assert "Too short." in form.text
    assert "name: Field required" in form.text
    assert "aria-invalid" not in control(form, "berth")
    assert {each.get("for") for each in form.named("label")} >= {"field-captain", "field-is_return"}


def test_the_summary_leads_to_the_fields() -> None:
    posted = Form(title="", schema=SCHEMA, takes_files=False, target="/book")
    errors = {"pilot.name": ["Wrong."], "_root": ["All wrong."], "<i>": ["Not expected."]}

    summary = str(posted.summary(errors))

    assert '<li><a href="#field-pilot">Pilot (name): Wrong.</a></li>' in summary
    assert "<li>All wrong.</li>" in summary
    assert "<li>&lt;i&gt;: Not expected.</li>" in summary
    assert posted.summary({}) == ""


def test_the_form_is_sent_where_the_first_one_was_sent() -> None:
    (form,) = form_of({}).named("form")

    assert form == {
        "method": "post",
        "action": "/book?next=/x",
        "enctype": "multipart/form-data",
        "data-role": "form",
    }


@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "captain": TEXTS,
            "berth": TEXTS,
            "arrives": TEXTS,
            "length": TEXTS,
            "email": TEXTS,
            "cargo": st.sampled_from(["tea", "cocoa"]),
            "remarks": TEXTS,
            "passengers": st.lists(TEXTS.filter(bool), max_size=3),
            "needs_pilot": st.sampled_from(["true", "false"]),
            "is_return": st.sampled_from(["true", "false"]),
        },
    )
)
def test_a_form_that_is_sent_again_unchanged_is_the_same_input(values: dict[str, Any]) -> None:
    posted = Form(title="", schema=SCHEMA, takes_files=True, target="/", values=values)

    data = coerce(Submitted(posted.markup({})).fields, SCHEMA, max_depth=32)

    kept = {name: value for name, value in values.items() if value or name == "captain"}
    assert {name: data.get(name) for name in kept} == kept


class Submitted(HTMLParser):
    """The fields that a browser sends for a form."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str | Upload]] = []
        self._name = self._text = ""
        self._options: list[tuple[str, bool]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        each = dict(attrs)
        name, value = each.get("name") or "", each.get("value") or ""
        if tag == "option":
            self._options.append((value, "selected" in each))
        elif tag in {"select", "textarea"}:
            self._name, self._text, self._options = name, "", []
        elif tag == "input" and (each["type"] == "checkbox") <= ("checked" in each):
            assert "\n" not in value  # an input drops it
            self.fields += [] if each["type"] == "file" else [(name, value)]

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            chosen = [value for value, is_selected in self._options if is_selected]
            self.fields.append((self._name, [*chosen, self._options[0][0]][0]))
        elif tag == "textarea":
            self.fields.append((self._name, self._text.removeprefix("\n")))

    def handle_data(self, data: str) -> None:
        self._text += data


# An answer that is not an object.


def buttons_of(kind: Any) -> list[tuple[str | None, str | None]]:  # noqa: ANN401 - a type
    schema = TypeAdapter[Any](kind).json_schema()
    form = Elements(Form(title="Publish?", schema=schema, target="/answer").markup({}))
    every = [dict(attributes) for name, attributes in form.elements if name == "button"]
    return [(each.get("name"), each.get("value")) for each in every]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (bool, ["true", "false"]),
        (Literal["now", "later"], ["now", "later"]),
        (Literal[1, 2], ["1", "2"]),
        (Literal["one"], [None]),
        (Literal["a", "b", "c", "d", "e", "f"], [None]),
        (Literal["a", "b"] | None, [None]),
        (list[Literal["a", "b"]], [None]),
        (str, [None]),
        (Pilot, [None]),
    ],
)
def test_one_of_a_few_values_is_chosen_by_a_button(kind: object, values: list[str | None]) -> None:
    assert [value for _, value in buttons_of(kind)] == values


def test_an_answer_that_is_not_an_object_is_one_field_with_its_errors() -> None:
    schema = TypeAdapter[Any](Annotated[int, Field(gt=0)]).json_schema()
    form = Form(title="How many?", schema=schema, target="/answer", values=-1, ids="q1")

    page = form.markup({"_root": ["Input should be greater than 0"]})

    assert control(Elements(page), "value")["value"] == "-1"
    assert 'id="q1-value-error"' in page
    assert "greater than 0" in page
