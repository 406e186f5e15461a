"""The guide to work that is not done twice: what its actions save and record."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import DOCS, blocks
from yieldwire import Actions

pytestmark = pytest.mark.usefixtures("modules")


@pytest.fixture
async def guide(modules: Path) -> AsyncIterator[dict[str, Any]]:
    """Run the guide's code, and open its application."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    for block in blocks(DOCS / "guides" / "do-not-do-it-twice.md", "python"):
        exec(compile(block.code, str(block), "exec"), namespace)  # noqa: S102 - the docs are ours
    actions: Actions = namespace["actions"]
    async with actions.lifespan():
        yield namespace
    assert (modules / "runs.db").exists()


async def test_every_row_is_inserted_once_and_its_place_saved(guide: dict[str, Any]) -> None:
    actions: Actions = guide["actions"]
    rows = [f"row {n}" for n in range(20)]

    run = await actions.start(guide["import_rows"], {"rows": rows})
    steps = [chunk["current"] async for chunk in run]

    assert steps == [*range(1, 21)]
    assert guide["inserted"] == rows


async def test_a_check_out_records_its_charge(guide: dict[str, Any]) -> None:
    actions: Actions = guide["actions"]

    run = await actions.start(guide["check_out"], {"cart": ["book", "pen"]})

    assert await run.result() == f"sent 2026-{run.id[-4:]}"
    recorded = await actions.app.store.saved(run.id)
    assert recorded["step:charge"] == b'{"number":"2026-%b","cents":200}' % run.id[-4:].encode()


async def test_a_report_is_written_from_what_was_loaded(guide: dict[str, Any]) -> None:
    actions: Actions = guide["actions"]

    run = await actions.start(guide["report"], {"month": "May"})

    assert "".join([chunk["text"] async for chunk in run]) == (
        "May, line 0\nMay, line 1\nMay, line 2\n"
    )


async def test_prices_are_fetched(guide: dict[str, Any]) -> None:
    actions: Actions = guide["actions"]

    run = await actions.start(guide["prices"], {"symbols": ["AB", "ABC"]})
    await run.result()

    assert (await run.snapshot())["text"] == "AB: 2\nABC: 3\n"
