"""One run in words: its record, and the lines of its log."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from pydantic_core import to_json

from yieldwire.cli.outcome import lines_of
from yieldwire.cli.question import command_for, described, described_answer
from yieldwire.display.progress import progress_in
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.events import Event, EventType, one_line
from yieldwire.log.snapshot import iso_time
from yieldwire.log.waiting import described as described_waiting

_COLUMN: Final = 10
"""The columns of a field's name."""
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def record_lines(snapshot: Mapping[str, Json], url: str) -> Iterator[str]:
    """Yield the lines that show a snapshot; a question has the command that answers it."""
    for name, text in _fields(snapshot):
        first, *rest = text.splitlines() or [""]
        yield f"{name:<{_COLUMN}}{first}"
        yield from (f"{'':<{_COLUMN}}{line}" for line in rest)
    for question in snapshot["questions"]:
        yield from described(question)
        yield f"  {command_for(question, url, snapshot['id'])}"


def _fields(snapshot: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "run", snapshot["id"]
    yield "action", snapshot["action"]
    yield "status", _status(snapshot)
    for name in ("parent", "labels"):
        if told := snapshot[name]:
            yield name, told if isinstance(told, str) else ", ".join(told)
    yield from _times(snapshot)
    yield "events", _events(snapshot)
    if (progress := progress_in(snapshot["progress"])) is not None:
        yield "progress", str(progress)
    if "input" in snapshot:
        yield "input", _json(snapshot["input"])
    if snapshot["status"] == "completed":
        result = snapshot["result"]
        yield "result", result if isinstance(result, str) else _json(result)
    elif snapshot["error"] is not None:
        yield "error", "\n".join(lines_of(ErrorObject.from_dict(snapshot["error"])))


def _status(snapshot: Mapping[str, Json]) -> str:
    parts = [snapshot["status"]]
    is_active = snapshot["endedAt"] is None
    if is_active and (place := described_waiting(snapshot.get("waiting"))):
        parts.append(place)
    if snapshot["attempt"] > 1:
        parts.append(f"attempt {snapshot['attempt']}")
    if is_active and snapshot["cancelRequested"]:
        parts.append("asked to stop")
    if is_active and not snapshot["detached"]:
        parts.append("stops without readers")
    return ", ".join(parts)


def _times(snapshot: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    since = None
    for name, what in (("createdAt", "created"), ("startedAt", "started"), ("endedAt", "ended")):
        if snapshot[name] is None:
            continue
        time = datetime.fromisoformat(snapshot[name]).astimezone(UTC)
        after = "" if since is None else f", after {duration((time - since).total_seconds())}"
        yield what, f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} UTC{after}"
        since = time


def _events(snapshot: Mapping[str, Json]) -> str:
    trimmed = snapshot["firstSeq"] - 1
    return f"{snapshot['seq']}{f', of which {trimmed} were trimmed' if trimmed > 0 else ''}"


def duration(seconds: float) -> str:
    """Return a duration in at most 6 characters: ``0.25s``, ``12.3s``, ``4m05s``, ``3h12m``."""
    seconds = max(0.0, seconds)
    if seconds < 9.995:  # noqa: PLR2004 - what `.2f` writes with one digit before the point
        return f"{seconds:.2f}s"
    if seconds < 59.95:  # noqa: PLR2004 - the same for `.1f` and two digits
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for (size, unit), (part, below) in pairwise(_UNITS):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02}{below}"
    raise AssertionError("a minute is the smallest of them")


def log_line(event: Event) -> str:
    """Return the line that shows an event: its time in UTC, seq, type, and what it says."""
    time = iso_time(event.at) if event.at else None
    shown = "-" if time is None else f"{time.partition('+')[0]}Z"
    said = " ".join(_said(event).split("\n"))
    return f"{shown:<24}  {event.seq:>5}  {event.type.value:<9}  {said}".rstrip()


def _said(event: Event) -> str:
    value = event.value
    match event.type:
        case EventType.QUESTION:
            return next(described(value))
        case EventType.ANSWER:
            return described_answer(value)
        case EventType.DONE:
            return _line(value.get("result"))
        case EventType.ERROR | EventType.CANCELLED:
            return f"{value.get('code')}: {value.get('message')}"
        case _:
            return _line(value)


def _line(value: Json) -> str:
    return one_line(to_json(value)).decode()


def _json(value: Json) -> str:
    return to_json(value, indent=2).decode()
