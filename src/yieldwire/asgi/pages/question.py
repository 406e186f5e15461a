"""A question of a run as a part of a page: what is asked, and the form that answers it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import quote

from yieldwire.asgi.pages import PageContent
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.markup import Markup, tag
from yieldwire.asgi.pages.value import shown
from yieldwire.describe.schema import has_file
from yieldwire.errors import Json

Question = Mapping[str, Json]
"""An open question, as a snapshot has it."""


def question_form(question: Question, target: str) -> Form:
    """Return the form that answers a question."""
    return Form(
        title=question["prompt"],
        schema=question["schema"],
        takes_files=has_file(question["schema"]),
        target=target,
        button="Answer",
        ids=f"question-{question['id']}",
    )


def question_part(question: Question, form: Markup, *, id: str) -> Markup:
    """Return an open question with the form that answers it; ``id`` is that of its heading."""
    detail = question.get("detail")
    until = question.get("expiresAt")
    return tag(
        "section",
        tag("h2", question["prompt"], id=id),
        None if detail is None else shown(detail, None),
        None if until is None else _deadline(until),
        form,
        data_role="question",
        data_question=question["id"],
        aria_labelledby=id,
    )


def _deadline(until: str) -> Markup:
    at = datetime.fromisoformat(until)
    words = tag("time", f"{at.day} {at:%B %Y, %H:%M} UTC", datetime=until)
    return tag("p", "Can be answered until ", words, class_="muted")


def _with_form(question: Question, target: str) -> Markup:
    form = question_form(question, target)
    return question_part(question, form.markup({}), id=form.ids)


def questions_part(questions: Iterable[Question], run: str, query: str) -> Markup:
    """Return all open questions of the run whose URL is ``run``."""
    parts = [
        _with_form(each, f"{run}/questions/{quote(each['id'], safe='')}{query}")
        for each in questions
    ]
    return tag("div", parts, data_role="questions", hidden=not parts)


def link_page(question: Question, base: str, target: str) -> PageContent:
    """Return the page of a link to one question."""
    body = tag("main", _with_form(question, target), class_="yieldwire-run")
    return PageContent(title=question["prompt"], body=body, base=base)


def sent_page(base: str) -> PageContent:
    """Return the page for after an answer by a link."""
    told = tag("p", "You can close this page.")
    heading = tag("header", tag("h1", "Your answer was sent"))
    body = tag("main", heading, told, class_="yieldwire-run", data_status="completed")
    return PageContent(title="Your answer was sent", body=body, base=base)
