"""The page of a run: how far it is, its text, its output and its result, or how it failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from yieldwire.asgi.pages import PageContent
from yieldwire.asgi.pages.error import code_part, debug_part, fields_part
from yieldwire.asgi.pages.link import NO_LINKS, Links
from yieldwire.asgi.pages.markup import Child, Markup, joined, tag
from yieldwire.asgi.pages.question import questions_part
from yieldwire.asgi.pages.value import MOST_CHARACTERS, label_of, shown
from yieldwire.describe.schema import Schema
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.cursor import Cursor
from yieldwire.log.run import Status
from yieldwire.log.waiting import described

STATUSES: Final = {
    Status.PENDING: "Waiting",
    Status.RUNNING: "Running",
    Status.COMPLETED: "Completed",
    Status.FAILED: "Failed",
    Status.CANCELLED: "Stopped",
}
"""The statuses in the words of the page. `follow.js` has the same."""


_MINUTE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What the page of a run shows.

    Attributes:
        snapshot: The run's snapshot.
        base: The path at which the application is mounted.
        result: The schema of the result, if the action is known.
        chunk: The schema of a chunk, if the action is known.
        output: The newest chunks, except texts and progress.
        refresh: Seconds after which a browser without JavaScript loads the page again.
        links: Pages of the application to which it leads.
    """

    snapshot: Mapping[str, Json]
    base: str
    result: Schema | None = None
    chunk: Schema | None = None
    output: Sequence[Json] = ()
    refresh: int = 1
    links: Links = NO_LINKS

    @property
    def status(self) -> Status:
        """The run's status."""
        return status_of(self.snapshot)

    @property
    def _url(self) -> str:
        return f"{self.base}/runs/{self.snapshot['id']}"

    def content(self) -> PageContent:
        """Return the content of the page."""
        title = label_of(self.snapshot["action"])
        status = self.status
        main = tag(
            "main",
            tag("header", tag("h1", title, data_role="action"), _status_part(status)),
            *self._parts(),
            class_="yieldwire-run",
            tabindex=-1,
            data_run=self.snapshot["id"],
            data_status=status.value,
            data_cursor=str(Cursor(self.snapshot["id"], self.snapshot["seq"])),
        )
        return PageContent(
            title=f"{title}: {STATUSES[status]}",
            body=main,
            base=self.base,
            head=self._head(),
            run=self.snapshot,
            links=self.links,
        )

    def _head(self) -> Markup:
        script = tag("script", type="module", src=f"{self.base}/follow.js")
        if self.status.is_terminal or self.snapshot["questions"]:
            return script  # an answer that is being written must not be lost
        refresh = tag("meta", http_equiv="refresh", content=self.refresh)
        return joined(script, tag("noscript", refresh))

    def _parts(self) -> Sequence[Child]:
        error = self.snapshot["error"]
        result, text = self.snapshot["result"], self.snapshot["text"] or ""
        return [
            tag("p", data_role="trouble", role="status", hidden=True),
            _waiting_part(described(self.snapshot["waiting"])),
            progress_part(self.snapshot["progress"], self.status),
            questions_part(self.snapshot["questions"], self._url, self.links.query),
            error_part(ErrorObject.from_dict(error) if error is not None else None),
            _text_part(text),
            _section("output", "Output", self._output()),
            _section("result", "Result", None if result is None else shown(result, self.result)),
            debug_part(None if error is None else ErrorObject.from_dict(error).debug)
            or tag("section", data_role="trace", hidden=True),
            _duration_part(self.snapshot),
            self._foot(),
        ]

    def _output(self) -> Markup | None:
        if not self.output:
            return None
        schema: Schema = self.chunk or {}
        many = {"type": "array", "items": schema, "$defs": schema.get("$defs", {})}
        if len(self.output) == 1:
            return shown(self.output[0], schema)
        return shown(list(self.output), many)

    def _foot(self) -> Markup:
        stop: Markup | None = None
        if not self.status.is_terminal:
            target = f"{self._url}/cancel{self.links.query}"
            asked = bool(self.snapshot["cancelRequested"])
            button = tag("button", "Stopping…" if asked else "Stop")
            stop = tag("form", button, method="post", action=target, data_role="stop")
        links = self.links.navigation(is_over=self.status is Status.COMPLETED)
        return tag("footer", stop, links, data_role="foot")


def status_of(snapshot: Mapping[str, Json]) -> Status:
    """Return a run's status; a log can have ended before its record says so."""
    status, error = Status(snapshot["status"]), snapshot["error"]
    if error is None or status.is_terminal:
        return status
    return Status.CANCELLED if error["code"] == "CANCELLED" else Status.FAILED


def _status_part(status: Status) -> Markup:
    return tag("p", STATUSES[status], data_role="status", role="status")


def _waiting_part(words: str) -> Markup:
    return tag("p", words, class_="muted", data_role="waiting", role="status", hidden=not words)


def _section(role: str, title: str, content: Markup | None) -> Markup:
    heading = tag("h2", title)
    return tag("section", heading, content, data_role=role, hidden=content is None)


def progress_part(progress: Mapping[str, Json] | None, status: Status) -> Markup:
    """Return how far a run is; hidden if it has not said so."""
    told = progress or {}
    current, total, message = (told.get(name) for name in ("current", "total", "message"))
    # An action can yield any JSON and call it progress.
    share = _share(current, total)
    bar = tag(
        "progress",
        data_role="progress",
        aria_label="Progress",
        max=None if share is None else total,
        value=None if share is None else current,
        hidden=progress is None or (share is None and status.is_terminal),
    )
    percent = "" if share is None else f"{share:.0%}"
    words = tag("span", "" if message is None else str(message), data_role="message")
    return tag(
        "div",
        bar,
        tag("p", words, tag("span", percent, data_role="percent")),
        data_role="how-far",
        hidden=progress is None,
    )


def _share(current: Json, total: Json) -> float | None:
    if not isinstance(current, (int, float)) or not isinstance(total, (int, float)) or total <= 0:
        return None
    try:
        return min(1.0, max(0.0, current / total))
    except OverflowError:  # of integers that are too large for a float
        return None


def _text_part(text: str) -> Markup:
    beginning = "The beginning of the text is not shown." if len(text) > MOST_CHARACTERS else ""
    note = tag("p", beginning, class_="muted", data_role="cut", hidden=not beginning)
    written = tag("div", text[-MOST_CHARACTERS:], class_="text", data_role="text", hidden=not text)
    return joined(note, written)


def error_part(error: ErrorObject | None) -> Markup:
    """Return how a run failed; hidden if it has not."""
    if error is None:
        return tag("div", class_="problem", role="alert", data_role="error", hidden=True)
    advice = "You can send it again." if error.retryable else None
    return tag(
        "div",
        tag("p", tag("strong", error.message, data_role="reason")),
        fields_part(error.field_errors),
        advice and tag("p", advice),
        code_part(error.code, error.error_id),
        class_="problem",
        role="alert",
        data_role="error",
    )


def _duration_part(snapshot: Mapping[str, Json]) -> Markup:
    took = _duration(snapshot)
    return tag("p", took, class_="muted", data_role="duration", hidden=not took)


def _duration(snapshot: Mapping[str, Json]) -> str:
    started, ended = snapshot["startedAt"], snapshot["endedAt"]
    if started is None or ended is None:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    if seconds < _MINUTE - 0.05:
        return f"Took {max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"Took {hours} h {minutes} min" if hours else f"Took {minutes} min {rest} s"
