"""Every way in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.conversation.ways import (
    Enter,
    asynchronous,
    blocking,
    generated,
    inprocess,
    json,
    ndjson,
    polling,
    sse,
    text,
    typescript,
    websocket,
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A way in, and what it has."""

    enter: Enter
    has_callers: bool = True
    """Whether who comes in is a caller, whom the application identifies."""
    resumes: bool = True
    """Whether a reader can continue where another has stopped."""


WAYS: Final[Mapping[str, Row]] = {
    "in process": Row(enter=inprocess.enter, has_callers=False),
    "sse": Row(enter=sse.Events.enter),
    "ndjson": Row(enter=ndjson.Lines.enter),
    "text": Row(enter=text.Texts.enter, resumes=False),
    "json": Row(enter=json.Whole.enter, resumes=False),
    "polling": Row(enter=polling.Polls.enter),
    "websocket": Row(enter=websocket.enter),
    "asynchronous": Row(enter=asynchronous.over("http")),
    "asynchronous websocket": Row(enter=asynchronous.over("websocket")),
    "generated": Row(enter=generated.over("http")),
    "blocking": Row(enter=blocking.over("http")),
    "blocking websocket": Row(enter=blocking.over("websocket")),
    "typescript": Row(enter=typescript.over("auto")),
    "typescript sse": Row(enter=typescript.over("sse")),
    "typescript polling": Row(enter=typescript.over("polling")),
    "typescript websocket": Row(enter=typescript.over("websocket")),
}


def ways(which: Callable[[Row], bool] = lambda _: True) -> list[str]:
    """Return the names of the ways that have something."""
    return [name for name, row in WAYS.items() if which(row)]
