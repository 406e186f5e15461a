"""Links from a page of this package to pages of the application, on the same origin only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit

from yieldwire.asgi.pages.markup import Markup, tag
from yieldwire.asgi.safety import same_host
from yieldwire.errors import ParseError

MAX_PATH: Final = 2000
_PATH: Final = re.compile(r"/(?!/)[^\x00-\x20\x7f\\]*")
"""A path of the same origin, for a browser too: it reads ``\\`` as ``/``, ignores tabs and line
breaks, and takes what follows two slashes for a host (WHATWG URL 4.4)."""
_KEPT: Final = "/?#[]@!$&'()*+,;=:%~"


def site_path(url: str, host: str) -> str | None:
    """Return the path of a URL that is on the origin of ``host``; ``None`` for any other URL.

    The path is in ASCII. It never leads to another origin, whatever ``host`` is.
    """
    if not url.startswith("/"):
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        origin = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme not in {"http", "https"} or not url.startswith(origin):
            return None
        if not same_host(origin, host):
            return None
        url = url.removeprefix(origin) or "/"
    if len(url) > MAX_PATH or _PATH.fullmatch(url) is None:
        return None
    return quote(url, safe=_KEPT, errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Pages of the application to which a page can lead.

    Attributes:
        back: The page with the form; ``""`` if unknown.
        next: The page for after the run, from the form's ``next=``; ``""`` if there is none.
        share: The signed link with which the page was opened; the page's own requests need it.
    """

    back: str = ""
    next: str = ""
    share: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str], host: str) -> Self:
        """Read the links from a query.

        Raises:
            ParseError: If one is not a page of this origin.
        """
        found: dict[str, str] = {}
        for name in ("back", "next"):
            if url := query.get(name):
                path = site_path(url, host)
                if path is None:
                    raise ParseError(
                        f"{name}= must be the path of a page on this origin, such as /contacts."
                    )
                found[name] = path
        return cls(**found, share=query.get("share", ""))

    def or_back(self, path: str | None, *, here: str, runs: str) -> "Links":
        """Return these links, with a link back to ``path`` if there is none yet.

        Args:
            path: The page that led here, if it is on this origin.
            here: The path of this page, which does not lead to itself.
            runs: The start of the paths of runs, whose pages reload themselves.
        """
        if self.back or path is None or path.startswith(runs) or path.partition("?")[0] == here:
            return self
        return replace(self, back=path)

    @property
    def query(self) -> str:
        """The links as a query, with its question mark; ``""`` if there are none."""
        every = {"next": self.next, "back": self.back, "share": self.share}
        given = {name: value for name, value in every.items() if value}
        return f"?{urlencode(given)}" if given else ""

    def navigation(self, *, is_over: bool = False) -> Markup | None:
        """Return the links as a part of a page; ``next`` only after a run that has completed."""
        onward = tag("a", "Continue", href=self.next, class_="primary") if self.next else None
        shown = [
            onward if is_over else None,
            tag("a", "Back", href=self.back) if self.back else None,
        ]
        return tag("nav", shown, aria_label="Application") if any(shown) else None


NO_LINKS: Final = Links()
