"""What the guide to calling one action from another says holds."""

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType
from typing import cast

import pytest

from tests.docs.conftest import Load
from tests.support.runs import SOON
from yieldwire import ActionError, Actions
from yieldwire.actions.run import Run
from yieldwire.stores import Query


@pytest.fixture
async def guide(load: Load) -> AsyncIterator[Actions]:
    """The application of the guide, open."""
    files: dict[str, ModuleType] = load("call-one-action-from-another.md")
    actions = cast("Actions", files["app"].actions)
    async with actions.lifespan(), asyncio.timeout(SOON):
        yield actions


async def start(actions: Actions, action: str, /, **given: object) -> Run[object]:
    return await actions.start(actions.app.registry.action_named(action), given)


async def test_many_files_are_imported_with_the_progress_of_the_whole(guide: Actions) -> None:
    run = await start(guide, "import_files", names=["a.csv", "b.csv"])

    assert [(chunk["current"], chunk["total"]) async for chunk in run] == [(1, 2), (2, 2)]
    assert await run.result() == 6
    assert len(await guide.runs.find(Query(everyone=True, parent=run.id))) == 2


async def test_one_file_that_cannot_be_imported_fails_the_whole(guide: Actions) -> None:
    run = await start(guide, "import_files", names=["a.csv", "b.txt"])

    with pytest.raises(ActionError, match=r"b\.txt is not a CSV file"):
        await run.result()


async def test_the_chunks_and_the_result_of_a_child_are_passed_on(guide: Actions) -> None:
    run = await start(guide, "review", name="a.csv")

    assert [chunk["text"] async for chunk in run] == ["a.csv: 3 rows\n", "again: 3 rows\n"]


async def test_a_blocking_action_follows_runs_too(guide: Actions) -> None:
    run = await start(guide, "import_with_a_header", names=["a.csv", "b.csv", "c.csv"])

    chunks = [chunk.get("text", chunk.get("current")) async for chunk in run]
    assert chunks == ["a.csv: 3 rows\n", 1, 2]
    assert await run.result() == 9


async def test_a_run_in_the_background_has_an_id(guide: Actions) -> None:
    run = await start(guide, "import_in_the_background", name="a.csv")

    child = await guide.runs.get(cast("str", await run.result()))

    assert await child.result() == 3


async def test_children_with_keys_need_no_order(guide: Actions) -> None:
    run = await start(guide, "import_all", names=["a.csv", "b.csv"])

    assert await run.result() == 6
