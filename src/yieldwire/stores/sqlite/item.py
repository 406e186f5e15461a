"""Work for a lane: it is done in the lane's thread, and its outcome reported in the loop."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from yieldwire.errors import YieldwireError


class Item:
    """Work to do in the thread, and its outcome."""

    __slots__ = ("count", "done", "error", "is_joint", "is_open", "is_over", "result", "size")

    def __init__(self, size: int = 0) -> None:
        self.count: int = 1
        """How many steps it is."""
        self.size: int = size
        """About how many bytes it writes or reads."""
        self.done: asyncio.Future[Any]
        """Resolved with the outcome. Set by the lane."""
        self.is_joint: bool = False
        """Whether it can be done together with others of its kind."""
        self.is_open: bool = True
        """Whether more can be added to it: not when the thread has it, or it is large enough."""
        self.is_over: bool = False
        """Whether the loop knows the outcome."""
        self.result: Any = None
        self.error: YieldwireError | None = None

    def do(self, connection: sqlite3.Connection) -> Any:  # noqa: ANN401 - any result
        """Do it."""
        raise NotImplementedError  # an abstract class is slow to check for, as each item is

    def parts(self) -> "Iterable[Item]":
        """Return what is done separately if this cannot be done with others."""
        return (self,)

    def tell(self) -> None:
        """Report the outcome. Called in the loop; must not raise."""
        self.is_over = True
        if self.done.done():
            return
        if self.error is None:
            self.done.set_result(self.result)
        else:
            self.done.set_exception(self.error)


class WorkItem(Item):
    """A call. Its result is what it returns."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[sqlite3.Connection], Any], size: int = 0) -> None:
        super().__init__(size)
        self.work: Callable[[sqlite3.Connection], Any] = work

    def do(self, connection: sqlite3.Connection) -> Any:  # noqa: ANN401 - as above
        """Call it."""
        return self.work(connection)


class Joint(Protocol):
    """Does the work of many items at once."""

    def do_all(self, connection: sqlite3.Connection, items: Sequence[Any], /) -> bool:
        """Do the work of all of these items, and return whether all of it is done.

        If not, it is undone, and each of them is done separately.
        """
        ...


def split(items: list[Item]) -> None:
    """Replace each item by what is done separately."""
    items[:] = [part for item in items for part in item.parts()]
