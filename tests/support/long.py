"""How much a test does: in `make test` what fits into CI, in `make test-long` more of the same."""

import os
from typing import Final, TypeVar

T = TypeVar("T")

IS_LONG: Final = bool(os.environ.get("LONG"))


def amount(short: T, *, long: T) -> T:
    """Return what the form of the tests that runs needs."""
    return long if IS_LONG else short
