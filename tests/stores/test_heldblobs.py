"""Files that are held in the process are as those on disk, but for their end."""

import pytest

from tests.stores.keeping import Keeping
from yieldwire.stores.heldblobs import HeldBlobs


class TestHeld(Keeping):
    @pytest.fixture
    def blobs(self) -> HeldBlobs:
        return HeldBlobs()
