"""What is said about what answers at a URL, and where the application can be instead."""

from typing import Any

import pytest
from pydantic_core import to_json

from yieldwire.cli.doctor.finding import Level
from yieldwire.cli.doctor.place import (
    check_mount,
    check_stranger,
    described,
    guesses,
    is_mount,
    takes_files,
)
from yieldwire.cli.doctor.seen import Seen
from yieldwire.errors import CallError, Forbidden, NotFound, Unauthorized, Unavailable

HTML = {"content-type": "text/html; charset=utf-8", "server": "nginx/1.22.1"}


def manifest(*inputs: Any) -> Seen:  # noqa: ANN401 - JSON
    actions = [{"name": f"a{number}", "input": each} for number, each in enumerate(inputs)]
    return Seen(status=200, body=to_json({"actions": actions}))


def refusal(error: CallError) -> Seen:
    told = error.error_object()
    return Seen(status=told.status, body=to_json({"error": told.to_dict()}))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (manifest(), True),
        (manifest({}, {}), True),
        (refusal(Unauthorized()), True),
        (refusal(Forbidden()), True),
        (refusal(Unavailable("The server is stopping.")), True),
        (refusal(NotFound("?")), False),
        (Seen(status=200, body=b'{"actions": 3}'), False),
        (Seen(status=200, body=b'{"actions": [3]}'), False),
        (Seen(status=200, body=b"[]"), False),
        (Seen(status=404, body=b'{"error": {"code": 404, "message": "no"}}'), False),
        (Seen(status=200, headers=HTML, body=b"<title>Shop</title>"), False),
        (Seen(status=502), False),
    ],
)
def test_an_application_is_told_from_everything_else(seen: Seen, *, expected: bool) -> None:
    assert is_mount(seen) is expected


@pytest.mark.parametrize(
    ("seen", "level", "words"),
    [
        (manifest({}), Level.OK, "with 1 action"),
        (manifest({}, {}), Level.OK, "with 2 actions"),
        (refusal(Unauthorized()), Level.WARNING, "--token"),
        (
            refusal(Forbidden("This host name is not served here; see hosts=.")),
            Level.PROBLEM,
            "proxy_set_header Host $host;",
        ),
        (refusal(Forbidden("Not you.")), Level.PROBLEM, "Not you."),
    ],
)
def test_a_mount_says_how_it_answers_this_caller(seen: Seen, level: Level, words: str) -> None:
    finding = check_mount(seen)

    assert (finding.check, finding.level) == ("mount", level)
    assert words in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (
            Seen(status=200, headers=HTML, body=b"<TITLE>My shop\n</TITLE>"),
            "a web page 'My shop' (HTTP 200 by nginx/1.22.1)",
        ),
        (Seen(status=403, headers=HTML), "a web page (HTTP 403 by nginx/1.22.1)"),
        (refusal(NotFound("?")), "a URL of one that has nothing there (404 NOT_FOUND)"),
        (Seen(status=404, body=b'{"detail":"Not Found"}'), "FastAPI's answer to a path"),
        (Seen(status=404, body=b"Not Found"), "an ASGI application that does not have this path"),
        (Seen(status=301, headers={"location": "https://x/"}), "a redirect to https://x/"),
        (Seen(status=502, headers=HTML), "a proxy whose server does not answer (HTTP 502 by nginx"),
        (
            Seen(status=200, headers={"content-type": "image/png"}),
            "an answer of the type image/png",
        ),
        (Seen(status=200), "an answer without a Content-Type (HTTP 200)"),
    ],
)
def test_what_answers_instead_is_described(seen: Seen, words: str) -> None:
    assert words in described(seen)


@pytest.mark.parametrize(
    ("seen", "base", "advice"),
    [
        (Seen(status=404), "https://x/api/_actions", "https://x/api/_actions"),
        (Seen(status=404), None, "usually one that ends in /api/_actions"),
        (Seen(status=502), None, "Start the application"),
    ],
)
def test_a_stranger_says_what_to_name_or_to_start(
    seen: Seen, base: str | None, advice: str
) -> None:
    finding = check_stranger(seen, base)

    assert (finding.level, finding.figures["base"]) == (Level.PROBLEM, base)
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example", ["https://x.example/api/_actions"]),
        (
            "https://x.example/api/_actions/count",
            ["https://x.example/api/_actions"],
        ),
        ("https://x.example/api", ["https://x.example/api/api/_actions", "https://x.example/"]),
        ("https://x.example/shop/v1?a=1", ["https://x.example/shop/v1/api/_actions"]),
    ],
)
def test_the_likeliest_places_are_tried_first(url: str, expected: list[str]) -> None:
    found = guesses(url, Seen(status=404))

    assert list(found[: len(expected)]) == expected
    assert "https://x.example/api/_actions" in found
    assert len(set(found)) == len(found)


def test_a_redirect_leads_to_the_first_guess() -> None:
    seen = Seen(status=308, headers={"location": "https://x/api/_actions/manifest.json"})

    assert guesses("http://x/api/_actions", seen)[0] == "https://x/api/_actions"


def test_an_application_is_not_looked_for_where_it_was_not_found() -> None:
    assert "https://x/api/_actions" not in guesses("https://x/api/_actions", Seen(status=404))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {"file": {"type": "string", "format": "binary"}}}, True),
        ({"$defs": {"a": {"anyOf": [{"type": "string", "format": "binary"}]}}}, True),
        ({"properties": {"format": {"type": "string"}, "type": {"default": "binary"}}}, False),
        (None, False),
    ],
)
def test_an_action_that_takes_a_file_is_known_by_its_schema(
    schema: Any,  # noqa: ANN401 - JSON
    *,
    expected: bool,
) -> None:
    assert takes_files([{"name": "a", "input": schema}]) is expected
