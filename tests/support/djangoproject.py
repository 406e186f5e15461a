"""The project of Django that the guide builds, in a folder and in processes of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.blocks import DOCS, blocks

GUIDE = DOCS / "guides" / "use-in-django.md"


def project_of_guide(folder: Path) -> Path:
    """Build the project of the guide in ``folder``, as its reader does."""
    run(folder, "-m", "django", "startproject", "shop", ".")
    manage(folder, "startapp", "contacts")
    for block in blocks(GUIDE, "python"):
        block.write_in(folder)
    for block in blocks(GUIDE, "html"):
        name, _, code = block.code.partition("\n")
        template = folder / name.strip("<!- >")
        template.parent.mkdir(parents=True, exist_ok=True)
        template.write_text(code)
    settings = folder / "shop/settings.py"
    told = next(block.code for block in blocks(GUIDE, "text") if "INSTALLED_APPS" in block.code)
    installed, _, rest = told.partition("    ...\n]\n")
    text = settings.read_text().replace("INSTALLED_APPS = [\n", installed)
    settings.write_text(text + rest)
    manage(folder, "makemigrations", "contacts")
    return folder


def manage(folder: Path, *arguments: str) -> str:
    """Run a command of ``manage.py``, and return what it prints."""
    return run(folder, "manage.py", *arguments)


def run(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run Python in ``folder``, where warnings are errors, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
