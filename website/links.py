"""The check of the finished site: every link leads somewhere, and nothing is loaded from outside.

Zensical checks the links that are written in a page; this also checks those that the theme and
the reference generate.
"""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

LOADED: Final = {"img": "src", "link": "href", "script": "src", "source": "srcset"}
"""The elements for which a browser makes a request by itself, and the attribute with its URL."""


class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what an element names."""
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADED and LOADED[tag] in values:
            self.loaded.append(values[LOADED[tag]])


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the site in ``folder``, one line each."""
    page_of = cache(Page)

    def problem(file: Path, target: str, *, is_loaded: bool) -> str | None:
        url = urlsplit(target)
        if url.scheme or url.netloc:
            return "is loaded from another server" if is_loaded and url.scheme != "data" else None
        path = (file.parent / unquote(url.path)).resolve() if url.path else file
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file() or not path.is_relative_to(folder.resolve()):
            return "leads nowhere"
        if url.fragment and unquote(url.fragment) not in page_of(path).anchors:
            return "names an anchor that is not on its page"
        return None

    found: list[str] = []
    for file in sorted(each for each in folder.resolve().rglob("*.html") if each.is_file()):
        page = page_of(file)
        targets = [(each, False) for each in page.links] + [(each, True) for each in page.loaded]
        for target, is_loaded in dict.fromkeys(targets):
            if wrong := problem(file, target, is_loaded=is_loaded):
                found.append(f"{file.relative_to(folder.resolve())}: {target} {wrong}")
    return found
