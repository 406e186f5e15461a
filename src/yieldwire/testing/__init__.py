"""What applications and third-party stores are tested with."""

from yieldwire.testing.clock import MovingClock as MovingClock
from yieldwire.testing.contract import StoreContract as StoreContract
from yieldwire.testing.contract import StoreHarness as StoreHarness
