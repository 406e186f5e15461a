"""A run as HTML in an application's own page: its fragment, and the patches that keep it current.

A library in the page puts each patch in its place by the id of an element. A fragment has one such
element for each part that changes. What follows the run is one of them, so a patch that empties it
ends the connection, and one that replaces it begins another.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Protocol, TypeAlias
from urllib.parse import quote

from pydantic import ValidationError

from yieldwire.actions.look import html_of
from yieldwire.ai.chunks import is_quiet
from yieldwire.asgi.pages.error import debug_part
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.markup import NOTHING, Child, Markup, joined, tag
from yieldwire.asgi.pages.question import question_form, question_part
from yieldwire.asgi.pages.run import STATUSES, error_part, progress_part, status_of
from yieldwire.asgi.pages.value import MOST_CHARACTERS, label_of, shown
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import Status

NEWEST: Final = 2000
"""Of how many of a run's newest events a whole fragment shows the chunks that are not text."""
NEWEST_BYTES: Final = 1024 * 1024
"""How many bytes of these events it shows, so that building it does not hold up the event loop."""
RETRY_MS: Final = 1000
_APART: Final = ("text", "append", "progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """HTML for the element with an id: it replaces what is in the element, or is appended to it."""

    id: str
    html: Markup
    appends: bool = False


TextHeaders: TypeAlias = Sequence[tuple[str, str]]


class Library(Protocol):
    """What puts HTML into its place in a page, and how it is told to."""

    @property
    def shows_refusals(self) -> bool:
        """Whether it shows the body of an answer whose status is an error."""
        ...

    def feed(self, url: str) -> Markup:
        """Return an element that applies the patches from ``url`` as long as it exists."""
        ...

    def sending(self, url: str, key: str = "") -> Mapping[str, object]:
        """Return the attributes of a form that goes to ``url``; the answer replaces its `sheet`.

        If there is a ``key``, it is sent as the idempotency key.
        """
        ...

    def lines(self, patches: Sequence[Patch]) -> bytes:
        """Return server-sent events, without the empty line at the end of the last."""
        ...

    def replacing(self, sheet: str, address: str = "") -> tuple[TextHeaders, Markup]:
        """Return the headers of an answer that replaces the sheet with this id, and HTML for it.

        Then the page's address is ``address``, unless that is empty.
        """
        ...


def lines_of(html: str) -> list[str]:
    """Return the lines of HTML, as server-sent events can have them."""
    # A line ends with any of these (WHATWG HTML 9.2.6); `splitlines` knows more.
    return html.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def sheet(form: Form, error: ErrorObject | None = None, *before: Child, **more: object) -> Markup:
    """Return a form, and why it was refused. It is the element that the answer to it replaces."""
    fields = {} if error is None else error.field_errors or {}
    problem = None
    if error is not None:
        told = tag("p", tag("strong", error.message)), form.summary(fields)
        problem = tag("div", *told, class_="problem", role="alert")
    id_ = sheet_id(form.ids)
    return tag("div", *before, problem, form.markup(fields), id=id_, data_role="sheet", **more)


def sheet_id(ids: str) -> str:
    """Return the id of the sheet of a form whose controls' ids begin with ``ids``."""
    return f"{ids}-sheet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """How a page shows one run.

    Attributes:
        run_id: The run.
        url: Its URL.
        stream: The URL of the patches.
        library: What the page has.
        name: The name of its action.
        action: Its action, if this application has it.
    """

    run_id: str
    url: str
    stream: str
    library: Library
    name: str = ""
    action: AnyAction | None = None

    def id(self, part: str) -> str:
        """Return the id of the element for a part."""
        return f"run-{self.run_id}-{part}"

    def whole(
        self, snapshot: Mapping[str, Json], events: Iterable[Event], more: Markup = NOTHING
    ) -> Markup:
        """Return the fragment in the state of ``snapshot``, whose newest events are ``events``."""
        parts = {"feed": self.library.feed(self.stream)} | self._parts(snapshot, events)
        told = _status_part(status_of(snapshot))
        status = tag("div", told, id=self.id("status"), role="status", data_role="slot")
        title = tag("h2", label_of(self.name))
        return tag(
            "section",
            tag("header", title, status),
            self._slot("progress", parts),
            self._slot("questions", parts),
            self._slot("error", parts),
            tag("div", parts["text"], id=self.id("text"), class_="text"),
            tag("div", parts["output"], id=self.id("output"), data_role="output"),
            self._slot("result", parts),
            self._slot("stop", parts),
            self._slot("feed", parts),
            more,
            id=f"run-{self.run_id}",
            class_="yieldwire-run",
        )

    def _slot(self, part: str, parts: Mapping[str, Markup]) -> Markup:
        return tag("div", parts[part], id=self.id(part), data_role="slot")

    def patches(self, snapshot: Mapping[str, Json], events: Iterable[Event]) -> list[Patch]:
        """Return the patches that bring the fragment into the state of ``snapshot``."""
        parts = self._parts(snapshot, events)
        patches = [self.patch(part, content) for part, content in parts.items()]
        return [*patches, self.status(status_of(snapshot))]

    def patch(self, part: str, *content: Child) -> Patch:
        """Return the patch that replaces what is in a part."""
        return Patch(id=self.id(part), html=joined(*content))

    def _parts(self, snapshot: Mapping[str, Json], events: Iterable[Event]) -> dict[str, Markup]:
        status, error = status_of(snapshot), snapshot["error"]
        asked = snapshot["cancelRequested"] and not status.is_terminal
        return {
            "progress": progress_part(snapshot["progress"], status),
            "questions": joined(*map(self.question, snapshot["questions"])),
            "text": joined((snapshot["text"] or "")[-MOST_CHARACTERS:]),
            "output": joined(*self._output(events)),
            **self.standing(
                status,
                error=None if error is None else ErrorObject.from_dict(error),
                result=snapshot["result"],
            ),
            **({"stop": self.stopping()} if asked else {}),
        }

    def _output(self, events: Iterable[Event]) -> list[Markup]:
        found: list[tuple[int, Markup]] = []
        for event in events:
            if event.type is EventType.RESTARTED:
                keep = event.value.get("keep", 0)
                found = [each for each in found if each[0] <= keep]
            elif event.type is EventType.CHUNK and (look := self.chunk(event)) is not None:
                found = [*([] if _is_value(event.value) else found), (event.seq, look)]
        return [look for _, look in found]

    def standing(
        self, status: Status, *, error: ErrorObject | None = None, result: Json = None
    ) -> dict[str, Markup]:
        """Return the parts that depend on a run's status; at its end, nothing follows it."""
        schema = None if self.action is None else self.action.signature.result.json_schema
        parts = {
            "error": NOTHING,
            "result": NOTHING,
            "stop": NOTHING if status.is_terminal else self._stop(),
        }
        if error is not None:
            parts["error"] = joined(error_part(error), debug_part(error.debug))
        if result is not None:
            told = shown(result, schema)
            parts["result"] = tag("section", tag("h2", "Result"), told, data_role="result")
        return {**parts, "feed": NOTHING} if status.is_terminal else parts

    def status(self, status: Status) -> Patch:
        """Return the patch for the run's status."""
        return self.patch("status", _status_part(status))

    def _stop(self) -> Markup:
        url = f"{self.url}/cancel"
        button = tag("button", "Stop")
        form = tag(
            "form", button, method="post", action=url, data_role="stop", **self.library.sending(url)
        )
        return tag("footer", form, data_role="sheet", id=self.id("stop-sheet"))

    def stopping(self) -> Markup:
        """Return what replaces the form that has stopped the run."""
        return tag("p", "Stopping…", class_="muted", role="status", id=self.id("stop-sheet"))

    def question_id(self, question: str) -> str:
        """Return the id of the element for a question."""
        return self.id(f"question-{question}")

    def question(self, question: Mapping[str, Json]) -> Markup:
        """Return a question and the form that answers it."""
        id_ = self.question_id(question["id"])
        asked = question_part(question, sheet(self.answer_form(question)), id=f"{id_}-prompt")
        return tag("div", asked, id=id_, data_role="slot")

    def answer_form(self, question: Mapping[str, Json]) -> Form:
        """Return the form that answers a question."""
        target = f"{self.url}/questions/{quote(question['id'], safe='')}"
        form = question_form(question, target)
        ids = f"{self.question_id(question['id'])}-field"
        return replace(form, ids=ids, attributes=self.library.sending(target))

    def chunk(self, event: Event) -> Markup | None:
        """Return how a chunk looks; ``None`` if it is text, progress, or not for people.

        Raises:
            Exception: Any error of the action's ``html=``.
        """
        value = event.value
        look = None if self.action is None else self.action.options.html
        is_apart = isinstance(value, dict) and value.get("type") in _APART
        if is_apart or is_quiet(value) or isinstance(value, str):
            return None
        output = None if self.action is None else self.action.signature.chunk
        if _is_value(value):
            return shown(value["value"], None) if look is None else _html(look, value["value"])
        if look is None:
            return shown(value, None if output is None else output.json_schema)
        typed: object = value
        if output is not None:
            with suppress(ValidationError):  # in production, an action can yield another type
                typed = output.read_json(event.data)
        return _html(look, typed)


def _status_part(status: Status) -> Markup:
    return tag("p", STATUSES[status], data_role="status", data_status=status.value)


def _html(look: object, chunk: object) -> Markup:
    return Markup(html_of(look, chunk))


def _is_value(chunk: Json) -> bool:
    return isinstance(chunk, dict) and chunk.get("type") == "value" and "value" in chunk


def merged(patches: Iterable[Patch]) -> list[Patch]:
    """Return fewer patches with the same effect."""
    found: dict[tuple[str, bool], Patch] = {}
    for patch in patches:
        key = patch.id, patch.appends
        if not patch.appends:
            found.pop((patch.id, True), None)
            found.pop(key, None)
            found[key] = patch
        else:
            earlier = found[key].html if key in found else NOTHING
            found[key] = replace(patch, html=joined(earlier, patch.html))
    return list(found.values())


class FragmentEncoder(DialectEncoder):
    """The patches of a run's fragment: one server-sent event for each block.

    Args:
        fragment: The fragment.
        seq: The place of the first event.
        progress: How far the run is, at that place or later.
        first: The patches before the first event.
    """

    is_stateless: ClassVar[bool] = True

    def __init__(
        self,
        fragment: Fragment,
        *,
        seq: int,
        progress: Mapping[str, Json] | None,
        first: Sequence[Patch] = (),
    ) -> None:
        self._fragment, self._seq = fragment, seq
        self._progress, self._first = progress, first
        self._is_told = False
        """Whether the page was told that the run is running."""
        self._patches: list[Patch] = []

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return the patches before the first event, and how soon to come back after a cut."""
        return [b"retry: %d\n" % RETRY_MS, self.frame(self._first)] if self._first else []

    def frame(self, patches: Sequence[Patch]) -> bytes:
        """Return a server-sent event with patches, from whose id the client can resume."""
        cursor = str(Cursor(self._fragment.run_id, self._seq)).encode()
        # Of several events only the last has the id, so that a cut between them loses none.
        return b"%bid: %b\n\n" % (self._fragment.library.lines(patches), cursor)

    def flush(self) -> Iterable[bytes]:
        """Return the patches of a block as one frame."""
        patches, self._patches = merged(self._patches), []
        return [self.frame(patches)] if patches else []

    def _keep(self, event: Event, *patches: Patch) -> Iterable[bytes]:
        self._seq = event.seq
        if not self._is_told:
            self._is_told = True
            self._patches.append(self._fragment.status(Status.RUNNING))
        self._patches += patches
        return ()

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Keep the patch of a chunk: progress, text or output."""
        fragment, value = self._fragment, event.value
        if isinstance(value, dict) and value.get("type") == "progress":
            self._progress = value
            return self._keep(
                event, fragment.patch("progress", progress_part(value, Status.RUNNING))
            )
        look = fragment.chunk(event)
        if look is not None:
            patch = fragment.patch("output", look)
            return self._keep(event, replace(patch, appends=not _is_value(value)))
        text = fragment.patch("text", text_of(event.data))
        return self._keep(event, *([replace(text, appends=True)] if text.html else ()))

    def question(self, event: Event) -> Iterable[bytes]:
        """Keep the patch that shows a question."""
        asked = self._fragment.patch("questions", self._fragment.question(event.value))
        return self._keep(event, replace(asked, appends=True))

    def answer(self, event: Event) -> Iterable[bytes]:
        """Keep the patch that removes a question."""
        id_ = self._fragment.question_id(event.value["id"])
        return self._keep(event, Patch(id=id_, html=NOTHING))

    def done(self, event: Event) -> Iterable[bytes]:
        """Keep the patches that show the result."""
        return self._end(Status.COMPLETED, result=event.value.get("result"))

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Keep the patches that show an error."""
        return self._end(Status.FAILED, error=error)

    def cancelled(self, error: ErrorObject) -> Iterable[bytes]:
        """Keep the patches that show that the run was stopped."""
        return self._end(Status.CANCELLED, error=error)

    def _end(
        self, status: Status, *, error: ErrorObject | None = None, result: Json = None
    ) -> Iterable[bytes]:
        fragment = self._fragment
        parts = fragment.standing(status, error=error, result=result)
        if self._progress is not None:
            parts["progress"] = progress_part(self._progress, status)
        parts["questions"] = NOTHING
        self._patches += [fragment.patch(part, html) for part, html in parts.items()]
        self._patches.append(fragment.status(status))
        return ()

    def restarted(self, keep: int) -> Iterable[bytes]:
        """Keep the patch that makes the client connect again, for the whole state."""
        # Another URL makes it another element, also for a library that compares.
        feed = self._fragment.library.feed(f"{self._fragment.stream}?again={self._seq}")
        self._patches.append(self._fragment.patch("feed", feed))
        return ()
