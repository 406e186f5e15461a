"""Every way in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from tests.conversation.ways import (
    Enter,
    asynchronous,
    blocking,
    inprocess,
    json,
    ndjson,
    polling,
    sse,
    text,
    typescript,
    websocket,
)
from yieldwire.client.transport import TransportName


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
    **{
        f"{name} {transport}": Row(enter=client.over(transport))
        for name, client in {"asynchronous": asynchronous, "blocking": blocking}.items()
        for transport in get_args(TransportName)
    },
    **{
        f"typescript {transport}": Row(enter=typescript.over(transport))
        for transport in get_args(typescript.Transport)
    },
}


def ways(which: Callable[[Row], bool] = lambda _: True) -> list[str]:
    """Return the names of the ways that have something."""
    return [name for name, row in WAYS.items() if which(row)]
