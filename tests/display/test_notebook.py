"""A notebook shows runs and loops in the outputs of its cells, and updates them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import Serve
from yieldwire import Actions, Use, track
from yieldwire.display.notebook import html_of, html_of_run
from yieldwire.display.progress import ShownProgress

SETUP = """
import asyncio
from collections.abc import AsyncIterator
from pydantic import BaseModel
from yieldwire import ActionError, Actions, Context, Progress, Text, track
from yieldwire.client import AsyncClient, Client

actions = Actions()
may_end = asyncio.Event()

@actions.action
async def tidy(names: list[str]) -> AsyncIterator[Text | Progress]:
    async for name in track(names, lambda name: f"tidying {name}"):
        yield Text(f"{name}, ")
    await may_end.wait()
    raise ActionError("STUCK", "The <drawer> is stuck.")
"""
SHOWN = """
run = await actions.start(tidy, names=["<i>a</i>", "b"])
run
"""
ENDED = """
may_end.set()
try:
    await run.result()
except ActionError as error:
    print(error.code)
"""
REMOTE = """
client = AsyncClient("{url}")
await client.start("count", {{"to": 2}})
"""
BLOCKING = """
blocking = Client("{url}")
blocking.start("count", {{"to": 3}})
"""
WAITED = """
from yieldwire.display.following import _CELLS
await client.call("release")
while len(_CELLS):
    await asyncio.sleep(0.01)
"""
WAITING = """
print(await (await client.start("count", {"to": 4})).show())
await client.aclose()
blocking.close()
"""
LOOP = """
for name in track("ab", "<spelling>"):
    pass
"""


@pytest.fixture
def actions() -> Actions:
    actions = Actions()

    @actions.resource
    async def may_end() -> AsyncIterator[asyncio.Event]:
        yield asyncio.Event()

    @actions.action
    async def count(to: int, may_end: Annotated[asyncio.Event, Use(may_end)]) -> int:
        async for _ in track(range(to)):
            pass
        await may_end.wait()
        return to

    @actions.action
    async def release(may_end: Annotated[asyncio.Event, Use(may_end)]) -> None:
        may_end.set()

    return actions


def shown(cell: Any) -> list[str]:  # noqa: ANN401 - a node of a notebook
    """Return what a cell shows, as text."""
    return [output.get("text") or output.data["text/plain"] for output in cell.outputs]


# What is told between two cells is lost on nbclient, but not on a browser: so the runs end in a
# cell that waits for that.
def test_cells_show_runs_and_loops_until_they_have_ended(serve: Serve, actions: Actions) -> None:
    url = serve(actions).url
    cells = [SETUP, SHOWN, ENDED, REMOTE, BLOCKING, WAITED, WAITING, LOOP]
    sources = [cell.format(url=url) if "{url}" in cell else cell for cell in cells]
    made: Any = nbformat.v4
    notebook = made.new_notebook(cells=[*map(made.new_code_cell, sources)])

    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()

    outputs = dict(zip(cells, map(shown, notebook.cells), strict=True))
    (own,) = notebook.cells[1].outputs
    assert outputs[SHOWN] == [
        "tidy failed\n100 %, 2 of 2, tidying b\nSTUCK: The <drawer> is stuck.\n<i>a</i>, b, "
    ]
    assert "STUCK: The &lt;drawer&gt; is stuck." in own.data["text/html"]
    assert "<i>" not in own.data["text/html"]
    assert outputs[ENDED] == ["STUCK\n"]
    assert outputs[REMOTE] == ["count completed\n100 %, 2 of 2"]
    assert outputs[BLOCKING] == ["count completed\n100 %, 3 of 3"]
    assert outputs[WAITING] == ["count completed\n100 %, 4 of 4", "4\n"]
    assert outputs[LOOP] == ["100 %, 2 of 2, <spelling>"]


def test_nothing_of_a_run_becomes_markup() -> None:
    progress = ShownProgress(1, None, None, "<b>half</b>")

    html = html_of_run("<a>", "<b>", progress, ["<c>"], "<d>\x1b[31m")

    assert "<progress" in html_of(progress)
    assert "value=" not in html_of(progress)
    for part in ("&lt;a&gt;", "&lt;b&gt;", "&lt;b&gt;half", "&lt;c&gt;", "&lt;d&gt;�"):
        assert part in html
