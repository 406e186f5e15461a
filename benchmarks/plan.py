"""How long and how large the scenes are."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Durations are seconds; each is the window that is measured."""

    windows: str = "ordinary"
    hot: float = 1.0
    short: float = 1.0
    turn: float = 0.5
    paced: float = 2.5
    streams: int = 1000
    few_streams: int = 100
    most_streams: int = 0
    """Up to how many streams to look for the most that a server can serve; 0 leaves it out."""
    worked_streams: int = 200
    feed: float = 2.0
    readers: int = 1000
    ticker_readers: int = 1000
    replay: float = 0.8
    stalled: float = 5.0
    spin: float = 1.5
    stamps: int = 300
    idle: float = 16.0
    idle_streams: int = 10_000
    answers: int = 200
    chats: int = 50
    answered: float = 6.0
    soak: float = 12.0


DEFAULT: Final = Plan()
QUICK: Final = replace(
    DEFAULT,
    windows="short",
    hot=0.3,
    short=0.4,
    turn=0.15,
    paced=1.0,
    streams=200,
    few_streams=50,
    worked_streams=20,
    feed=1.0,
    readers=200,
    ticker_readers=200,
    replay=0.3,
    stalled=2.0,
    spin=0.8,
    stamps=100,
    idle=2.0,
    idle_streams=1000,
    answers=50,
    chats=20,
    answered=3.0,
    soak=6.0,
)
FULL: Final = replace(
    DEFAULT,
    windows="long",
    hot=2.0,
    short=2.0,
    turn=1.0,
    paced=5.0,
    most_streams=10_000,
    feed=4.0,
    ticker_readers=2000,
    replay=2.0,
    stalled=20.0,
    spin=3.0,
    answered=12.0,
    soak=120.0,
)
