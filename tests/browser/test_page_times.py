"""The developer page shows when events were written, also of what it did not see live."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.server import ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRECISION_MS: Final = 6
"""The list of events shows hundredths of a second."""
MISSED: Final = 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server


async def count(page: Page, url: str, to: int, pause: float) -> Locator:
    """Start a run and return its panel when it is named and has an event."""
    await page.goto(f"{url}/#/action/count")
    form = page.locator("form#action-form")
    await form.locator("[name=to]").fill(str(to))
    await form.locator("[name=pause]").fill(str(pause))
    await page.click("button#run")
    panel = page.locator("article[data-run^=r]").first
    await expect(panel.locator("[data-role=message]")).to_contain_text(f"of {to}")
    return panel


async def written(page: Page, url: str, panel: Locator) -> dict[int, float]:
    """Return how many milliseconds after the run's start the server wrote each event."""
    run_id = await panel.get_attribute("data-run")
    answer: Any = await (await page.request.get(f"{url}/runs/{run_id}?after=0&times=1")).json()
    start_ms = 1000 * datetime.fromisoformat(answer["startedAt"]).timestamp()
    return {event["seq"]: event["atMs"] - start_ms for event in answer["events"]}


async def wait_for(page: Page, url: str, panel: Locator, seq: int) -> None:
    """Return when the run's log has an event."""
    run_id, newest = await panel.get_attribute("data-run"), 0
    while newest < seq:
        answer = await page.request.get(f"{url}/runs/{run_id}?after={newest}&wait=30")
        newest = (await answer.json())["seq"]


async def shown(panel: Locator) -> dict[int, float]:
    """Return the times, in milliseconds, of the events in view."""
    texts: list[list[str]] = await panel.locator("[data-role=events] [data-seq]").evaluate_all(
        "rows => rows.map((row) => [row.dataset.seq, row.querySelector('.event-at').textContent])"
    )
    return {int(seq): 1000 * float(at.strip("+ s")) for seq, at in texts}


async def scrolled_to(panel: Locator, seq: int) -> dict[int, float]:
    """Return the times of the events around ``seq``; the list has elements only for these."""
    await panel.locator("[data-role=events]").evaluate(
        "(list, top) => list.scrollTop = top", 24 * seq
    )
    await expect(panel.locator(f"[data-seq='{seq}'] .event-at")).to_contain_text("s")
    return await shown(panel)


async def test_after_a_reload_events_have_the_times_when_they_were_written(
    server: ProcessServer, page: Page
) -> None:
    panel = await count(page, server.url, to=15, pause=0.1)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    true = await written(page, server.url, panel)

    await page.reload()
    await expect(panel.locator("[data-seq='16'] .event-at")).to_contain_text("s")

    assert await shown(panel) == pytest.approx(true, abs=PRECISION_MS)
    speed = (await panel.locator("[data-role=speed]").inner_text()).removesuffix("/s")
    assert float(speed) == pytest.approx(15_000 / (true[16] - true[1]), abs=0.2)
    bars = await panel.locator("svg.spark path").get_attribute("d") or ""
    assert bars.count("M") > 8


async def test_a_run_that_has_ended_has_the_same_times_before_a_reload_and_after(
    server: ProcessServer, page: Page
) -> None:
    panel = await count(page, server.url, to=15, pause=0.1)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    true = await written(page, server.url, panel)

    exact = f"+{true[16] / 1000:.2f} s"
    await expect(panel.locator("[data-seq='16'] .event-at")).to_have_text(exact)
    before = await shown(panel)
    await page.reload()
    await expect(panel.locator("[data-seq='16'] .event-at")).to_have_text(exact)

    assert before == await shown(panel)


async def test_after_a_resume_missed_events_have_the_times_when_they_were_written(
    server: ProcessServer, page: Page
) -> None:
    panel = await count(page, server.url, to=40, pause=0.1)
    await panel.locator("[data-role=detach]").click()
    await expect(panel.locator("[data-role=status]")).to_have_text("running, detached")
    seen = max(await shown(panel)) + 2  # as far as it has arrived, but is not drawn yet
    await wait_for(page, server.url, panel, seen + MISSED)

    await panel.locator("[data-role=detach]").click()
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    true = await written(page, server.url, panel)

    times = await scrolled_to(panel, seen + 1)
    missed = {seq: at for seq, at in true.items() if seen < seq <= seen + MISSED}
    assert {seq: times[seq] for seq in missed} == pytest.approx(missed, abs=PRECISION_MS)


async def test_after_a_lost_connection_missed_events_have_their_times_too(
    server: ProcessServer, page: Page
) -> None:
    async with ChaosProxy(server.port, lambda _: HEALTHY) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        panel = await count(page, url, to=40, pause=0.1)
        await page.context.set_offline(True)
        proxy.drop_all()
        seen = max(await shown(panel)) + 2  # as far as it has arrived, but is not drawn yet
        await wait_for(page, server.url, panel, seen + MISSED)

        await page.context.set_offline(False)
        await expect(panel.locator("[data-role=status]")).to_have_text("completed")
        true = await written(page, url, panel)

        times = await scrolled_to(panel, seen + 1)
    missed = {seq: at for seq, at in true.items() if seen < seq <= seen + MISSED}
    assert {seq: times[seq] for seq in missed} == pytest.approx(missed, abs=PRECISION_MS)
