import re
import subprocess
from typing import Final
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from yieldwire.asgi.pages.link import MAX_PATH, NO_LINKS, Links, site_path
from yieldwire.errors import ParseError

HOST: Final = "app.example:8000"
ORIGIN: Final = f"http://{HOST}"

FOREIGN: Final = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    " //evil.example",
    "\t//evil.example",
    "\x00//evil.example",
    "/a\\..\\evil",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:http://app.example:8000/x",
    "http://evil.example/",
    "https://evil.example",
    "http://app.example:8001/",
    "http://app.example/",
    "http://app.example:8000.evil.example/",
    "http://app.example:8000@evil.example/",
    "http:evil.example",
    "http:/evil.example",
    "http:///evil.example",
    "ftp://app.example:8000/",
    "http://app.example:8000//evil.example",
    "http://app.example:8000/\\evil.example",
    "http://app.example:8000\\@evil.example/",
    "%2F%2Fevil.example",
    "evil.example",
    "contacts",
    "?a=b",
    "#a",
    "",
    "http://[::1",
]

PIECES: Final = st.sampled_from(
    [
        *"/\\:@?#.[] a\t\n\0\u00e9\u3002",
        "//",
        "%2f",
        "%5c",
        "..",
        "http",
        "https",
        "javascript",
        "evil.example",
        "app.example",
        HOST,
        "8001",
    ]
)
URLS: Final = st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=20)


@pytest.mark.parametrize("url", FOREIGN)
def test_what_is_not_a_path_of_this_origin_is_no_link(url: str) -> None:
    assert site_path(url, HOST) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/", "/"),
        ("/contacts?page=2#new", "/contacts?page=2#new"),
        ("/a%2Fb/%C3%A9", "/a%2Fb/%C3%A9"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ('/"><script>', "/%22%3E%3Cscript%3E"),
        (f"{ORIGIN}/contacts?a=b", "/contacts?a=b"),
        (ORIGIN, "/"),
        (f"https://{HOST}/contacts", "/contacts"),  # a proxy can have taken the TLS away
    ],
)
def test_a_page_of_this_origin_is_its_path(url: str, path: str) -> None:
    assert site_path(url, HOST) == path


def test_a_path_that_is_too_long_is_no_link() -> None:
    assert site_path("/" + "a" * MAX_PATH, HOST) is None


@given(url=URLS)
def test_a_link_is_a_plain_path_whatever_is_asked_for(url: str) -> None:
    path = site_path(url, HOST)

    assert path is None or re.fullmatch(r"/(?!/)[!-\[\]-~]*", path)


BROWSE: Final = """
const urls = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(urls.map((url) => new URL(url, "http://app.example:8000/x/y").origin)));
"""


def test_a_browser_stays_on_the_origin_with_every_link() -> None:
    """Asked of the URL parser that browsers have, which differs from Python's."""
    starts = ["/", ORIGIN, f"{ORIGIN}/", "/.", "/..", "/%2f", "/;", "/:", "/@"]
    ends = [*FOREIGN, "/..//evil.example", "//", "\\", "..//x", ".//evil.example", "\u2215x"]
    urls = [start + end for start in starts for end in ends] + FOREIGN
    paths = [path for url in urls if (path := site_path(url, HOST)) is not None]
    assert len(paths) > 50

    told = subprocess.run(
        ["node", "-e", BROWSE],  # noqa: S607 - the Node that runs the tests
        input=to_json(paths),
        capture_output=True,
        check=True,
    )

    assert set(from_json(told.stdout)) == {ORIGIN}


@pytest.mark.parametrize("name", ["next", "back"])
def test_a_query_with_a_foreign_link_is_refused(name: str) -> None:
    with pytest.raises(ParseError, match=f"{name}= must be the path of a page on this origin"):
        Links.of({name: "//evil.example"}, HOST)


@given(back=URLS, next_=URLS)
def test_links_come_back_from_their_own_query(back: str, next_: str) -> None:
    links = Links(back=site_path(back, HOST) or "", next=site_path(next_, HOST) or "")

    sent = {name: value for name, [value] in parse_qs(links.query.removeprefix("?")).items()}

    assert Links.of(sent, HOST) == links
    assert links.query.isascii()
    assert links.query == quote(links.query, safe="?&=%+~")


def test_the_page_that_led_here_is_the_link_back_if_none_was_given() -> None:
    place = {"here": "/api/pay", "runs": "/api/runs/"}

    assert NO_LINKS.or_back("/form?id=3", **place).back == "/form?id=3"
    assert Links(back="/given").or_back("/form", **place).back == "/given"


@pytest.mark.parametrize("path", [None, "/api/runs/r1", "/api/pay", "/api/pay?next=/x"])
def test_a_page_does_not_lead_back_to_itself(path: str | None) -> None:
    assert NO_LINKS.or_back(path, here="/api/pay", runs="/api/runs/") == NO_LINKS


def test_the_way_on_is_offered_when_the_run_has_completed() -> None:
    links = Links(back="/form", next="/contacts")

    assert "/contacts" not in str(links.navigation())
    assert '<a href="/contacts" class="primary">Continue</a>' in str(links.navigation(is_over=True))
    assert NO_LINKS.navigation() is None
