"""The guarantees of every store, as tests: `StoreContract`.

    class TestMyStore(StoreContract):
        @pytest.fixture
        async def harness(self) -> AsyncIterator[StoreHarness]:
            async with MyHarness() as harness:
                yield harness

The tests are plain coroutines with plain asserts: this package imports no test runner. They
need one that runs coroutines, such as pytest with pytest-asyncio and ``asyncio_mode = auto``;
``pytest.register_assert_rewrite("yieldwire.testing.contract")``, before the import, makes its
failure messages more detailed.
"""

from yieldwire.testing.contract.answering import AnswerContract
from yieldwire.testing.contract.appending import AppendContract
from yieldwire.testing.contract.asking import QuestionContract
from yieldwire.testing.contract.delivering import DeliveryContract
from yieldwire.testing.contract.finding import FindContract
from yieldwire.testing.contract.harness import StoreHarness
from yieldwire.testing.contract.leasing import CancelContract, ClaimContract
from yieldwire.testing.contract.opening import OpenContract
from yieldwire.testing.contract.pairing import PairContract
from yieldwire.testing.contract.purging import PurgeContract
from yieldwire.testing.contract.queueing import QueueContract
from yieldwire.testing.contract.reading import ReadContract, WaitContract
from yieldwire.testing.contract.receiving import InboxContract
from yieldwire.testing.contract.refusing import RefusalContract
from yieldwire.testing.contract.revoking import RevocationContract
from yieldwire.testing.contract.saving import CheckpointContract, RestartContract
from yieldwire.testing.contract.sending import SendContract
from yieldwire.testing.contract.sharing import FeedContract
from yieldwire.testing.contract.starting import StartContract
from yieldwire.testing.contract.sweeping import LingerContract, LostLeaseContract

__all__ = ["StoreContract", "StoreHarness"]


class StoreContract(
    StartContract,
    FeedContract,
    AppendContract,
    ReadContract,
    WaitContract,
    FindContract,
    ClaimContract,
    CancelContract,
    LingerContract,
    LostLeaseContract,
    RestartContract,
    QueueContract,
    CheckpointContract,
    SendContract,
    AnswerContract,
    InboxContract,
    PurgeContract,
    RefusalContract,
    RevocationContract,
    DeliveryContract,
    QuestionContract,
    OpenContract,
    PairContract,
):
    """The contracts of `yieldwire.stores`, one guarantee per test.

    A subclass provides the fixture ``harness``, a `StoreHarness`; what this suite does not check
    is not promised.
    """
