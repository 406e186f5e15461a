"""Notes how long each garbage collection takes; Python loads it by its name from PYTHONPATH."""

import gc
import os
import time

_file = os.open(os.environ["BENCH_PAUSES"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_began = 0


def note(phase: str, _info: dict[str, int]) -> None:
    """Write the nanoseconds of a collection that has ended."""
    global _began  # noqa: PLW0603 - the beginning and the end are two calls
    if phase == "start":
        _began = time.perf_counter_ns()
    else:
        os.write(_file, b"%d\n" % (time.perf_counter_ns() - _began))


gc.callbacks.append(note)
