"""A job system of somebody else's, which carries run ids and nothing else."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.support.runs import SOON, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import Unavailable
from yieldwire.executors import Prepared, RunLimits
from yieldwire.executors.worker import Worker
from yieldwire.log.events import Block
from yieldwire.log.run import Status
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader
from yieldwire.runs.start import StartRequest
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)
BEATING = replace(QUIET, lease=0.3)


class Jobs:
    """An executor whose engine is a queue of ids: all that an engine needs."""

    worker: Worker

    def __init__(self) -> None:
        self.queue: SimpleQueue[str | None] = SimpleQueue()

    async def open(self, worker: Worker, /) -> None:
        self.worker = worker

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        self.queue.put(run_id)

    async def close(self) -> None:
        pass

    def waiting(self) -> list[str | None]:
        return [self.queue.get() for _ in range(self.queue.qsize())]


class BrokenJobs(Jobs):
    """An engine that is out of reach at first."""

    is_broken = True

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        if self.is_broken:
            raise OSError("the engine is out of reach")
        await super().enqueue(run_id, prepared)


async def thread_of(ctx: Context, n: int) -> AsyncIterator[str]:
    yield threading.current_thread().name
    yield f"{n}, attempt {ctx.attempt}"


async def hang(ctx: Context) -> AsyncIterator[int]:
    yield ctx.attempt
    await asyncio.Event().wait()


async def size_of(file: Upload) -> int:
    return len(await file.read())


def application(
    path: Path,
    jobs: Jobs,
    timing: Timing = QUIET,
    clock: MovingClock | None = None,
    run_limits: RunLimits | None = None,
) -> App:
    store = SQLiteStore(path / "runs.db", clock=clock)
    app = App(store=store, executor=jobs, timing=timing, clock=clock, run_limits=run_limits)
    for function in (thread_of, size_of, thousands):
        app.action(function)
    app.action(retries=1)(hang)
    return app


@contextmanager
def elsewhere(
    path: Path, queue: "SimpleQueue[str | None]", name: str = "elsewhere"
) -> Generator[None, None, None]:
    """Execute what the queue delivers: in another thread, loop, application and store."""

    async def serve() -> None:
        jobs = Jobs()
        async with opened(application(path, jobs, BEATING)), asyncio.TaskGroup() as group:
            while (run_id := await asyncio.to_thread(queue.get)) is not None:
                group.create_task(jobs.worker.execute(run_id))

    thread = threading.Thread(target=asyncio.run, args=[serve()], name=name)
    thread.start()
    try:
        yield
    finally:
        queue.put(None)
        thread.join(SOON)


async def test_a_run_is_executed_where_the_engine_delivers_its_id(tmp_path: Path) -> None:
    jobs = Jobs()
    app = application(tmp_path, jobs)

    with elsewhere(tmp_path, jobs.queue):
        async with opened(app):
            heard = await outcome(await app.start(app.registry.action_named("thread_of"), {"n": 3}))

    assert heard.chunks == ["elsewhere", "3, attempt 1"]
    assert heard.end == ("done", {})


async def test_files_reach_the_worker_and_are_closed_where_the_run_was_started(
    tmp_path: Path,
) -> None:
    jobs, upload = Jobs(), Upload(BytesIO(b"contents"))
    app = application(tmp_path, jobs)

    with elsewhere(tmp_path, jobs.queue):
        async with opened(app):
            run = await app.start(app.registry.action_named("size_of"), {"file": upload})
            is_closed = upload.file.closed
            heard = await outcome(run)

    assert (is_closed, heard.end) == (True, ("done", {"result": 8}))


async def test_a_cancel_reaches_the_process_that_executes_the_run(tmp_path: Path) -> None:
    jobs = Jobs()
    app = application(tmp_path, jobs)

    with elsewhere(tmp_path, jobs.queue):
        async with opened(app):
            run = await app.start(app.registry.action_named("hang"), {})
            await first_chunk(run)
            await run.cancel()
            heard = await outcome(run)

    assert heard.code == "CANCELLED"


async def test_a_run_that_is_delivered_twice_is_executed_once(tmp_path: Path) -> None:
    jobs = Jobs()
    app = application(tmp_path, jobs)
    async with opened(app):
        run = await app.start(app.registry.action_named("thread_of"), {"n": 3})
        (run_id,) = jobs.waiting()
        assert run_id == run.id

        async with asyncio.timeout(SOON):
            await asyncio.gather(*(jobs.worker.execute(run.id) for _ in range(3)))
            await jobs.worker.execute(run.id)
        heard = await outcome(run)

    assert heard.chunks[1:] == ["3, attempt 1"]


async def test_executing_a_run_returns_when_its_end_is_in_the_log(tmp_path: Path) -> None:
    jobs = Jobs()
    app = application(tmp_path, jobs)
    async with opened(app):
        run = await app.start(app.registry.action_named("thread_of"), {"n": 3})

        await jobs.worker.execute(run.id)
        status = (await app.store.get(run.id)).status

    assert status is Status.COMPLETED


async def test_an_id_that_the_engine_lost_is_enqueued_again_after_a_lease(tmp_path: Path) -> None:
    jobs, clock = Jobs(), MovingClock()
    app = application(tmp_path, jobs, clock=clock)
    async with opened(app):
        run = await app.start(app.registry.action_named("thread_of"), {"n": 3})
        lost = jobs.waiting()

        await app.sweep()
        before = jobs.waiting()
        clock.advance(QUIET.lease + 1)
        await app.sweep()

        assert (lost, before, jobs.waiting()) == ([run.id], [], [run.id])


async def test_a_start_succeeds_while_the_engine_is_out_of_reach(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, clock = BrokenJobs(), MovingClock()
    app = application(tmp_path, jobs, clock=clock)
    async with opened(app):
        run = await app.start(app.registry.action_named("thread_of"), {"n": 3})
        jobs.is_broken = False
        clock.advance(QUIET.lease + 1)
        await app.sweep()

        assert jobs.waiting() == [run.id]
    assert "the run was not enqueued" in caplog.text


async def test_a_job_that_the_engine_stops_is_executed_by_the_next_worker(tmp_path: Path) -> None:
    jobs, clock = Jobs(), MovingClock()
    app = application(tmp_path, jobs, clock=clock)
    async with opened(app):
        run = await app.start(app.registry.action_named("hang"), {})
        jobs.waiting()

        async with asyncio.TaskGroup() as group:
            job = group.create_task(jobs.worker.execute(run.id))
            await first_chunk(run)
            job.cancel()
        clock.advance(0.001)
        await app.sweep()

        assert job.cancelled()
        assert jobs.waiting() == [run.id]
        assert (await app.store.get(run.id)).status is Status.PENDING


async def test_a_job_that_is_stopped_where_no_other_worker_could_continue_ends_as_interrupted() -> (
    None
):
    jobs = Jobs()
    app = App(store=MemoryStore(), executor=jobs, timing=QUIET)
    async with opened(app):
        run = await app.start(app.action(hang))

        async with asyncio.TaskGroup() as group:
            job = group.create_task(jobs.worker.execute(run.id))
            await first_chunk(run)
            job.cancel()
        heard = await outcome(run)

    assert heard.code == "INTERRUPTED"


async def test_a_job_that_is_stopped_while_it_waits_for_a_thread_stays_pending(
    tmp_path: Path,
) -> None:
    jobs = Jobs()
    store = SQLiteStore(tmp_path / "runs.db")
    app = App(store=store, executor=jobs, timing=QUIET, run_limits=RunLimits(threads=1))

    def spin(ctx: Context) -> None:
        while not ctx.is_cancelled:
            continue

    action = app.action(spin)
    async with opened(app):
        first, second = [await app.start(action) for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            group.create_task(jobs.worker.execute(first.id))
            await until(lambda: status_is(app, first.id, Status.RUNNING))
            job = group.create_task(jobs.worker.execute(second.id))
            await asyncio.sleep(0)
            job.cancel()
            await asyncio.wait({job})
            await first.cancel()

        assert (await app.store.get(second.id)).status is Status.PENDING


async def test_a_worker_that_stops_takes_no_more_runs(tmp_path: Path) -> None:
    jobs = Jobs()
    app = application(tmp_path, jobs)
    async with opened(app):
        run = await app.start(app.registry.action_named("thread_of"), {"n": 3})

    with pytest.raises(Unavailable):
        await jobs.worker.execute(run.id)


# How far a run can be ahead.


async def thousands() -> AsyncIterator[str]:
    for _ in range(50):
        yield 1000 * "x"
        await asyncio.sleep(0)


async def test_a_reader_in_the_process_of_the_run_holds_it_back(tmp_path: Path) -> None:
    app = application(tmp_path, Jobs(), run_limits=RunLimits(ahead_bytes=5000))
    async with opened(app):
        run_id = await attached(app)
        async with held_open(app, run_id) as reader, asyncio.TaskGroup() as group:
            group.create_task(execute(app, run_id))
            async with asyncio.timeout(SOON):
                await reader.next(SOON)
                for _ in range(200):  # asks of the store, in which it would have ended long ago
                    assert not await status_is(app, run_id, Status.COMPLETED)
                while await reader.next(SOON):
                    continue

        assert await status_is(app, run_id, Status.COMPLETED)


async def test_a_reader_that_waits_holds_a_run_back_from_its_first_block_on(tmp_path: Path) -> None:
    class SlowToWake(SQLiteStore):
        gate = asyncio.Event()

        @property
        def is_awaited(self) -> bool:
            return bool(self._waits.logs)

        async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
            page = await super().read(run_id, after, **options)
            if options.get("wait"):
                await self.gate.wait()
            return page

    store = SlowToWake(tmp_path / "runs.db")
    app = App(store=store, executor=Jobs(), timing=QUIET, run_limits=RunLimits(ahead_bytes=5000))
    app.action(thousands)
    async with opened(app):
        run_id = await attached(app)
        async with held_open(app, run_id) as reader, asyncio.TaskGroup() as group:
            reading = group.create_task(reader.next(SOON))
            while not store.is_awaited:  # noqa: ASYNC110 - asks a store
                await asyncio.sleep(0.001)
            group.create_task(execute(app, run_id))
            await until(lambda: status_is(app, run_id, Status.RUNNING))
            for _ in range(200):
                assert not await status_is(app, run_id, Status.COMPLETED)
            store.gate.set()
            await reading
            while await reader.next(SOON):
                continue

        assert await status_is(app, run_id, Status.COMPLETED)


async def test_a_reader_in_another_process_never_holds_a_run_back(tmp_path: Path) -> None:
    app, other = (
        application(tmp_path, Jobs(), run_limits=RunLimits(ahead_bytes=5000)) for _ in range(2)
    )
    async with opened(app), opened(other):
        run_id = await attached(app)
        async with held_open(other, run_id) as reader, asyncio.TaskGroup() as group:
            group.create_task(execute(app, run_id))
            async with asyncio.timeout(SOON):
                await reader.next(SOON)
                await until(lambda: status_is(app, run_id, Status.COMPLETED))


async def attached(app: App) -> str:
    """Start a run that is not detached, and return its id."""
    return (
        await app.begin(
            StartRequest(action=app.registry.action_named("thousands"), caller=Caller(), data={})
        )
    ).id


async def execute(app: App, run_id: str) -> None:
    jobs = app.executor
    assert isinstance(jobs, Jobs)
    await jobs.worker.execute(run_id)


@asynccontextmanager
async def held_open(app: App, run_id: str) -> AsyncGenerator[Reader, None]:
    """Begin to read a run that has not begun."""
    async with app.reader(run_id) as reader:
        reader.begin(0)
        yield reader


async def status_is(app: App, run_id: str, status: Status) -> bool:
    return (await app.store.get(run_id)).status is status


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await holds():  # noqa: ASYNC110 - what it asks is a store
            await asyncio.sleep(0.001)
