"""The files of answers and messages: kept before they are accepted, and never without need."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from pydantic import BaseModel
from pydantic_core import from_json

from tests.support.descriptors import open_files
from tests.support.runs import SOON, opened, outcome
from yieldwire import Context, Result, Retry, Text, Upload
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.clock import SystemClock, Timing
from yieldwire.errors import (
    AlreadyAnswered,
    InboxFull,
    KeyReused,
    RunEnded,
    StoreError,
    UsageError,
    ValidationFailed,
)
from yieldwire.executors import RunLimits
from yieldwire.log.events import EventType
from yieldwire.log.message import Message
from yieldwire.runs.files import RunFiles
from yieldwire.stores.blobs import FolderBlobs
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.objects import LEFT_AFTER, ObjectBlobs
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

QUIET = Timing(sweep_every=3600.0, grace=0.1)


class Evidence(BaseModel):
    note: str
    photo: Upload


class Flaky(Exception):
    """After this the action is tried again."""


def evidence(content: bytes = b"abc", **more: object) -> dict[str, object]:
    photo = Upload(BytesIO(content), filename="damage.jpg", content_type="image/jpeg")
    return {"note": "a dent", "photo": photo, **more}


RECORD = {
    "filename": "damage.jpg",
    "contentType": "image/jpeg",
    "size": 3,
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
}


def claims(app: App) -> App:
    """Add an action that asks for a file, and receives files until one is called ``stop``."""

    @app.action(asks=Evidence, inbox=Evidence, retries=Retry(3, backoff=0.0, on=(Flaky,)))
    async def claim(ctx: Context) -> AsyncIterator[Text | Result[str]]:
        answer = await ctx.ask(Evidence, "Show me the damage")
        yield Text((await answer.photo.read()).decode())
        async for message in ctx.inbox(Evidence):
            if message.note == "stop":
                break
            yield Text((await message.photo.read()).decode())
            if ctx.attempt == 1:
                raise Flaky
        yield Result(answer.photo.filename)

    return app


@pytest.fixture(params=["memory", "sqlite"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[App]:
    path = f"sqlite:///{tmp_path / 'runs.db'}"
    store = "memory" if request.param == "memory" else path
    async with opened(claims(App(store=store, timing=QUIET))) as app:
        yield app


async def asked(app: App) -> Run[Any]:
    run = await app.start(app.registry.action_named("claim"), {})
    await first(run, EventType.QUESTION)
    return run


async def first(run: Run[Any], kind: EventType) -> dict[str, Any]:
    """Return the data of the first event of a kind, as soon as it is there."""
    async with asyncio.timeout(SOON):
        async for event in run.events():
            if event.type is kind:
                return dict(event.value)
    raise AssertionError(f"the run ended without {kind}")


async def names(app: App) -> Sequence[str]:
    """Return the names under which files are kept."""
    return await asyncio.to_thread(app.files.blobs.names)


async def check_that_none_is_left(app: App) -> None:
    await app.close()  # when the runs are done
    assert await names(app) == []


async def test_files_reach_every_attempt_and_are_deleted_with_the_run(app: App) -> None:
    run, before = await asked(app), open_files()
    await run.answer("1", evidence(), by="ada")
    await run.send(evidence(b"first"))
    await run.send(evidence(note="stop"))

    heard = await outcome(run)

    chunks = [event.value["text"] for event in heard.events if event.type is EventType.CHUNK]
    assert chunks == ["abc", "first", "abc", "first"]
    assert heard.end[1] == {"result": "damage.jpg"}
    await check_that_none_is_left(app)
    assert open_files() <= before


async def test_a_file_of_the_input_reaches_an_attempt_after_an_error(app: App) -> None:
    @app.action(retries=Retry(1, backoff=0.0, on=(Flaky,)))
    async def count(file: Upload, ctx: Context) -> int:
        content = await file.read()
        if ctx.attempt == 1:
            raise Flaky
        return len(content)

    heard = await outcome(await app.start(count, {"file": BytesIO(b"abc")}))

    assert heard.end[1] == {"result": 3}
    await check_that_none_is_left(app)


async def test_the_log_has_the_record_of_a_file_and_nothing_of_its_content(app: App) -> None:
    run = await asked(app)

    await run.answer("1", evidence(), by="ada")

    value = {"note": "a dent", "photo": RECORD}
    assert await first(run, EventType.ANSWER) == {"id": "1", "value": value, "by": "ada"}


async def test_a_message_owns_its_files_and_closes_them(app: App) -> None:
    run = await asked(app)
    accepted, stray, invalid = evidence(), evidence(), evidence()

    await run.answer("1", {**accepted, "other": stray["photo"]})
    with pytest.raises(ValidationFailed, match="not valid"):
        await run.send({"photo": invalid["photo"]})

    for given in (accepted, stray, invalid):
        photo = given["photo"]
        assert isinstance(photo, Upload)
        assert photo.file.closed


async def test_a_repeat_with_the_same_file_is_the_same_message(app: App) -> None:
    run = await asked(app)
    first = await run.send(evidence(), key="k")

    again = await run.send(evidence(), key="k")
    together = await asyncio.gather(*(run.send(evidence(b"x"), key="x") for _ in range(3)))
    with pytest.raises(KeyReused, match="another input"):
        await run.send(evidence(b"abd"), key="k")

    assert again == first
    assert together == together[:1] * 3
    assert len(await names(app)) == 2


async def test_an_answer_that_was_too_late_leaves_no_file(app: App) -> None:
    run = await asked(app)
    await run.answer("1", evidence())

    with pytest.raises(AlreadyAnswered, match="answered already"):
        await run.answer("1", evidence())
    assert len(await names(app)) == 1
    await run.cancel()
    await outcome(run)
    with pytest.raises(RunEnded, match="ended"):
        await run.send(evidence())

    await check_that_none_is_left(app)


async def test_a_run_takes_a_limited_number_of_bytes_in_files() -> None:
    limits = RunLimits(max_inbox_file_bytes=6)
    async with opened(claims(App(timing=QUIET, run_limits=limits))) as app:
        run = await asked(app)
        await run.send(evidence())
        with pytest.raises(InboxFull, match="full"):
            await run.send(evidence(b"abcd"))
        await run.send(evidence())

        assert len(await names(app)) == 2


async def test_a_message_whose_sender_leaves_is_accepted_with_its_files(app: App) -> None:
    run = await asked(app)
    send = app.store.send
    reached = asyncio.Event()

    async def slow(*given: Any, **more: Any) -> Message:  # noqa: ANN401 - as the store's
        reached.set()
        await asyncio.sleep(0.01)
        return await send(*given, **more)

    app.store.send = slow  # type: ignore[method-assign]
    sending = asyncio.ensure_future(run.answer("1", evidence()))  # noqa: TID251
    await reached.wait()
    sending.cancel()
    await asyncio.wait({sending})

    assert (await first(run, EventType.CHUNK))["text"] == "abc"


# A store that fails, and a process that is killed in between.


class FilesStore(MemoryStore):
    """A store with files on disk, which can fail behind an accepted message, or before it."""

    def __init__(self, files: Path) -> None:
        super().__init__()
        self.fault = ""
        self.blobs = FolderBlobs(files)  # type: ignore[assignment]

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        if self.fault == "before":
            raise StoreError("down")
        sent = await super().send(run_id, message, most=most, most_bytes=most_bytes)
        if self.fault == "behind":
            raise StoreError("down")
        return sent

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        if self.fault == "late":  # another process sends the same at this moment
            self.fault = ""
            return ()
        return await super().inbox(run_id, after, wait=wait)


async def test_the_same_message_from_two_processes_at_once_is_one(tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    async with opened(claims(App(store=store, timing=QUIET))) as app:
        run = await asked(app)
        known = await run.send(evidence(), key="k")

        store.fault = "late"
        again = await run.send(evidence(), key="k")
        store.fault = "late"
        with pytest.raises(KeyReused, match="another input"):
            await run.send(evidence(b"abd"), key="k")

        assert again == known
        assert len(await names(app)) == 1


@pytest.mark.parametrize(("fault", "left"), [("before", 0), ("behind", 1)])
async def test_after_a_failure_of_the_store_only_accepted_files_stay(
    fault: str, left: int, tmp_path: Path
) -> None:
    store = FilesStore(tmp_path)
    async with opened(claims(App(store=store, timing=QUIET))) as app:
        run = await asked(app)
        store.fault = fault
        with pytest.raises(StoreError, match="down"):
            await run.answer("1", evidence(), key="k")
        assert len(await names(app)) == 1

        await app.sweep()
        assert len(await names(app)) == left
        store.fault = ""
        await run.answer("1", evidence(), key="k")

        assert len(await names(app)) == 1


async def test_files_of_a_message_that_a_crash_cut_off_are_deleted_at_the_next_opening(
    tmp_path: Path,
) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    async with opened(claims(App(store=store, timing=QUIET))) as app:
        run = await asked(app)
        await run.answer("1", evidence())
        sending, left = (app.files.of_message(run.id, token) for token in ("b" * 22, "c" * 22))
        for files in (sending, left):
            await asyncio.to_thread(files.keep, [("sha", BytesIO(b"abc"))])
        left.release()

        await RunFiles(SQLiteStore(tmp_path / "runs.db")).remove_leftovers()
        assert len(await names(app)) == 2
        sending.release()
        await app.files.remove_leftovers()

        assert len(await names(app)) == 1
        assert from_json((await store.inbox(run.id, 0))[0].data)["files"] in (await names(app))[0]


async def test_files_without_a_lock_are_deleted_when_they_are_old() -> None:
    clock = MovingClock(now=SystemClock().now())
    store = MemoryStore()
    store.blobs = ObjectBlobs.at(f"memory://{uuid4().hex}", clock)  # type: ignore[assignment]
    files = RunFiles(store, clock)
    await asyncio.to_thread(files.of_input("r-left").keep, [("sha", BytesIO(b"abc"))])
    due = [files.is_search_due]

    await files.remove_leftovers()
    due.append(files.is_search_due)
    clock.advance(3600.0)
    due.append(files.is_search_due)
    await files.remove_leftovers()
    assert due == [True, False, True]
    assert await asyncio.to_thread(files.blobs.names) == ["r-left"]
    clock.advance(LEFT_AFTER)
    await files.remove_leftovers()

    assert await asyncio.to_thread(files.blobs.names) == []


class ForgetfulStore(MemoryStore):
    """A store that other processes share, and that keeps no files."""

    reach: ClassVar[Any] = "network"


async def test_a_store_that_cannot_hand_files_to_another_process_is_told_at_the_opening() -> None:
    app = claims(App(store=ForgetfulStore(), timing=QUIET))

    with pytest.raises(UsageError, match="claim: asks= or inbox= takes a file, which this store"):
        await app.open()


async def test_files_that_cannot_be_kept_are_the_stores_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")  # where the folder should be
    async with opened(claims(App(store=FilesStore(tmp_path / "file"), timing=QUIET))) as app:
        run = await asked(app)

        with pytest.raises(StoreError, match="Files cannot be kept"):
            await run.answer("1", evidence())

        assert await app.store.inbox(run.id, 0) == []
