"""A folder for the files that a page shows."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.blocks import DOCS, blocks

Load = Callable[[str], dict[str, ModuleType]]


@pytest.fixture(autouse=True)
def same_logging() -> Iterator[None]:
    """Undo what a page does to the configuration of logging."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the files that a page shows, from which they can be imported."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == tmp_path:
            del sys.modules[name]


@pytest.fixture
def load(modules: Path) -> Load:
    """Write and import every file of a guide, and return them by their names."""

    def files_of(guide: str) -> dict[str, ModuleType]:
        found: dict[str, ModuleType] = {}
        for block in blocks(DOCS / "guides" / guide, "python"):
            if block.module is not None:
                block.write_in(modules)
                importlib.invalidate_caches()
                found[block.module] = importlib.import_module(block.module)
        return found

    return files_of
