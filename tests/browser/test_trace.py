"""A page's trace continues in the worker that executes its run."""

from pathlib import Path

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from tests.support.server import ThreadServer
from tests.support.spans import BROWSER, TRACE, TRACEPARENT, Spans, linked, parent
from yieldwire import Actions

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALL = """async (traceparent) => {
    const { createClient } = await import("/api/_actions/client.js");
    const actions = createClient({ url: "/api/_actions", headers: { traceparent } });
    return await actions.build({ pages: 2 }).result();
}"""


async def build(pages: int) -> int:
    return 2 * pages


def application(folder: Path, spans: Spans) -> Actions:
    actions = Actions(store=f"sqlite:///{folder / 'runs.db'}", hooks=[spans.tracing()])
    actions.action(queue="reports", linger=None)(build)
    return actions


async def empty(_: Request) -> HTMLResponse:
    return HTMLResponse("<!doctype html><link rel=icon href='data:,'><title>A page</title>")


async def test_a_trace_goes_from_a_page_to_the_attempt_in_a_worker(
    page: Page, tmp_path: Path
) -> None:
    spans = Spans()
    server, worker = [application(tmp_path, spans) for _ in range(2)]
    worker.app.working.take_from(["reports"])
    site = Starlette(
        routes=[Route("/", empty), Mount("/api/_actions", server)], lifespan=server.lifespan
    )

    async with worker.lifespan():
        with ThreadServer(site, actions=server) as served:
            await page.goto(served.url)
            result = await page.evaluate(CALL, TRACEPARENT)

    assert result == 4
    assert parent(spans.one("run build")) == (TRACE, BROWSER)
    assert linked(spans.one("read build")) == [(TRACE, BROWSER)]
