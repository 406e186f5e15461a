"""The example projects, one for each host framework, as their readers run them."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.server import ROOT

FOLDER: Final = ROOT / "examples" / "hosts"
HOSTS: Final = ("django", "fastapi", "litestar", "quart", "starlette")


def environment(host: str, folder: Path) -> Mapping[str, str]:
    """Return the environment of a project, with its database in ``folder``."""
    file = folder / f"{host}.db"
    database = str(file) if host == "django" else f"sqlite:///{file}"
    return {**os.environ, "DATABASE": database}


def run(host: str, env: Mapping[str, str], *arguments: str) -> str:
    """Run Python in a project, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=FOLDER / host,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def serving(host: str) -> list[str]:
    """Return the command that serves a project."""
    if host == "django":
        return [sys.executable, "manage.py", "yieldwire", "dev", "--no-reload", "--port", "0"]
    return [sys.executable, "-m", "yieldwire.cli", "dev", "app.py", "--no-reload", "--port", "0"]
