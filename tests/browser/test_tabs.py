"""The TypeScript client in real tabs: uploads, few connections, and tabs that share them."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.server import ROOT, ThreadServer
from yieldwire import Actions, Progress, Result, Text, Upload

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = HTMLResponse("<!doctype html><title>Tabs</title><script type=module src=/tabs.js></script>")
FEW_SECONDS = 8
COUNTED = [f"{number} " for number in range(1, 41)]


class Watched:
    """An application that notes which streams are open, and how many there ever were."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.open: list[str] = []
        self.opened: list[str] = []
        self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if not path.endswith(("/events", "/count")):
            await self._app(scope, receive, send)
            return
        self.open.append(path)
        self.opened.append(path)
        self.most = max(self.most, len(self.open))
        try:
            await self._app(scope, receive, send)
        finally:
            self.open.remove(path)


def new_actions() -> Actions:
    actions = Actions()

    @actions.action(linger=None)
    async def count(to: int = 40, pause: float = 0.05) -> AsyncIterator[Text | Result[int]]:
        for number in range(1, to + 1):
            yield Text(f"{number} ")
            await asyncio.sleep(pause)
        yield Result(to)

    @actions.action
    async def load(file: Upload) -> AsyncIterator[Progress | Result[int]]:
        yield Progress(1, total=1)
        yield Result(file.size)

    return actions


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("tabs") / "tabs.js"
    esbuild = ["node_modules/.bin/esbuild", "test/browser/tabs.ts", "--bundle", "--format=esm"]
    command = [*esbuild, f"--outfile={target}", "--log-level=warning"]
    subprocess.run(command, cwd=ROOT / "typescript", check=True)
    return target


@pytest.fixture
def watched(script: Path) -> Watched:
    routes = [
        Route("/", lambda _: PAGE),
        Route("/tabs.js", lambda _: FileResponse(script)),
        Mount("/api", new_actions()),
    ]
    return Watched(Starlette(routes=routes))


@pytest.fixture
def server(watched: Watched) -> Iterator[ThreadServer]:
    with ThreadServer(watched) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    async with await browser.new_context() as context:
        yield context


async def tab(context: BrowserContext, server: ThreadServer) -> Page:
    page = await context.new_page()
    await page.goto(server.url)
    await page.wait_for_function("Boolean(window.createClient)")
    return page


async def follow(page: Page, run: str) -> None:
    """Follow a run over a stream that tabs share; `seen` has its chunks, `end` its result."""
    await page.evaluate(
        """run => {
            const shared = { fetch: shareStreams(), maxStreams: Infinity };
            const client = createClient({ url: "/api", ...shared });
            window.seen = [];
            window.run = client.runs.attach(run);
            window.end = (async () => {
                for await (const chunk of window.run) seen.push(chunk.text);
                return await window.run.result();
            })();
        }""",
        run,
    )
    await page.wait_for_function("seen.length > 2")


async def start(page: Page, to: int = 40) -> str:
    run: str = await page.evaluate(
        "async to => (await createClient({ url: '/api' }).count.start({ to })).id", to
    )
    return run


async def test_a_call_that_learns_of_its_upload_streams_anyway(
    context: BrowserContext, server: ThreadServer
) -> None:
    page = await tab(context, server)

    heard: Any = await page.evaluate(
        """async () => {
            const sent = [];
            const file = new File([new Uint8Array(2_000_000)], "big.bin");
            const onUpload = (bytes, total) => sent.push(bytes / total);
            const run = createClient({ url: "/api" }).load({ file }, { onUpload });
            const chunks = [];
            for await (const chunk of run) chunks.push(chunk.percent);
            return { last: sent.at(-1), result: await run.result(), chunks };
        }"""
    )

    assert heard == {"last": 1, "result": 2_000_000, "chunks": [100]}


async def test_where_fetch_does_not_stream_another_transport_does(
    context: BrowserContext, server: ThreadServer
) -> None:
    page = await tab(context, server)

    heard: Any = await page.evaluate(
        """async () => {
            const run = createClient({ url: "/api" }).count({ to: 3 }, { transport: "xhr" });
            const texts = [];
            const times = [];
            for await (const { text } of run) texts.push(text), times.push(performance.now());
            return { texts, isLive: times[2] > times[0], result: await run.result() };
        }"""
    )

    assert heard == {"texts": ["1 ", "2 ", "3 "], "isLive": True, "result": 3}


async def test_ten_runs_at_once_leave_a_page_connections_for_everything_else(
    context: BrowserContext, server: ThreadServer, watched: Watched
) -> None:
    page = await tab(context, server)
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))

    answered: Any = await page.evaluate(
        """async () => {
            const { count } = createClient({ url: "/api" });
            const runs = Array.from({ length: 10 }, () => count({ to: 30 }));
            for await (const _ of runs[9]) break;
            const page = await fetch("/");
            const isGoing = runs.every(run => run.status !== "completed");
            const results = await Promise.all(runs.map(run => run.result()));
            return { status: page.status, isGoing, results };
        }"""
    )

    assert answered == {"status": 200, "isGoing": True, "results": [30] * 10}
    assert watched.most <= 6
    assert len(sockets) == 1  # for those that have no connection of their own


async def test_tabs_that_follow_one_run_share_one_connection(
    context: BrowserContext, server: ThreadServer, watched: Watched
) -> None:
    pages = [await tab(context, server) for _ in range(4)]
    run = await start(pages[0])

    for page in pages:
        await follow(page, run)

    ends = [await page.evaluate("end") for page in pages]
    assert ends == [40] * 4
    assert [await page.evaluate("seen") for page in pages] == [COUNTED] * 4
    assert [path for path in watched.opened if path.endswith("/events")] == [
        f"/api/runs/{run}/events"
    ]


# A row of "What happens when" in the docs.
async def test_when_the_tab_that_reads_is_closed_another_reads_on(
    context: BrowserContext, server: ThreadServer, watched: Watched
) -> None:
    pages = [await tab(context, server) for _ in range(3)]
    run = await start(pages[0])
    for page in pages:
        await follow(page, run)

    await pages[0].close()

    assert [await page.evaluate("end") for page in pages[1:]] == [40] * 2
    assert [await page.evaluate("seen") for page in pages[1:]] == [COUNTED] * 2
    assert sum(path.endswith("/events") for path in watched.opened) == 2


async def renderer_of(page: Page) -> int:
    """Return the process that runs a tab's scripts: the one that a script keeps busy."""
    browser = page.context.browser
    assert browser
    session = await browser.new_browser_cdp_session()

    async def times() -> dict[int, float]:
        told = await session.send("SystemInfo.getProcessInfo")
        return {
            process["id"]: process["cpuTime"]
            for process in told["processInfo"]
            if process["type"] == "renderer"
        }

    before = await times()
    await page.evaluate("() => { for (const end = Date.now() + 500; Date.now() < end; ); }")
    after = await times()
    await session.detach()
    return max(after, key=lambda pid: after[pid] - before.get(pid, after[pid]))


# A row of "What happens when" in the docs.
async def test_a_tab_that_is_suspended_while_it_reads_starves_no_other(
    context: BrowserContext, server: ThreadServer, watched: Watched
) -> None:
    pages = [await tab(context, server) for _ in range(3)]
    run = await start(pages[0], to=1000)
    for page in pages:
        await follow(page, run)
    suspended, *others = [await renderer_of(page) for page in pages]
    assert suspended not in others

    os.kill(suspended, signal.SIGSTOP)
    try:
        before: int = await pages[1].evaluate("seen.length")
        began = time.monotonic()
        for page in pages[1:]:
            await page.wait_for_function(f"seen.length > {before + 20}")  # no more is on its way
        starved = time.monotonic() - began
    finally:
        os.kill(suspended, signal.SIGCONT)
    await pages[0].wait_for_function(f"seen.length > {before + 40}")
    async with asyncio.timeout(FEW_SECONDS):
        while len(watched.open) > 1:  # noqa: ASYNC110 - the server says it, not an event
            await asyncio.sleep(0.05)

    assert starved < FEW_SECONDS
    for page in pages:
        seen: list[str] = await page.evaluate("seen")
        assert seen == [f"{number} " for number in range(1, len(seen) + 1)]
