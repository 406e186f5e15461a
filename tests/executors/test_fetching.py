"""The files of an attempt are opened when it has begun, as its lease is renewed only then."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any, BinaryIO
from uuid import uuid4

import pytest

from tests.support.runs import SOON, opened, outcome
from yieldwire import Timing, Upload
from yieldwire.app import App
from yieldwire.clock import SystemClock
from yieldwire.executors import RunLimits
from yieldwire.log.events import EventType
from yieldwire.log.run import Status
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.objects import ObjectBlobs, ObjectFiles


class WatchedBlobs(ObjectBlobs):
    """Files in an object store, which a test can make slow or unreachable."""

    before_open: Callable[[], object] = staticmethod(lambda: None)

    def of(self, name: str, /) -> ObjectFiles:
        return WatchedFiles(self, self.folder_of(name))


class WatchedFiles(ObjectFiles):
    _blobs: WatchedBlobs

    def open(self, name: str, /) -> BinaryIO:
        self._blobs.before_open()
        return super().open(name)


class FarStore(MemoryStore):
    """A store of runs whose files are in an object store."""

    def __init__(self) -> None:
        super().__init__()
        plain = ObjectBlobs.at(f"memory://{uuid4().hex}", SystemClock())
        self.far = WatchedBlobs(plain.filesystem, plain.root, plain.clock)
        self.blobs = self.far  # type: ignore[assignment]


@pytest.fixture
def store() -> FarStore:
    return FarStore()


@pytest.fixture
async def app(store: FarStore) -> AsyncIterator[App]:
    limits = RunLimits(store_patience=0.2)
    async with opened(App(store=store, timing=Timing(grace=0.5), run_limits=limits)) as app:

        @app.action(queue="files")
        async def length(file: Upload) -> int:
            return len(file.file.read())

        yield app


async def started(app: App) -> Any:  # noqa: ANN401 - a run of any action
    return await app.start(app.registry.action_named("length"), {"file": BytesIO(b"hello")})


async def test_a_file_is_open_when_the_action_begins(app: App, store: FarStore) -> None:
    heard = await outcome(await started(app))
    await app.close()

    assert heard.end == (EventType.DONE, {"result": 5})
    assert list(store.far.names()) == []


async def test_an_object_store_that_fails_for_a_moment_is_asked_again(
    app: App, store: FarStore
) -> None:
    faults = [OSError("no answer")]

    def fail_once() -> None:
        if faults:
            raise faults.pop()

    store.far.before_open = fail_once

    heard = await outcome(await started(app))

    assert heard.end == (EventType.DONE, {"result": 5})


@pytest.mark.parametrize(
    "fault", [FileNotFoundError("gone"), NotADirectoryError("gone"), OSError("no answer")]
)
async def test_a_run_whose_file_cannot_be_read_is_interrupted(
    app: App, store: FarStore, fault: OSError
) -> None:
    def fail() -> None:
        raise fault

    store.far.before_open = fail

    heard = await outcome(await started(app))

    assert heard.end[0] == EventType.ERROR
    assert heard.end[1]["code"] == "INTERRUPTED"


async def test_a_run_can_be_stopped_while_its_file_arrives(app: App, store: FarStore) -> None:
    may_go_on = threading.Event()
    store.far.before_open = lambda: may_go_on.wait(SOON)
    run = await started(app)
    async with asyncio.timeout(SOON):
        while (await store.get(run.id)).status is Status.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0)

    await run.cancel()
    heard = await outcome(run)
    may_go_on.set()

    assert heard.end[0] == EventType.CANCELLED
