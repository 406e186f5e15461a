"""How a chunk looks: a function or a template of the application, escaped unless it is HTML."""

import pytest
from jinja2 import DictLoader, Environment, select_autoescape
from markupsafe import Markup

from yieldwire import Actions
from yieldwire.actions.look import html_of
from yieldwire.errors import InvalidAction, UsageError

ROW = {"row.html": "<li>{{ chunk.name }}</li>", "row.txt": "{{ chunk.name }}"}
EVIL = {"name": "<script>"}


async def answer() -> int:
    return 42


def test_text_of_a_function_is_escaped() -> None:
    assert html_of(lambda chunk: f"<b>{chunk['name']}", EVIL) == "&lt;b&gt;&lt;script&gt;"


def test_marked_html_of_a_function_is_kept() -> None:
    assert html_of(lambda chunk: Markup("<b>{}</b>").format(chunk["name"]), EVIL) == (
        "<b>&lt;script&gt;</b>"
    )


@pytest.mark.parametrize("autoescape", [True, select_autoescape()])
def test_a_template_has_the_chunk_and_escapes_it(autoescape: bool) -> None:  # noqa: FBT001 - or a function, as Jinja2 takes both
    templates = Environment(loader=DictLoader(ROW), autoescape=autoescape)  # noqa: S701 - it is on

    assert html_of(templates.get_template("row.html"), EVIL) == "<li>&lt;script&gt;</li>"


def test_the_text_of_another_engine_s_template_is_escaped() -> None:
    class Template:
        def render(self, context: dict[str, dict[str, str]]) -> str:
            return context["chunk"]["name"]

    assert html_of(Template(), EVIL) == "&lt;script&gt;"


def test_what_is_not_text_is_refused_when_it_is_sent() -> None:
    with pytest.raises(UsageError, match=r"html= must return text, not 3\."):
        html_of(lambda _: 3, EVIL)


def test_a_template_that_does_not_escape_is_refused_when_it_is_declared() -> None:
    templates = Environment(loader=DictLoader(ROW), autoescape=select_autoescape())
    actions = Actions()

    with pytest.raises(InvalidAction, match=r"that escapes; make its environment with autoescape"):
        actions.action(html=templates.get_template("row.txt"))(answer)


def test_what_can_make_no_html_is_refused_when_it_is_declared() -> None:
    with pytest.raises(InvalidAction, match=r"is not a function of a chunk, or a template"):
        Actions().action(html="<b>")(answer)
