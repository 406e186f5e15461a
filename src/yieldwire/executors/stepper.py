"""The coroutine of a run's task: it resumes the action's coroutine, and not those that await it.

A coroutine that awaits another one is passed through, and so looked for in memory, each time that
the inner one waits and continues. With a thousand slow streams that is a large part of what an
event costs.
"""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, Self, TypeAlias, TypeVar

from yieldwire.executors.writer import LogWriter

T = TypeVar("T")

_Coroutine: TypeAlias = Coroutine[Any, Any, Any]
_Outer: TypeAlias = "tuple[_Coroutine, LogWriter | None, _Outer | None]"
"""What awaits the coroutine that is stepped, with the writer of what it emits itself."""


class Stepped(Generic[T]):
    """Await it in the task of a `Stepper` to run ``coroutine``, as if it were awaited there.

    Whenever that waits, ``writer`` writes what it has emitted.
    """

    __slots__ = ("coroutine", "writer")

    def __init__(self, coroutine: Coroutine[Any, Any, T], writer: LogWriter) -> None:
        self.coroutine: Coroutine[Any, Any, T] = coroutine
        self.writer: LogWriter = writer

    def __await__(self) -> "Generator[Stepped[T], T, T]":
        return (yield self)


def _of_outermost(name: str) -> Any:  # noqa: ANN401 - of several types
    def of_outermost(stepper: "Stepper[Any]") -> object:
        return getattr(stepper.outermost, name)

    return property(of_outermost)


class Stepper(Coroutine[Any, Any, T]):
    """A coroutine for a task of its own, which runs ``coroutine`` and what that has stepped.

    Cancellation, time limits and task groups inside them work as usual.
    """

    __slots__ = ("_coroutine", "_outer", "_writer")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine: _Coroutine = coroutine
        self._writer: LogWriter | None = None
        self._outer: _Outer | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self, error: BaseException | None = None) -> object:  # noqa: C901 - hot
        """Step until something must be waited for, and return that.

        ``error`` is raised where the innermost coroutine waits.
        """
        value: object = None
        writer = self._writer
        if writer is not None and (writer.is_busy or writer.is_ahead):
            self._push(writer.arrive(error), None)
            writer = error = None
        while True:
            try:
                if writer is not None:
                    writer.due_at = writer.loop.time() + writer.patience  # others have had a turn
                    writer.is_stepping = True
                if error is None:
                    waited = self._coroutine.send(value)
                else:
                    waited = self._coroutine.throw(error)
                value = error = None
                if writer is not None:
                    writer.is_stepping = False
                    error = writer.submit()
                    if error is not None:
                        continue
            except BaseException as exc:
                value = error = None  # an error that is kept here would keep this frame
                if self._outer is None:
                    raise
                value, error = self._pop(exc)
            else:
                if type(waited) is not Stepped:
                    return waited
                self._push(waited.coroutine, waited.writer)
            writer = self._writer

    throw = __next__  # type: ignore[assignment] # a frame in between would keep the error

    def send(self, _value: None, /) -> object:
        """Continue; no task sends a value."""
        return self.__next__()

    def __await__(self) -> Generator[Any, Any, T]:
        result: T = yield from self
        return result

    def close(self) -> None:
        """End everything where it waits."""
        self._coroutine.close()
        while self._outer is not None:
            self._coroutine, self._writer, self._outer = self._outer
            self._coroutine.close()

    # What tools ask of a task's coroutine. With `__getattr__` every access would be slower.
    __name__: Any = _of_outermost("__qualname__")
    cr_code: Any = _of_outermost("cr_code")
    cr_frame: Any = _of_outermost("cr_frame")
    cr_running: Any = _of_outermost("cr_running")
    cr_suspended: Any = _of_outermost("cr_suspended")

    @property
    def outermost(self) -> Coroutine[Any, Any, T]:
        """The coroutine that was given."""
        coroutine, outer = self._coroutine, self._outer
        while outer is not None:
            coroutine, _, outer = outer
        return coroutine

    def _push(self, coroutine: _Coroutine, writer: LogWriter | None) -> None:
        self._outer = self._coroutine, self._writer, self._outer
        self._coroutine, self._writer = coroutine, writer

    def _pop(self, exc: BaseException) -> tuple[object, BaseException | None]:
        """Continue with what awaits the coroutine that has ended; return its value or error."""
        if self._writer is not None:
            self._writer.is_stepping = False
        if self._outer is not None:
            self._coroutine, self._writer, self._outer = self._outer
        return (exc.value, None) if isinstance(exc, StopIteration) else (None, exc)
