"""What processes use, as the kernel counts it."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    pids, found = [pid], 0
    while found < len(pids):
        with suppress(OSError):
            for task in Path(f"/proc/{pids[found]}/task").iterdir():
                children = (task / "children").read_text("ascii")
                pids += [int(child) for child in children.split()]
        found += 1
    return pids


def cpu_of(pid: int) -> float:
    """Return seconds of user and system time.

    The process's CPU clock counts in nanoseconds what /proc/<pid>/stat shows in hundredths of a
    second; only what ended children used has to come from there.
    """
    try:
        own = time.clock_gettime((~pid << 3) | 2)  # the kernel's CPUCLOCK_SCHED of that process
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return own + (int(fields[13]) + int(fields[14])) / TICKS
    except OSError:
        return 0.0


def descriptors_of(pid: int) -> int:
    """Return how many files and sockets are open."""
    with suppress(OSError):
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return 0


def memory_of(pid: int) -> int:
    """Return the bytes that are resident."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    return 0
