"""Runs that nobody wants any more, an origin that is refused, and files that are gone."""

import asyncio
import os
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from tests.support.server import ROOT, ThreadServer
from yieldwire import Actions, Result, Text, Upload

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = HTMLResponse(
    "<!doctype html><title>Runs</title><input type=file><script type=module src=/tabs.js></script>"
)
PATIENCE = 20.0


class Notes:
    """How often each thing has happened on the server, which is in another thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    def add(self, what: str) -> None:
        with self._changed:
            self._counts[what] += 1
            self._changed.notify_all()

    def count(self, what: str) -> int:
        with self._changed:
            return self._counts[what]

    async def reached(self, what: str, count: int) -> bool:
        """Return whether something happens that often, within the time that tests have."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: self._counts[what] >= count, PATIENCE)

        return await asyncio.to_thread(wait)


class Site:
    """A page with a client, and the actions that it calls."""

    def __init__(self, script: Path, notes: Notes) -> None:
        self._notes = notes
        routes = [
            Route("/", lambda _: PAGE),
            Route("/tabs.js", lambda _: FileResponse(script)),
            Mount("/api", new_actions(notes)),
        ]
        self._app = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        if scope.get("path", "").endswith("/hang/cancel"):
            self._notes.add("told")


def new_actions(notes: Notes) -> Actions:
    actions = Actions()

    @actions.action(linger=None)
    async def hang() -> AsyncIterator[Text]:
        notes.add("started")
        try:
            yield Text("a")
            await asyncio.Event().wait()
        finally:
            notes.add("ended")

    @actions.action
    async def load(file: Upload) -> AsyncIterator[Result[int]]:
        notes.add("started")
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
def notes() -> Notes:
    return Notes()


@pytest.fixture
def server(script: Path, notes: Notes) -> Iterator[ThreadServer]:
    with ThreadServer(Site(script, notes)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    async with await browser.new_context() as context:
        yield context


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, server: ThreadServer) -> Page:
    page = await context.new_page()
    await page.goto(server.url)
    await page.wait_for_function("Boolean(window.createClient)")
    return page


OBSERVED = """
    const sent = new Set(); // the keys of starts: what was not sent is not told
    const noted = (url, init) => {
        if (String(url).endsWith("/hang")) sent.add(init.headers.get("Idempotency-Key"));
        return fetch(url, init);
    };
    const observer = new RunObserver(createClient({ url: "/api", fetch: noted }).hang);
    const unsubscribe = observer.subscribe(() => undefined);
    const executed = [];
    for (let n = 0; n < 6; n++) {
        executed.push(observer.execute(action => action({})));
        await new Promise(resolve => setTimeout(resolve, 20));
    }
"""


@pytest.mark.parametrize("letting_go", ["await observer.stop()", "unsubscribe()"])
async def test_six_executes_that_are_let_go_offline_start_nothing_when_the_network_is_back(
    context: BrowserContext, page: Page, notes: Notes, letting_go: str
) -> None:
    await context.set_offline(True)

    statuses, sent = await page.evaluate(
        f"async () => {{ {OBSERVED} {letting_go};"
        " return [(await Promise.all(executed)).map(state => state.status), sent.size]; }"
    )
    await context.set_offline(False)

    assert statuses == ["cancelled"] * 6
    assert await notes.reached("told", sent)  # the network is back, and these keys are refused
    result: Any = await page.evaluate(
        "createClient({ url: '/api' }).load({ file: new File(['ab'], 'a') }).result()"
    )
    assert (result, notes.count("started")) == (2, 1)


async def test_six_executes_offline_start_one_run_when_the_network_is_back(
    context: BrowserContext, page: Page, notes: Notes
) -> None:
    await context.set_offline(True)
    sent = await page.evaluate(
        f"async () => {{ {OBSERVED} window.observer = observer; return sent.size; }}"
    )
    await context.set_offline(False)

    await page.wait_for_function("observer.snapshot().text === 'a'")
    assert await notes.reached("told", sent - 1)

    assert notes.count("started") == 1


async def test_runs_that_a_page_stops_as_it_goes_away_are_all_cancelled(
    page: Page, notes: Notes
) -> None:
    await page.evaluate(
        """async () => {
            const token = () => new Promise(resolve => setTimeout(resolve, 50, "t"));
            const { hang } = createClient({ url: "/api", token });
            const runs = Array.from({ length: 5 }, () => hang({}));
            for (const run of runs) for await (const _ of run) break;
            addEventListener("pagehide", () => runs.forEach(run => void run.stop()));
        }"""
    )

    await page.goto("about:blank")

    assert await notes.reached("ended", 5)


async def test_an_origin_that_cors_refuses_ends_a_call_and_says_so(
    context: BrowserContext, server: ThreadServer, script: Path, notes: Notes
) -> None:
    with ThreadServer(Site(script, notes)) as other:
        page = await context.new_page()
        await page.goto(other.url)
        await page.wait_for_function("Boolean(window.createClient)")

        failed: Any = await page.evaluate(
            """async url => {
                const { load } = createClient({ url, giveUpMs: 1000 });
                const file = new File(["a"], "a.txt");
                const error = await load({ file }).result().catch(error => error);
                return { code: error.code, message: error.message };
            }""",
            f"{server.url}/api",
        )

    assert failed["code"] == "UNREACHABLE"
    assert "or refuses this origin" in failed["message"]
    assert notes.count("started") == 0


@pytest.mark.parametrize("fate", ["deleted", "changed"])
async def test_a_file_that_is_gone_since_it_was_chosen_ends_the_call_at_once_and_says_so(
    page: Page, notes: Notes, tmp_path: Path, fate: str
) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("name\nAda\n")
    await page.set_input_files("input", path)
    if fate == "deleted":
        path.unlink()
    else:
        path.write_text("name\nAda\nBen\n")
        # Chromium compares the times of the last change, in whole seconds.
        later = path.stat().st_mtime + 10
        os.utime(path, (later, later))

    failed: Any = await page.evaluate(
        """async () => {
            const file = document.querySelector("input").files[0];
            const run = createClient({ url: "/api" }).load({ file });
            const error = await run.result().catch(error => error);
            return { code: error.code, message: error.message, connection: run.connection };
        }"""
    )

    assert (failed["code"], failed["connection"]) == ("FILE_UNREADABLE", "closed")
    assert "contacts.csv, choose it again" in failed["message"]
    assert notes.count("started") == 0
