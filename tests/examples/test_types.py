"""The types that the examples' pages are built with are those of their actions."""

import subprocess
import sys

from tests.support.server import ROOT


def test_the_committed_types_are_those_of_the_actions() -> None:
    types = [sys.executable, "-m", "yieldwire.cli", "types", "examples/web/app.py"]

    done = subprocess.run(
        [*types, "-o", "examples/web/actions.gen.ts", "--check"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
