"""A run whose events come from a block of code ends exactly as its block does."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest

from yieldwire import ActionError, Context, Progress, Stream, Timing, Upload, track
from yieldwire.app import App
from yieldwire.errors import Conflict, NotFound, RunCancelled, UsageError
from yieldwire.executors.external import ExternalExecutor
from yieldwire.log.events import EventType
from yieldwire.log.run import Status
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import SOON

QUIET = Timing(sweep_every=60.0, lease=30.0, grace=0.5)


def application(path: Path, sent: list[str]) -> App:
    app = App(store=SQLiteStore(path / "runs.db"), executor=sent.append, timing=QUIET)

    @app.action(linger=None)
    async def import_rows(rows: int, stream: Stream[Progress]) -> int:
        raise AssertionError("its job does the work")

    @app.action(linger=None)
    async def measure(file: Upload, ctx: Context) -> int:
        raise AssertionError("its job does the work")

    return app


@pytest.fixture
def sent() -> list[str]:
    return []


@pytest.fixture
async def app(tmp_path: Path, sent: list[str]) -> AsyncIterator[App]:
    async with started(application(tmp_path, sent)) as app:
        yield app


@asynccontextmanager
async def started(app: App) -> AsyncGenerator[App, None]:
    await app.open()
    try:
        async with asyncio.timeout(SOON):
            yield app
    finally:
        await app.close()


async def test_a_block_produces_chunks_and_a_result(app: App, sent: list[str]) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 2})

    async with app.produce(sent[0]) as producer:
        assert (producer.run_id, producer.arguments) == (run.id, {"rows": 2})
        for n in range(1, 3):
            await producer.send(Progress(n, total=producer.arguments["rows"]))
        producer.finish(42)

    assert await run.result() == 42
    assert [event.type async for event in run.events()] == 2 * [EventType.CHUNK] + [EventType.DONE]


async def test_a_block_has_the_files_and_the_context_of_an_attempt(app: App) -> None:
    file = Upload(BytesIO(b"hello"), filename="a.txt")
    run = await app.start(app.registry.action_named("measure"), {"file": file})

    async with app.produce(run.id) as producer:
        content = await producer.arguments["file"].read()
        producer.finish(await producer.ctx.step("measure", len, content))

    assert await run.result() == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [(ActionError("NO_ROWS", "Nothing."), "NO_ROWS"), (ValueError("secret"), "INTERNAL_ERROR")],
    ids=["typed", "unexpected"],
)
async def test_an_exception_of_the_block_fails_the_run_and_is_raised(
    app: App, error: Exception, code: str
) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 2})

    with pytest.raises(type(error), match=str(error)):
        async with app.produce(run.id):
            raise error

    events = [event async for event in run.events()]
    assert f'"code":"{code}"'.encode() in events[-1].data
    assert b"secret" not in events[-1].data


async def test_a_run_is_produced_by_one_block(app: App) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})

    async with app.produce(run.id) as producer:
        with pytest.raises(Conflict, match="is running, not pending"):
            async with app.produce(run.id):
                raise AssertionError("two blocks at once")
        producer.finish(1)
    with pytest.raises(Conflict, match="is completed, not pending"):
        async with app.produce(run.id):
            raise AssertionError("it has ended")
    with pytest.raises(NotFound, match="There is no run"):
        async with app.produce("rnever"):
            raise AssertionError("it does not exist")


async def test_a_cancel_cancels_the_block_after_which_the_run_has_ended(app: App) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})
    left: list[str] = []

    async def work() -> None:
        async with app.produce(run.id) as producer:
            await producer.send(Progress(1, total=1))
            await app.cancel(run.id)
            try:
                await asyncio.Event().wait()
            finally:
                left.append(producer.run_id)

    with pytest.raises(RunCancelled, match="was cancelled"):
        await work()

    assert left == [run.id]
    assert (await app.store.get(run.id)).status is Status.CANCELLED
    await asyncio.sleep(0)  # the cancellation of the block is not left behind


async def test_a_block_that_its_own_task_leaves_is_not_a_cancel(app: App) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})

    began = asyncio.Event()

    async def work() -> None:
        async with app.produce(run.id):
            began.set()
            await asyncio.Event().wait()

    job = asyncio.create_task(work())  # noqa: TID251 - awaited here
    await began.wait()
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job
    assert (await app.store.get(run.id)).status is Status.FAILED


async def test_a_block_that_is_left_while_it_begins_leaves_nothing_behind(app: App) -> None:
    async def work(run_id: str) -> None:
        async with app.produce(run_id):
            await asyncio.Event().wait()

    for steps in range(6):
        run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})
        job = asyncio.create_task(work(run.id))  # noqa: TID251 - awaited here
        for _ in range(steps):
            await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job


def test_blocking_code_produces_runs_in_any_thread(tmp_path: Path, sent: list[str]) -> None:
    app = application(tmp_path, sent)

    async def start() -> None:
        async with started(app):
            for _ in range(4):
                await app.start(app.registry.action_named("import_rows"), {"rows": 2})

    def work(run_id: str) -> None:
        with app.produce_blocking(run_id) as producer:
            for n in range(1, 3):
                producer.send(Progress(n, total=2))
            producer.check_cancelled()
            producer.finish(len(producer.run_id))

    asyncio.run(start())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, sent))
    with pytest.raises(ValueError, match="oops"), app.produce_blocking(_another(tmp_path)):
        raise ValueError("oops")

    statuses = asyncio.run(_statuses(tmp_path))
    assert sorted(statuses) == 4 * [Status.COMPLETED] + [Status.FAILED]


def _another(path: Path) -> str:
    sent = list[str]()

    async def start() -> None:
        async with started(application(path, sent)) as app:
            await app.start(app.registry.action_named("import_rows"), {"rows": 2})

    asyncio.run(start())
    return sent[0]


async def _statuses(path: Path) -> list[Status]:
    async with started(application(path, [])) as app:
        return [run.status for run in await app.find(Query(everyone=True))]


async def test_blocking_code_learns_of_a_cancel(app: App, tmp_path: Path) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})
    worker = application(tmp_path, [])

    def work() -> None:
        with worker.produce_blocking(run.id) as producer:
            while True:
                producer.send(Progress(1, total=1))

    job = asyncio.create_task(asyncio.to_thread(work))  # noqa: TID251 - awaited here
    await anext(aiter(run))
    await app.cancel(run.id)

    with pytest.raises(RunCancelled, match="was cancelled"):
        await job
    assert (await app.store.get(run.id)).status is Status.CANCELLED


async def test_a_loop_of_a_block_reports_until_the_block_ends(app: App) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})

    async with app.produce(run.id) as producer:
        assert [*track("ab")] == ["a", "b"]
        producer.finish(2)
    assert [*track("abc")] == ["a", "b", "c"]

    assert [(chunk["current"], chunk["total"]) async for chunk in run] == [(0, 2), (2, 2)]


async def test_a_block_can_be_left_in_another_context_than_it_was_entered_in(
    app: App, tmp_path: Path
) -> None:
    for _ in range(2):
        await app.start(app.registry.action_named("import_rows"), {"rows": 1})
    first, second = await app.find(Query(everyone=True))
    block = app.produce(first.id)
    worker = application(tmp_path, [])

    def work() -> None:
        blocking = worker.produce_blocking(second.id)
        copy_context().run(blocking.__enter__).finish(2)
        copy_context().run(blocking.__exit__, None, None, None)

    producer = await asyncio.create_task(block.__aenter__())  # noqa: TID251 - awaited here
    producer.finish(1)
    await block.__aexit__(None, None, None)
    await asyncio.to_thread(work)

    assert await _statuses(tmp_path) == 2 * [Status.COMPLETED]


async def test_a_loop_of_blocking_code_stops_at_a_cancel(app: App, tmp_path: Path) -> None:
    run = await app.start(app.registry.action_named("import_rows"), {"rows": 1})
    worker = application(tmp_path, [])

    def work() -> None:
        with worker.produce_blocking(run.id):
            for _ in track(count()):
                time.sleep(0.001)

    job = asyncio.create_task(asyncio.to_thread(work))  # noqa: TID251 - awaited here
    assert (await anext(aiter(run)))["current"] == 0
    await app.cancel(run.id)

    with pytest.raises(RunCancelled, match="was cancelled"):
        await job


async def test_a_function_that_starts_jobs_is_called_once_for_a_run(
    tmp_path: Path, sent: list[str]
) -> None:
    async def send(run_id: str) -> None:
        sent.append(run_id)

    app = App(store=MemoryStore(), executor=ExternalExecutor(send, claim_within=5.0), timing=QUIET)

    @app.action
    async def answer() -> int:
        raise AssertionError("its job does the work")

    async with started(app):
        run = await app.start(answer, {})
        for _ in range(3):
            await app.sweep()
        async with app.produce(run.id) as producer:
            producer.finish(42)

        assert await run.result() == 42
    assert sent == [run.id]


@pytest.mark.parametrize("executor", [42, "celery", lambda: None, ExternalExecutor])
def test_what_is_neither_an_executor_nor_a_function_of_an_id_is_reported(executor: object) -> None:
    with pytest.raises(UsageError, match=r"is not an engine .* or a function of a run's id"):
        App(executor=executor)  # type: ignore[arg-type]
