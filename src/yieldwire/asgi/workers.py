"""Detects that a server runs several processes of an application whose store lives in one.

A run that one process starts is then unknown to the others. No server reports how many processes
it has, but the functions in which it runs this one are at the bottom of its stack, and know.
"""

import inspect
import logging
import multiprocessing
from types import FrameType
from typing import Final, NamedTuple

logger: Final = logging.getLogger("yieldwire.asgi")


class ServerProcess(NamedTuple):
    """How many processes the server has, as far as is known, and which of them this is."""

    processes: int
    number: int


def tell() -> None:
    """Log what happens, in one of the server's processes, if there are several."""
    count, number = server_process()
    if count > 1 and number == 1:
        logger.warning(
            "At least %d processes serve this application, and its store lives in one process: a "
            "run that one of them starts is unknown to the others, which answer 404 "
            "when it is read, resumed or cancelled there. Use one worker, or a store that "
            "processes share, such as Actions(store='sqlite:///runs.db').",
            count,
        )


def server_process() -> ServerProcess:
    """Return which of the server's processes this is; where nothing is known, the only one."""
    found = ServerProcess(1, 0)
    frame = inspect.currentframe()
    while frame is not None:
        more = _look(frame)
        found = ServerProcess(max(found.processes, more.processes), max(found.number, more.number))
        frame = frame.f_back
    return found


def _look(frame: FrameType) -> ServerProcess:
    names = frame.f_locals
    match frame.f_globals.get("__name__"):
        case "uvicorn._subprocess" | "hypercorn.asyncio.run":
            return ServerProcess(_workers(names.get("config")), _number_of_process())
        case "gunicorn.arbiter" if "worker" in names:
            return ServerProcess(_workers(names.get("self"), "num_workers"), names["worker"].age)
        case "granian.server.common":  # where it forks, the stack is its first process's too
            return ServerProcess(_workers(names.get("self")), 0)
        case "granian.server.mp" if "worker_id" in names:
            # Where it does not, nobody but its second process knows that there are several.
            return ServerProcess(names["worker_id"], names["worker_id"] - 1)
        case _:
            return ServerProcess(1, 0)


def _workers(owner: object, name: str = "workers") -> int:
    count = getattr(owner, name, None)
    return count if isinstance(count, int) else 1


def _number_of_process() -> int:
    number = multiprocessing.current_process().name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
