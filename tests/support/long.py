"""How much a test does: in `make test` what fits into CI, in `make test-long` more of the same."""

import os
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

IS_LONG: Final = bool(os.environ.get("LONG"))


def amount(short: T, *, long: T) -> T:
    """Return what the form of the tests that runs needs."""
    return long if IS_LONG else short


def leave_out(
    config: pytest.Config,
    items: list[pytest.Item],
    is_variant: Callable[[pytest.Function], bool],
) -> None:
    """Deselect the tests that are variants."""
    left = [item for item in items if isinstance(item, pytest.Function) and is_variant(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
