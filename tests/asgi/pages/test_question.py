from typing import Any

import pytest

from tests.asgi.pages.test_run import hidden, view
from tests.support.elements import Elements
from yieldwire.asgi.pages.question import link_page, questions_part
from yieldwire.errors import Json

QUESTION: dict[str, Json] = {
    "id": "publish/1",
    "prompt": "Publish <this>?",
    "name": "Decision",
    "schema": {
        "type": "object",
        "properties": {"approved": {"type": "boolean"}, "note": {"type": "string"}},
        "required": ["approved"],
    },
}
OTHER: dict[str, Json] = {"id": "2", "prompt": "When?", "name": "str", "schema": {"type": "string"}}


def part_of(*questions: dict[str, Json], query: str = "") -> str:
    return str(questions_part(questions, "/api/runs/r1", query))


def ids_in(html: str) -> list[str]:
    every = (dict(attributes) for _, attributes in Elements(html).elements)
    return [str(each["id"]) for each in every if "id" in each]


def test_a_question_is_a_form_that_posts_its_answer() -> None:
    part = part_of(QUESTION, query="?share=a.b")

    assert "Publish &lt;this&gt;?" in part
    assert 'method="post" action="/api/runs/r1/questions/publish%2F1?share=a.b"' in part
    assert ['name="approved"' in part, 'name="note"' in part] == [True, True]


def test_each_question_has_ids_of_its_own() -> None:
    ids = ids_in(part_of(QUESTION, {**QUESTION, "id": "2"}))

    assert len(ids) == len(set(ids)) >= 6


@pytest.mark.parametrize("detail", [{"words": 120}, "a <b>", [1, 2], 0, False])
def test_the_detail_of_a_question_is_shown_as_a_value(detail: Any) -> None:  # noqa: ANN401 - JSON
    assert "<b>" not in part_of({**QUESTION, "detail": detail})
    assert len(part_of({**QUESTION, "detail": detail})) > len(part_of(QUESTION))


def test_a_question_that_expires_says_until_when() -> None:
    part = part_of({**QUESTION, "expiresAt": "2027-03-01T12:00:00.000+00:00"})

    assert '<time datetime="2027-03-01T12:00:00.000+00:00">' in part


def test_a_run_without_questions_hides_their_part() -> None:
    assert hidden(view())["questions"]
    assert not hidden(view(questions=[OTHER]))["questions"]


def test_a_page_with_a_question_does_not_reload_while_somebody_writes() -> None:
    assert "refresh" in view().content().head
    assert "refresh" not in view(questions=[OTHER]).content().head


def test_a_links_page_names_nothing_but_its_question() -> None:
    page = link_page(OTHER, "/api", "/api/answers/a.b")

    assert page.title == "When?"
    assert 'action="/api/answers/a.b"' in page.body
    assert "/runs/" not in page.body
