"""A hundred thousand chunks into a React list in a real browser: it stays usable and ends right."""

import json
import subprocess
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.server import ROOT, ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = 100_000
KEPT = 1000
"""How many chunks `useStreamAction` keeps unless it is told otherwise."""
LONGEST_TASK_MS = 200
GROWTH_BYTES = 4_000_000
"""Half of what the rows take where anybody keeps them."""
PATIENCE_MS = 60_000

REACTS = {
    "React 18": ["--alias:react=react18", "--alias:react-dom=react-dom18"],
    "the newest React": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the page was like while the rows came, and what it shows in the end."""

    commits: int
    pictures: int
    heard: int
    is_in_order: bool
    longest_task_ms: float
    growth: int
    shown: str
    first: int
    lines: list[str]


@pytest.fixture(scope="module", params=list(REACTS))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ProcessServer:
    """Serve the page, with its script as a production build has it."""
    folder = tmp_path_factory.mktemp("rows")
    esbuild = ["node_modules/.bin/esbuild", "test/browser/rows.tsx", "--bundle", "--minify"]
    settings = ["--jsx=automatic", '--define:process.env.NODE_ENV="production"']
    target = [f"--outfile={folder}/rows.js", "--log-level=warning"]
    command = [*esbuild, *settings, *REACTS[request.param], *target]
    subprocess.run(command, cwd=ROOT / "typescript", check=True)
    return ProcessServer("tests.support.rows:app", folder / "log", {"BUNDLE": f"{folder}/rows.js"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(browser: Browser, server: ProcessServer) -> Seen:
    """Load the rows, and look at the page."""
    with server:
        async with await browser.new_context() as context:
            page = await context.new_page()
            await page.goto(f"{server.url}/#{COUNT}")
            await browser.start_tracing(page=page, categories=["toplevel"])
            before = await heap_of(page)
            await page.get_by_role("button").click()
            status, rows = page.get_by_role("status"), page.get_by_role("list")
            await expect(status).to_contain_text("done", timeout=PATIENCE_MS)
            counted = await page.evaluate("page")
            return Seen(
                commits=counted["commits"],
                pictures=counted["pictures"],
                heard=counted["heard"],
                is_in_order=counted["isInOrder"],
                longest_task_ms=longest_task_ms(await browser.stop_tracing()),
                growth=await heap_of(page) - before,
                shown=await status.inner_text(),
                first=int(await rows.get_attribute("start") or 1),
                lines=await rows.get_by_role("listitem").all_inner_texts(),
            )


async def heap_of(page: Page) -> int:
    """Return how many bytes scripts hold, with everything given back that nobody holds."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used: int = (await session.send("Runtime.getHeapUsage"))["usedSize"]
    await session.detach()
    return used


def longest_task_ms(trace: bytes) -> float:
    """Return how long the page's thread has worked at one task.

    That is processor time, which is the page's own: a task lasts longer where others want the
    processor too, and no page can help that.
    """
    events = json.loads(trace)["traceEvents"]
    threads = [event for event in events if event["name"] == "thread_name"]
    mains = {
        (event["pid"], event["tid"])
        for event in threads
        if event["args"]["name"] == "CrRendererMain"
    }
    works = [
        event["tdur"]
        for event in events
        if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in mains
        if "tdur" in event
    ]
    return float(max(works)) / 1000


async def test_a_list_is_committed_at_most_once_for_a_picture(seen: Seen) -> None:
    assert 1 < seen.commits <= seen.pictures


async def test_no_task_keeps_the_page_from_answering(seen: Seen) -> None:
    assert 1 < seen.longest_task_ms <= LONGEST_TASK_MS


async def test_memory_does_not_grow_with_what_has_come(seen: Seen) -> None:
    assert seen.growth < GROWTH_BYTES


async def test_every_chunk_is_called_out_once_and_in_order(seen: Seen) -> None:
    assert (seen.heard, seen.is_in_order) == (COUNT, True)


async def test_the_page_shows_the_newest_chunks_and_the_result(seen: Seen) -> None:
    newest = [f"Row {n} of {COUNT}" for n in range(COUNT - KEPT + 1, COUNT + 1)]

    assert seen.shown == f"done {COUNT} {COUNT}"
    assert seen.first == COUNT - KEPT + 1
    assert seen.lines == newest
