"""Arguments are at hand where they were validated, and can be read again elsewhere."""

import asyncio
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from tests.support.descriptors import open_files
from tests.support.runs import opened, outcome
from yieldwire.actions.action import Action, Options
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.errors import StoreError, ValidationFailed
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord
from yieldwire.runs.files import RunFiles
from yieldwire.runs.inputs import Inputs, NewRun
from yieldwire.stores import Admission
from yieldwire.stores.blobs import FolderBlobs
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore


async def act(n: int, file: Upload | None = None) -> None: ...


async def without_files(n: int) -> None: ...


ACTION: Action[..., Any, Any] = Action(act, Options())
PLAIN: Action[..., Any, Any] = Action(without_files, Options())


class FilesStore(MemoryStore):
    """A memory store with a folder for files, as one has that outlives its process."""

    def __init__(self, files: Path | None) -> None:
        super().__init__()
        self.blobs = None if files is None else FolderBlobs(files)  # type: ignore[assignment]


async def started(
    inputs: Inputs, data: dict[str, Any], action: Action[..., Any, Any] = ACTION
) -> NewRun:
    ctx = Context(
        run_id="r1",
        action=action.name,
        owner=None,
        quota_key="c",
        request=RequestFacts(method="POST"),
        state={"a": 1},
    )
    return await inputs.read(action, ctx, data, detached=False)


async def anything(value: object, files: list[Upload]) -> None: ...


ANYTHING: Action[..., Any, Any] = Action(anything, Options())


@pytest.mark.parametrize("place", ["itself", "nested"])
async def test_a_file_where_none_is_declared_is_refused_and_closed(place: str) -> None:
    stray, declared = Upload(BytesIO(b"a")), Upload(BytesIO(b"b"))
    value = stray if place == "itself" else {"a": [stray]}

    with pytest.raises(ValidationFailed) as refusal:
        await started(
            Inputs(RunFiles(MemoryStore())), {"value": value, "files": [declared]}, ANYTHING
        )

    assert "declare an Upload" in str(refusal.value.field_errors)
    assert stray.file.closed
    assert declared.file.closed


@pytest.mark.parametrize("value", [10**4300, [{"a": -(10**5000)}]], ids=["long", "within"])
async def test_an_input_that_could_not_be_read_again_is_refused(value: object) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await started(Inputs(RunFiles(MemoryStore())), {"value": value, "files": []}, ANYTHING)

    assert refusal.value.field_errors == {
        "_root": ["The input has a number of more than 4300 digits."]
    }


async def test_arguments_are_at_hand_in_the_process_that_validated_them() -> None:
    start = await started(Inputs(RunFiles(MemoryStore())), {"n": "3"})

    _, work = start.take()

    assert work is not None
    assert work.arguments == {"n": 3, "file": None}
    assert work.context == {"state": {"a": 1}, "request": RequestFacts(method="POST")}
    assert from_json(start.record.input) == {"n": 3, "file": None}


async def test_another_process_reads_them_from_the_runs_record() -> None:
    inputs = Inputs(RunFiles(MemoryStore()))
    start = await started(inputs, {"n": 3})

    work = inputs.load(start.record, ACTION)

    assert work.arguments == {"n": 3, "file": None}
    assert work.context == {"state": {"a": 1}, "request": RequestFacts(method="POST")}


async def test_another_process_finds_the_files_that_were_kept(tmp_path: Path) -> None:
    start = await started(Inputs(RunFiles(FilesStore(tmp_path))), {"n": 3, "file": BytesIO(b"abc")})
    await start.keep()
    start.close()
    before = open_files()

    work = Inputs(RunFiles(FilesStore(tmp_path))).load(start.record, ACTION)

    upload = work.arguments["file"]
    assert isinstance(upload, Upload)
    assert upload.file.read() == b"abc"
    work.close()
    assert upload.file.closed
    assert open_files() == before


async def test_a_file_is_only_opened_when_it_is_needed(tmp_path: Path) -> None:
    inputs = Inputs(RunFiles(FilesStore(tmp_path)))
    start = await started(inputs, {"n": 3, "file": Upload(BytesIO(b"abc"))})

    work = inputs.load(start.record, ACTION)  # although it does not exist

    upload = work.arguments["file"]
    assert (upload.size, upload.sha256()) == (3, sha256(b"abc").hexdigest())
    with pytest.raises(FileNotFoundError, match=upload.sha256()):
        upload.fetch()
    work.close()
    with pytest.raises(ValueError, match="closed file"):
        upload.file.read()


async def test_a_record_that_no_longer_matches_the_action_is_refused(tmp_path: Path) -> None:
    inputs = Inputs(RunFiles(FilesStore(tmp_path)))
    start = await started(inputs, {"n": 3, "file": Upload(BytesIO(b"abc"))})
    changed = start.record.changed(input=b'{"n": 3, "file": "abc"}')

    with pytest.raises(ValidationFailed, match="not valid"):
        inputs.load(changed, ACTION)


async def test_a_start_that_is_dropped_closes_and_deletes_files(tmp_path: Path) -> None:
    upload, before = Upload(BytesIO(b"abc")), open_files()
    start = await started(Inputs(RunFiles(FilesStore(tmp_path))), {"n": 3, "file": upload})
    await start.keep()
    assert files_in(tmp_path) == [tmp_path / "r1"]

    await start.drop()
    await start.drop()

    assert upload.file.closed
    assert files_in(tmp_path) == []
    assert open_files() == before


async def test_a_start_that_is_closed_leaves_what_the_run_can_need(tmp_path: Path) -> None:
    upload, before = Upload(BytesIO(b"abc")), open_files()
    start = await started(Inputs(RunFiles(FilesStore(tmp_path))), {"n": 3, "file": upload})
    await start.keep()

    start.close()

    assert upload.file.closed
    assert files_in(tmp_path) == [tmp_path / "r1"]
    assert open_files() == before


async def test_files_that_cannot_be_written_are_the_stores_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")  # where the folder should be
    start = await started(
        Inputs(RunFiles(FilesStore(tmp_path / "file"))), {"n": 3, "file": BytesIO(b"a")}
    )

    with pytest.raises(StoreError, match="Files cannot be kept"):
        await start.keep()
    await start.drop()


async def test_an_input_without_files_touches_no_disk(tmp_path: Path) -> None:
    inputs = Inputs(RunFiles(FilesStore(tmp_path / "absent")))

    for action in (PLAIN, ACTION):
        start = await started(inputs, {"n": 3}, action)
        await start.keep()
        await inputs.files.forget([start.record.id])
        await start.drop()
    await inputs.files.forget(["r1"])
    await inputs.files.remove_leftovers()

    assert files_in(tmp_path) == []


# A store that fails while it is asked to keep a run.


class SilentStore(FilesStore):
    """A store that cannot be asked, or is cancelled while it is."""

    error: type[BaseException] = StoreError

    async def get(self, run_id: str, /) -> RunRecord:
        raise self.error("no answer")


async def test_a_run_that_was_kept_though_the_store_failed_is_found(tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    start = await started(Inputs(RunFiles(store)), {"n": 3, "file": BytesIO(b"a")})
    await start.keep()
    await store.create(start.record, Admission())

    kept = await Inputs(RunFiles(store)).find_after(StoreError("full"), start)

    assert kept.id == "r1"
    assert files_in(tmp_path) == [tmp_path / "r1"]
    await start.drop()


async def test_a_run_that_was_not_kept_leaves_no_file(tmp_path: Path) -> None:
    inputs, upload = Inputs(RunFiles(FilesStore(tmp_path))), Upload(BytesIO(b"a"))
    start = await started(inputs, {"n": 3, "file": upload})
    await start.keep()

    with pytest.raises(StoreError, match="full"):
        await inputs.find_after(StoreError("full"), start)

    assert upload.file.closed
    assert files_in(tmp_path) == []
    assert not inputs.files.has_doubts


@pytest.mark.parametrize("error", [StoreError, asyncio.CancelledError])
async def test_files_stay_while_it_is_unknown_whether_their_run_was_kept(
    error: type[BaseException], tmp_path: Path
) -> None:
    store, upload = SilentStore(tmp_path), Upload(BytesIO(b"a"))
    store.error = error
    inputs = Inputs(RunFiles(store))
    start = await started(inputs, {"n": 3, "file": upload})
    await start.keep()

    with pytest.raises(error, match=r"full|no answer"):
        await inputs.find_after(StoreError("full"), start)

    assert upload.file.closed
    assert files_in(tmp_path) == [tmp_path / "r1"]
    assert inputs.files.has_doubts


# What a crash has left.


async def test_files_of_unknown_runs_are_deleted_but_for_those_of_a_start(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    inputs, folder = Inputs(RunFiles(store)), tmp_path / "runs.db-files"
    start = await started(inputs, {"n": 3, "file": BytesIO(b"abc")})
    await start.keep()
    for n in range(300):
        (folder / f"r-left-{n}").mkdir()
        (folder / f"r-left-{n}" / "file").write_bytes(b"abc")

    await inputs.files.remove_leftovers()
    assert files_in(folder) == [folder / "r1"]
    await store.create(start.record, Admission())
    start.close()
    await inputs.files.remove_leftovers()
    assert files_in(folder) == [folder / "r1"]
    await store.request_cancel("r1", "requested")
    await store.purge("r1")
    await inputs.files.remove_leftovers()

    assert files_in(folder) == []
    await store.close()


async def test_a_place_that_takes_no_files_refuses_those_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "runs.db-files").write_bytes(b"no folder")
    async with opened(App(store=f"sqlite:///{tmp_path / 'runs.db'}")) as app:
        plain, taking_files = app.action(without_files), app.action(act)

        heard = await outcome(await app.start(plain, {"n": 1}))
        with pytest.raises(StoreError, match="Files cannot be kept: Not a directory"):
            await app.start(taking_files, {"n": 1, "file": BytesIO(b"abc")})

    assert heard.events[-1].type is EventType.DONE


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
