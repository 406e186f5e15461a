"""Tools for testing applications and third-party stores."""

from typing import TYPE_CHECKING

from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness

if TYPE_CHECKING:
    from yieldwire.testing.client import connect
    from yieldwire.testing.dialect import (
        DialectContract,
        DialectHarness,
        ForeignAnswer,
        ForeignRequest,
        Heard,
    )
    from yieldwire.testing.transport import StreamingTransport


__all__ = [
    "DialectContract",
    "DialectHarness",
    "ForeignAnswer",
    "ForeignRequest",
    "Heard",
    "MovingClock",
    "StoreContract",
    "StoreHarness",
    "StreamingTransport",
    "connect",
]


def __getattr__(name: str) -> object:
    # These need httpx2, which is not needed for testing a store.
    if name == "connect":
        from yieldwire.testing.client import connect  # noqa: PLC0415

        return connect
    if name in {"DialectContract", "DialectHarness", "ForeignAnswer", "ForeignRequest", "Heard"}:
        from yieldwire.testing import dialect  # noqa: PLC0415

        return getattr(dialect, name)
    if name == "StreamingTransport":
        from yieldwire.testing.transport import StreamingTransport  # noqa: PLC0415

        return StreamingTransport
    raise AttributeError(name)
