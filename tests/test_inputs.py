"""Arguments are at hand where they were validated, and can be read again elsewhere."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from yieldwire.actions import Action, Options
from yieldwire.context import Context, RequestFacts
from yieldwire.errors import ValidationFailed
from yieldwire.inputs import Inputs
from yieldwire.run import RunRecord
from yieldwire.upload import Upload


async def act(n: int, file: Upload | None = None) -> None: ...


async def without_files(n: int) -> None: ...


ACTION: Action[..., Any, Any] = Action(act, Options())
CONTEXT = b'{"state":{"a":1},"request":{"method":"POST"}}'
CTX = Context(
    run_id="r1",
    action="act",
    owner=None,
    caller="c",
    request=RequestFacts(method="POST"),
    state={"a": 1},
)


def record(arguments: dict[str, Any]) -> RunRecord:
    data = ACTION.signature.dump(arguments)
    return RunRecord(id="r1", action="act", caller="c", input=data, context=CONTEXT)


async def test_arguments_are_at_hand_in_the_process_that_validated_them() -> None:
    inputs, arguments = Inputs(None), ACTION.signature.validate({"n": 3})
    await inputs.keep(record(arguments), CTX, ACTION, arguments)

    work = inputs.load(record(arguments), ACTION)

    assert work.arguments is arguments
    assert work.context == {"state": {"a": 1}, "request": RequestFacts(method="POST")}


async def test_another_process_reads_them_from_the_runs_record() -> None:
    arguments = ACTION.signature.validate({"n": 3})

    assert Inputs(None).load(record(arguments), ACTION).arguments == {"n": 3, "file": None}


async def test_another_process_finds_the_files_that_were_kept(tmp_path: Path) -> None:
    arguments = ACTION.signature.validate({"n": 3, "file": Upload(BytesIO(b"abc"))})
    await Inputs(tmp_path).keep(record(arguments), CTX, ACTION, arguments)

    work = Inputs(tmp_path).load(record(arguments), ACTION)

    upload = work.arguments["file"]
    assert isinstance(upload, Upload)
    assert upload.file.read() == b"abc"
    upload.close()


async def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    arguments = ACTION.signature.validate({"n": 3, "file": Upload(BytesIO(b"abc"))})

    with pytest.raises(ValidationFailed, match="not valid"):
        Inputs(tmp_path).load(record(arguments), ACTION)


async def test_forgetting_closes_and_deletes_files(tmp_path: Path) -> None:
    inputs, upload = Inputs(tmp_path), Upload(BytesIO(b"abc"))
    arguments = ACTION.signature.validate({"n": 3, "file": upload})
    await inputs.keep(record(arguments), CTX, ACTION, arguments)

    await inputs.forget("r1", ACTION)
    await inputs.forget("r1", ACTION)
    await inputs.forget("r1")

    assert upload.file.closed
    assert files_in(tmp_path) == []


async def test_an_action_without_files_touches_no_disk(tmp_path: Path) -> None:
    plain: Action[..., Any, Any] = Action(without_files, Options())
    inputs = Inputs(tmp_path / "absent")

    run = RunRecord(id="r1", action="act", caller="c", context=CONTEXT)
    await inputs.keep(run, CTX, plain, {"n": 3})
    await inputs.forget("r1", plain)

    assert files_in(tmp_path) == []


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
