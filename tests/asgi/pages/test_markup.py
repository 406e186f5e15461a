from hypothesis import given
from hypothesis import strategies as st

from tests.support.elements import Elements
from yieldwire.asgi.pages.markup import Markup, joined, tag

HOSTILE = st.text(alphabet=st.sampled_from(list("<>&\"'=/ !-a\n\0\u2028")), max_size=30)


@given(text=HOSTILE, value=HOSTILE)
def test_text_and_the_values_of_attributes_never_become_markup(text: str, value: str) -> None:
    read = Elements(tag("p", text, [text, (text,)], title=value))

    assert read.elements == [("p", [("title", value)])]
    assert read.text == text * 3


def test_markup_in_markup_stays_as_it_is() -> None:
    assert tag("p", tag("b", "<"), None, [" ", tag("i", ">")]) == "<p><b>&lt;</b> <i>&gt;</i></p>"


def test_attributes_are_left_out_bare_or_quoted() -> None:
    shown = tag("input", type_="text", required=True, disabled=False, id=None, data_role='"')

    assert shown == '<input type="text" required data-role="&quot;">'


def test_a_template_engine_takes_markup_as_it_is() -> None:
    assert Markup("<b>").__html__() == "<b>"
    assert isinstance(joined("<", tag("b")), Markup)
