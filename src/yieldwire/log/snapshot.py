"""A run's state in one object, for polling: folded from its log."""

import sys
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

from pydantic_core import from_json

from yieldwire.errors import Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Status

FIRST_POLL_MS: Final = 500
SLOWEST_POLL_MS: Final = 5_000


_TEXT_MARKS: Final = (b'"type":"text"', b'"type":"append"', b'"type":"progress"')
_LINE_MARKS: Final = (b'"', b"!")
"""A block with one of these, anywhere or at the start of a line, has more that matters than its
newest chunk."""


TEXT_BYTES: Final = 4 * 1024 * 1024
"""The maximum of bytes of text in a snapshot."""
FOLDS_BYTES: Final = 32 * 1024 * 1024
"""The approximate maximum of bytes for the folds of one application."""
_FOLD_BYTES: Final = 1_000
"""The approximate size of a fold without its contents."""
_PIECES: Final = 1024
"""How many pieces of text are kept before they are joined: each has its own overhead."""


class Fold:
    """The state that a log adds up to, as far as it was read. Feed it every block, in order.

    Theory of operation. A later attempt keeps the chunks up to a saved place, which the log says
    only afterwards, in ``restarted``. A fold that has added chunks behind that place cannot take
    them back. It stops there, and another one, which knows what does not count, reads the log from
    its start: see `add` and `rewound`.

    Args:
        keeps_text: Whether texts are concatenated; a feed that trims its log has no whole text.
        text_bytes: Their limit in UTF-8 bytes; a longer text is dropped entirely.
        shows_debug: Whether an error keeps its details for development.
    """

    def __init__(
        self, *, keeps_text: bool = True, text_bytes: int = TEXT_BYTES, shows_debug: bool = False
    ) -> None:
        self.seq: int = 0
        self._keeps_text, self._most_text = keeps_text, text_bytes
        self._shows_debug = shows_debug
        self.questions: Final = Questions()
        self._gaps: dict[int, int] = {}
        """The seqs of `restarted` events, each with the last seq whose chunks it keeps."""
        self._gaps_end = 0
        self._clear()
        self.result: bytes | None = None
        self.error: bytes | None = None

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._pieces: list[str] = []  # after `_texts`, not joined yet
        self._text_bytes = self._held_bytes = 0  # in UTF-8, and in memory
        self._progress: bytes | None = None
        self._chunk: bytes | None = None
        self._chunk_seq = 0

    @property
    def text(self) -> str | None:
        """The text so far; ``None`` if no chunk had any."""
        if self._pieces or len(self._texts) > 1:
            self._texts = ["".join([*self._texts, *self._pieces])]
            self._pieces, self._held_bytes = [], sys.getsizeof(self._texts[0])
        return self._texts[0] if self._texts else None

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        held = (self._progress, self._chunk, self.result, self.error)
        contents = sum(len(data) for data in held if data is not None)
        return _FOLD_BYTES + self._held_bytes + self.questions.size + contents

    def add(self, block: Block) -> bool:
        """Add the block's events, except those that were added before.

        Return ``False`` if an attempt keeps only a part of what was added. Then this fold adds
        nothing more, and the log must be read again from its start by the fold of `rewound`.
        """
        if block.last <= self.seq:
            return True
        block = block.after(self.seq)
        # Of many events that do not add up, only the newest chunk matters.
        body = block.body
        tells = (
            body.startswith(_LINE_MARKS)
            or any(b"\n" + mark in body for mark in _LINE_MARKS)
            or any(mark in body for mark in _TEXT_MARKS)
            or block.first < self._gaps_end
        )
        for event in (block if tells else block.newest()).events():
            if event.type is EventType.RESTARTED and not self._restart(event):
                return False
            self._take(event)
            self.seq = event.seq
        return True

    def _restart(self, event: Event) -> bool:
        """Begin another attempt, and return whether that was possible."""
        keep: int = event.value.get("keep", 0)
        if not keep:
            self._clear()  # the output of older attempts no longer counts
        elif keep < self._chunk_seq:
            self._gaps[event.seq] = keep
            return False
        return True

    def rewound(self) -> "Fold":
        """Return a new fold, which passes over what no longer counts."""
        most = self._most_text
        fold = Fold(keeps_text=self._keeps_text, text_bytes=most, shows_debug=self._shows_debug)
        fold._gaps, fold._gaps_end = dict(self._gaps), max(self._gaps)
        return fold

    def _counts(self, seq: int) -> bool:
        return not any(keep < seq < restart for restart, keep in self._gaps.items())

    def _take(self, event: Event) -> None:
        match event.type:
            case EventType.CHUNK:
                if not self._counts(event.seq):
                    return
                self._chunk, self._chunk_seq = event.data, event.seq
                if b'"progress"' in event.data and _is_progress(event.data):
                    self._progress = event.data
                elif self._keeps_text and (text := text_of(event.data)) is not None:
                    self._append(text)
            case EventType.DONE:
                self.result = event.data
            case EventType.ERROR | EventType.CANCELLED:
                self.error = event.data
            case EventType.STARTED:
                raise AssertionError("a log never has this event")
            case _:
                pass
        if event.type is not EventType.CHUNK:
            self.questions.take(event)

    def _append(self, text: str) -> None:
        self._text_bytes += len(text) if text.isascii() else len(text.encode())
        if self._text_bytes > self._most_text:
            self._texts, self._pieces, self._held_bytes = [], [], 0
            return
        self._pieces.append(text)
        self._held_bytes += sys.getsizeof(text)
        if len(self._pieces) >= _PIECES:
            self._held_bytes -= sum(map(sys.getsizeof, self._pieces))
            self._texts.append("".join(self._pieces))
            self._held_bytes += sys.getsizeof(self._texts[-1])
            self._pieces = []

    def outcome(self) -> dict[str, Json]:
        """Return ``result`` and ``error``, each ``None`` if there is none."""
        done = from_json(self.result) if self.result is not None else {}
        error = from_json(self.error) if self.error is not None else None
        if error is not None and not self._shows_debug:
            error.pop("debug", None)
        return {"result": done.get("result"), "error": error}

    def snapshot(self, run: RunRecord, *, with_text: bool) -> dict[str, Json]:
        """Return the snapshot of ``run``."""
        progress, chunk = self._progress, self._chunk
        return {
            **summary(run),
            "firstSeq": run.first_seq,
            "progress": from_json(progress) if progress is not None else None,
            **({"text": self.text} if with_text else {}),
            "chunk": from_json(chunk) if chunk is not None else None,
            **self.outcome(),
            "questions": self.questions.listed(),
            "cancelRequested": run.cancel_reason is not None,
            "detached": run.detached,
        }


class Folds:
    """Folds by run, cached so that polling a long log reads only what is new.

    They take about ``max_bytes``: the least recently used are dropped first.
    """

    def __init__(self, max_bytes: int = FOLDS_BYTES) -> None:
        self._most = max_bytes
        self.size: int = 0
        self._folds: OrderedDict[str, tuple[Fold, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._folds)

    def get(self, run_id: str) -> Fold | None:
        """Return a run's fold, which all of its readers share and feed."""
        known = self._folds.get(run_id)
        return None if known is None else known[0]

    def keep(self, run_id: str, fold: Fold) -> None:
        """Keep a fold as the most recently used one, with its current size."""
        self.forget(run_id)
        self._folds[run_id] = fold, fold.size
        self.size += fold.size
        while self.size > self._most:
            _, (_, size) = self._folds.popitem(last=False)
            self.size -= size

    def forget(self, run_id: str) -> None:
        """Drop a run's fold."""
        _, size = self._folds.pop(run_id, (None, 0))
        self.size -= size


def summary(run: RunRecord) -> dict[str, Json]:
    """Return the entry of one run in a list."""
    return {
        "id": run.id,
        "action": run.action,
        "parent": run.parent,
        "status": run.status.value,
        "labels": list(run.labels),
        "attempt": run.attempt,
        "seq": run.seq,
        "createdAt": iso_time(run.created_at),
        "startedAt": iso_time(run.started_at),
        "endedAt": iso_time(run.ended_at),
    }


def retry_after_ms(run: RunRecord, now: float) -> int | None:
    """Return how soon to poll again: half a second at first, later a tenth of the run's age.

    ``None`` for a run that has ended.
    """
    if run.status.is_terminal:
        return None
    since = run.started_at if run.status is Status.RUNNING else run.created_at
    age_ms = 1000 * max(0.0, now - (since or now))
    return int(min(SLOWEST_POLL_MS, max(FIRST_POLL_MS, age_ms / 10)))


def _is_progress(data: bytes) -> bool:
    value = from_json(data)
    return isinstance(value, dict) and value.get("type") == "progress"


def iso_time(seconds: float | None) -> str | None:
    """Return a time as on the wire: RFC 3339, in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
