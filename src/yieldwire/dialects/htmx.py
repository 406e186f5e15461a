"""htmx: version 2 with its SSE extension, and version 4 with its own.

As the published packages `htmx.org` 2.0.11 and 4.0.1 and `htmx-ext-sse` 2.2.4 send and read it.
Patches are out-of-band swaps. Version 2 shows the body of no answer whose status is an error, and
reads the patches with the browser's `EventSource`, which sends no headers of htmx.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic_core import to_json

from yieldwire.asgi.pages.markup import NOTHING, Markup, joined, tag
from yieldwire.dialects.fragment import Patch, TextHeaders, lines_of
from yieldwire.dialects.head import Head
from yieldwire.dialects.hypermedia import KEY, Hypermedia


@dataclass(frozen=True, slots=True)
class _HTMX:
    shows_refusals: bool
    """What version 4 does, and version 2 does not."""

    def feed(self, url: str) -> Markup:
        """Return an element that is connected; what arrives there is swapped out of band."""
        if self.shows_refusals:
            return tag("div", **{"hx-sse:connect": url}, hx_swap="none")
        return tag("div", hx_ext="sse", sse_connect=url, sse_swap="message", hx_swap="none")

    def sending(self, url: str, key: str = "") -> Mapping[str, object]:
        """Return the attributes of a form whose answer takes the place of its sheet."""
        return {
            "hx-post": url,
            "hx-target": "closest [data-role=sheet]",
            "hx-swap": "outerHTML",
            "hx-sync": "this:drop",
            "hx-headers": to_json({KEY: key}).decode() if key else None,
        }

    def lines(self, patches: Sequence[Patch]) -> bytes:
        """Return one message with an element for each patch."""
        html = joined(tag("div", each.html, id=each.id, hx_swap_oob=_how(each)) for each in patches)
        return "".join(f"data: {line}\n" for line in lines_of(html)).encode()

    def replacing(self, sheet: str, address: str = "") -> tuple[TextHeaders, Markup]:
        """Return the header for the page's address; the element that asks has said the rest."""
        return ([("hx-replace-url", address)] if address else []), NOTHING


def _how(patch: Patch) -> str:
    return "beforeend" if patch.appends else "innerHTML"


class HTMX(Hypermedia):
    """Answers htmx, version 2 with ``htmx-ext-sse`` and version 4 with ``hx-sse``.

    The page needs an element for an action, and no script::

        <div hx-get="/api/_actions/publish" hx-trigger="load" hx-swap="outerHTML"></div>

    It becomes the action's form, and then the run: its progress, text, chunks, questions, result
    or error, and a button that stops it. A form of the page's own posts with ``hx-post``. What a
    chunk looks like is said by ``html=`` of the action.

    After a lost connection it continues where it was. The page's address gets the run's id, so
    that a reload shows the run.
    """

    stream_name: ClassVar[str] = "htmx"

    def sent(self, head: Head) -> bool:
        """Whether the request has htmx's header."""
        return head.headers.get("hx-request") == "true"

    def library(self, head: Head) -> _HTMX:
        """Return the version that has sent the request."""
        return _HTMX("hx-request-type" in head.headers)
