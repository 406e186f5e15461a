"""Datastar 1: patches are its own server-sent events, and a page's elements ask by expressions.

As its published version 1.0.1 sends and reads it. It shows the body of an answer only if its status
is 200, and reconnects by itself only after a connection that broke, with `Last-Event-ID`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi.pages.markup import NOTHING, Markup, tag
from yieldwire.dialects.fragment import Patch, TextHeaders, lines_of
from yieldwire.dialects.head import Head
from yieldwire.dialects.hypermedia import KEY, Hypermedia

_ESCAPES: Final = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\a ", ord("\r"): "\\d "}
_PATCH: Final = "event: datastar-patch-elements\n"


class _Datastar:
    @property
    def shows_refusals(self) -> bool:
        """Whether the body of an error is shown: no."""
        return False

    def feed(self, url: str) -> Markup:
        """Return an element that asks for the patches when it is there, until it is not."""
        return tag(
            "div", data_init=f"@get({_text(url)}, {{retry: 'error', retryMaxCount: Infinity}})"
        )

    def sending(self, url: str, key: str = "") -> Mapping[str, object]:
        """Return what a form does when it is submitted; the answer has the id of its sheet."""
        headers = f", headers: {to_json({KEY: key}).decode()}" if key else ""
        return {"data-on:submit": f"@post({_text(url)}, {{contentType: 'form'{headers}}})"}

    def lines(self, patches: Sequence[Patch]) -> bytes:
        """Return an event for each patch: an event has one place."""
        return "\n".join(map(_event, patches)).encode()

    def replacing(self, sheet: str, address: str = "") -> tuple[TextHeaders, Markup]:
        """Return where the answer goes, and an element that changes the page's address."""
        headers = [("datastar-selector", _selector(sheet)), ("datastar-mode", "outer")]
        if not address:
            return headers, NOTHING
        change = f"history.replaceState(null, '', {_text(address)})"
        return headers, tag("div", data_init=change, hidden=True)


def _text(text: str) -> str:
    # Datastar replaces what looks like a call of an action, also in a string.
    return to_json(text).decode().replace("@", "\\u0040")


def _selector(id: str) -> str:
    return f'[id="{id.translate(_ESCAPES)}"]'


def _event(patch: Patch) -> str:
    mode = "append" if patch.appends else "inner"
    elements = [f"elements {line}" for line in lines_of(patch.html)] if patch.html else []
    data = [f"selector {_selector(patch.id)}", f"mode {mode}", *elements]
    return _PATCH + "".join(f"data: {line}\n" for line in data)


class Datastar(Hypermedia):
    """Answers Datastar, version 1.

    The page needs an element for an action, and no script::

        <div id="publish-sheet" data-init="@get('/api/_actions/publish')"></div>

    It becomes the action's form, and then the run: its progress, text, chunks, questions, result
    or error, and a button that stops it. What a chunk looks like is said by ``html=`` of the
    action.

    After a lost connection it continues where it was. The page's address gets the run's id, so
    that a reload shows the run.
    """

    stream_name: ClassVar[str] = "datastar"
    own_query: ClassVar[Sequence[str]] = ("datastar",)

    def sent(self, head: Head) -> bool:
        """Whether the request has Datastar's header."""
        return head.headers.get("datastar-request") == "true"

    def library(self, head: Head) -> _Datastar:
        """Return the one version."""
        return _Datastar()
