import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import APP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an application in ``app.py``."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test imports from its own files."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
