"""Mistakes are told where they are made, and the page that lists them says what is told."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mistakes import TABLES
from yieldwire.errors import InvalidAction, UsageError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mistakes.md"

EVERY = [
    pytest.param(title, written, make, id=written)
    for title, cases in TABLES.items()
    for written, make in cases.items()
]


def rows_of(title: str) -> dict[str, str]:
    """Return what the page says is told, by what is written."""
    section = PAGE.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| `+ ?(.+?) ?`+ \|$", section, re.MULTILINE)
    return {plain(written): plain(told) for written, told in rows if told != "message"}


def plain(cell: str) -> str:
    return cell.replace(r"\|", "|")


def told_by(make: Callable[[], object]) -> UsageError:
    with pytest.raises(UsageError, match=r"^[^\n]+$") as caught:
        make()
    return caught.value


@pytest.mark.parametrize(("title", "written", "make"), EVERY)
def test_a_mistake_is_told_in_one_line_as_the_page_says(
    title: str, written: str, make: Callable[[], object]
) -> None:
    message = str(told_by(make))

    assert message == rows_of(title)[written]
    assert re.fullmatch(r"[^\n\r\u2028]+[.?]", message)


@pytest.mark.parametrize("title", TABLES)
def test_the_page_has_every_mistake_and_no_other(title: str) -> None:
    assert list(rows_of(title)) == list(TABLES[title])


@pytest.mark.parametrize(("title", "written", "make"), EVERY)
def test_a_message_begins_with_the_function_or_the_class(
    title: str, written: str, make: Callable[[], object]
) -> None:
    error = told_by(make)

    assert re.match(r"[\w.<>]+(\(…\))?: |'pay': ", str(error))
    assert isinstance(error, InvalidAction) == (title != "Settings")
