"""Which machine this is, until it restarts: its processes share the monotonic clock."""

import time
from functools import cache
from pathlib import Path


@cache
def boot_id() -> str:
    """Return a value that is the same in every process until the machine restarts."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        # When the monotonic clock was zero, to within ten seconds.
        return str(round((time.time() - time.monotonic()) / 10))  # noqa: TID251
