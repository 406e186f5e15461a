"""The details of an unexpected exception in development: type, message and traceback.

A traceback starts in the user's code. The frames above it belong to the code that called it
(this package, asyncio, Starlette), and are the same in every traceback.
"""

import inspect
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, TypeVar

from yieldwire.errors.errorobject import Debug

E = TypeVar("E", bound=BaseException)

MESSAGE_BYTES: Final = 4_096
TRACEBACK_BYTES: Final = 32_768
"""The maximum length of a shown traceback: half from its start, half from its end."""

_LEFT_OUT: Final = "\n[… the middle is left out …]\n"
_OURS: Final = "yieldwire"
_MACHINERY: Final = frozenset(
    {
        _OURS,
        "anyio",
        "asyncio",
        "concurrent",
        "contextlib",
        "contextvars",
        "importlib",
        "pydantic",
        "starlette",
        "threading",
    }
)
"""Packages whose frames are left out before the user's first frame."""


def cut(error: E) -> E:
    """Cut the tracebacks of ``error``, its causes and its members to start in the user's code.

    Changes the error and returns it, for a log's ``exc_info``. Frames of this package are left
    out everywhere. If no traceback has a frame of the user's, all are kept whole, because the
    fault is in this package, unless ``error`` itself says where it is.
    """
    every = list(_family(error))
    frames = [_frames(each.__traceback__) for each in every]
    kept = [_kept(names) for names in map(_names, frames)]
    if any(kept) or getattr(error, "tells_place", isinstance(error, SyntaxError)):
        for each, links, indices in zip(every, frames, kept, strict=True):
            each.__traceback__ = _linked([links[index] for index in indices])
    return error


def at_yield(error: E, generator: object) -> E:
    """Add the `yield` at which ``generator`` is suspended to the traceback of ``error``."""
    frame = getattr(generator, "ag_frame", None) or getattr(generator, "gi_frame", None)
    if frame is None:
        return error
    return error.with_traceback(TracebackType(None, frame, frame.f_lasti, frame.f_lineno))


def place_of(function: Callable[..., object]) -> str:
    """Return where ``function`` is defined, in the format of a traceback."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return f"  in {function!r}"
    return f'  File "{code.co_filename}", line {code.co_firstlineno}, in {code.co_name}'


def debug_of(error: BaseException) -> Debug:
    """Return the details of ``error``, whose tracebacks are cut, within the size limits."""
    kind = type(error)
    module = "" if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}."
    return {
        "type": _within(f"{module}{kind.__qualname__}", MESSAGE_BYTES),
        "message": _within(_message(error), MESSAGE_BYTES),
        "traceback": _within(traceback_of(error), TRACEBACK_BYTES),
    }


def traceback_of(error: BaseException) -> str:
    """Return the traceback of ``error``, with its causes, as text. Never raises."""
    cut(error)
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except BaseException:  # noqa: BLE001 - an error in the exception's own methods is not the fault
        return f"{type(error).__qualname__}: {_message(error)}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as exc:  # noqa: BLE001 - as above
        return f"(its message cannot be read: {type(exc).__qualname__})"


def _within(text: str, most: int) -> str:
    """Return ``text`` as valid UTF-8 in at most ``most`` bytes; if longer, its two ends."""
    data = text[: most + 1].encode("utf-8", "backslashreplace")
    if len(data) <= most:
        return data.decode()
    half = (most - len(_LEFT_OUT.encode())) // 2
    tail = text[-half:].encode("utf-8", "backslashreplace")[-half:]
    return data[:half].decode("utf-8", "ignore") + _LEFT_OUT + tail.decode("utf-8", "ignore")


def _family(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes and its group's members, each once."""
    seen, waiting = set[int](), [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [other for other in (each.__cause__, each.__context__) if other is not None]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _frames(link: TracebackType | None) -> list[TracebackType]:
    links: list[TracebackType] = []
    while link is not None:
        links.append(link)
        link = link.tb_next
    return links


def _names(links: list[TracebackType]) -> list[str]:
    """Return the package of each frame's module."""
    return [str(link.tb_frame.f_globals.get("__name__", "")).partition(".")[0] for link in links]


def _kept(packages: list[str]) -> list[int]:
    """Return the indices of the shown frames; empty if no frame is the user's."""
    first = next((at for at, name in enumerate(packages) if name not in _MACHINERY), len(packages))
    return [index for index in range(first, len(packages)) if packages[index] != _OURS]


def _linked(links: list[TracebackType]) -> TracebackType | None:
    chain: TracebackType | None = None
    for link in reversed(links):
        chain = TracebackType(chain, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return chain
