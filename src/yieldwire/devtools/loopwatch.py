"""Tells which line of an application blocks the event loop, in development.

Theory of operation. A thread asks the loop to run a callback, many times a second. If the loop
does not within the limit, its thread is busy in one place, and the watch samples that thread's
stack until the loop runs again. The line is the innermost one of the user's own code, in the
sample that was seen most often: what a library does below it is the same block. A loop that only
had no processor time is in none of the user's lines, and is not reported.
"""

import asyncio
import linecache
import logging
import sys
import sysconfig
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple, TypedDict

from yieldwire.app.opening import Opening
from yieldwire.executors.worker import Worker
from yieldwire.log.run import RunRecord

logger: Final = logging.getLogger("yieldwire.dev")

LIMIT: Final = 0.1
"""The seconds after which a loop that has not turned is blocked."""
PERIOD: Final = 0.02
"""The seconds between two requests to turn: how late the begin of a block can be noticed."""
SAMPLED_EVERY: Final = 0.01
KEPT: Final = 1_000
"""The runs whose blocks are kept, the newest ones."""
LOGGED: Final = 10
"""The blocks of one run that are logged; the page shows their number."""

_LIBRARIES: Final = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    | {str(Path(__file__).parents[1]), "<frozen "}
)
_DEBUGGERS: Final = frozenset({"bdb", "pdb", "pydevd"})


class Blocked(TypedDict):
    """How a run has blocked the event loop: how often, and where for how long at most."""

    count: int
    ms: int
    place: str
    line: str


class _Place(NamedTuple):
    """A line of the user's code, and the run that it was executed for."""

    file: str
    line: int
    function: str
    run: RunRecord | None

    @property
    def address(self) -> str:
        """The file, relative to the working folder if it is inside, and the line's number."""
        path, here = Path(self.file), Path.cwd()
        return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{self.line}"

    @property
    def code(self) -> str:
        """The line itself."""
        return linecache.getline(self.file, self.line).strip()


class LoopWatch:
    """Watches the event loop of each opening, each from its own thread."""

    def __init__(self) -> None:
        self.blocked: Final[OrderedDict[str, Blocked]] = OrderedDict()
        """By run."""

    def enter(self, opening: Opening) -> None:
        """Watch the running loop while ``opening`` is open."""
        watching = _Watching(opening.loop, self._tell)
        watching.start()
        opening.at_end.callback(watching.stop)

    def _tell(self, place: _Place, seconds: float) -> None:
        run = place.run
        found = Blocked(count=1, ms=round(1000 * seconds), place=place.address, line=place.code)
        known = self.blocked.get(run.id) if run is not None else None
        if run is not None:
            longest = found if known is None or known["ms"] < found["ms"] else known
            longest["count"] = 1 if known is None else known["count"] + 1
            self.blocked[run.id] = longest
            while len(self.blocked) > KEPT:
                self.blocked.popitem(last=False)
        if known is None or known["count"] <= LOGGED:
            name = place.function if run is None else run.action
            logger.warning(
                "%s blocked the event loop for %d ms at %s: %s",
                name,
                found["ms"],
                found["place"],
                found["line"],
                extra={} if run is None else {"run_id": run.id},
            )


class _Watching:
    """Watches one loop from its own thread, until it is stopped."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Callable[[_Place, float], object]
    ) -> None:
        self._loop, self._tell = loop, tell
        self._loop_thread = threading.get_ident()
        self._stopped, self._turned = threading.Event(), threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="yieldwire loop watch", daemon=True
        )

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Make the thread end, which it does within the limit."""
        self._stopped.set()
        self._turned.set()

    def _watch(self) -> None:
        while not self._stopped.wait(PERIOD):
            self._turned.clear()
            asked_at = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._turned.set)
            except RuntimeError:
                return  # it is closed
            if self._turned.wait(LIMIT - PERIOD):
                continue
            places = Counter[_Place | None]()
            while True:
                places[self._place()] += 1
                if self._turned.wait(SAMPLED_EVERY) or self._stopped.is_set():
                    break
            ((place, _),) = places.most_common(1)
            if place is not None and not self._stopped.is_set():
                self._tell(place, time.monotonic() - asked_at)

    def _place(self) -> _Place | None:
        """Return where the loop's thread is at this moment; none if in none of the user's code."""
        # Nothing else shows the stack of another thread.
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame: FrameType | None = frames.get(self._loop_thread)
        found: FrameType | None = None
        run: RunRecord | None = None
        while frame is not None:
            if frame.f_globals.get("__name__") in _DEBUGGERS:
                return None
            if found is None and not frame.f_code.co_filename.startswith(_LIBRARIES):
                found = frame
            if (attempt := Worker.attempt_in(frame)) is not None:
                run = attempt.run
                break
            frame = frame.f_back
        if found is None:
            return None
        return _Place(found.f_code.co_filename, found.f_lineno, found.f_code.co_name, run)
