"""The model server that a server calls: started before it, on the load client's core."""

import json
import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from benchmarks.machine import BUILD, ROOT, BenchmarkError, pinned


@contextmanager
def modelling(command: Sequence[str]) -> Generator[str]:
    """Start a model server, give its URL, and end it afterwards.

    Raises:
        BenchmarkError: If it does not start.
    """
    log = BUILD / "log" / "model.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - a command of `environment`
            pinned(1, list(command)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise BenchmarkError("The model server did not start.")
        url: str = json.loads(line)["url"]
        yield url
    finally:
        process.communicate()  # the end of its input ends it
