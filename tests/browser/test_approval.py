"""A question to people: on the developer page, on the run's page, by a link and by programs."""

import asyncio
import os
import sys
from collections.abc import Iterator

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_followpage import SIDEWAYS
from tests.support.server import ROOT, announced

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = [sys.executable, "-m", "yieldwire.cli", "dev", "examples/approval.py"]
    with announced([*program, "--port", "0", "--no-reload"], ROOT, dict(os.environ)) as address:
        yield address.rstrip("/")


async def started(server: str, draft: str = "The ferry leaves at seven.") -> str:
    """Start a run that asks, and return its id once the question is open."""
    async with httpx2.AsyncClient(base_url=server, timeout=60) as client:
        headers = {"prefer": "respond-async"}
        run_id: str = (
            await client.post("/publish", json={"draft": draft}, headers=headers)
        ).json()["id"]
        after: object = 0
        while not (snapshot := await _snapshot(client, run_id, after))["questions"]:
            after = snapshot["seq"]
        return run_id


async def _snapshot(client: httpx2.AsyncClient, run_id: str, after: object) -> dict[str, object]:
    answer = await client.get(f"/runs/{run_id}?after={after}&wait=30")
    told: dict[str, object] = answer.json()
    return told


async def outcome(server: str, run_id: str) -> object:
    async with httpx2.AsyncClient(base_url=server, timeout=60) as client:
        after: object = 0
        while (snapshot := await _snapshot(client, run_id, after))["status"] == "running":
            after = snapshot["seq"]
        return snapshot["result"]


async def opened(browser: Browser, url: str, *, scripts: bool = True, phone: bool = False) -> Page:
    context = await browser.new_context(
        java_script_enabled=scripts,
        viewport=PHONE if phone else None,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    await page.goto(url)
    return page


async def test_a_question_is_open_on_every_page_until_one_of_them_answers(
    server: str, browser: Browser
) -> None:
    run_id = await started(server)
    run_page = f"{server}/runs/{run_id}"
    pages = [
        await opened(browser, f"{server}/#/run/{run_id}"),
        await opened(browser, run_page),
        await opened(browser, run_page, phone=True),
    ]
    questions = [page.locator("[data-role=question]") for page in pages]
    for question in questions:
        await expect(question).to_contain_text("Publish this?")
        await expect(question).to_contain_text("The ferry leaves at seven.")
    phone = pages[-1]

    await questions[-1].get_by_label("Publish it").check()
    await questions[-1].get_by_role("button", name="Answer").click()

    for question in questions:
        await expect(question).to_be_hidden()
    for page in pages:
        await expect(page.locator("main, article").first).to_contain_text("Published.")
    assert await phone.evaluate(SIDEWAYS) == 0
    assert await outcome(server, run_id) == "Published."
    for page in pages:
        await page.context.close()


async def test_what_is_being_written_stays_while_the_run_goes_on(
    server: str, browser: Browser
) -> None:
    run_id = await started(server)
    page = await opened(browser, f"{server}/runs/{run_id}")
    note = page.get_by_label("Note")
    await note.fill("Too early.")

    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await page.get_by_role("button", name="Answer").click()

    await expect(page.locator("[data-role=result]")).to_contain_text("Not published. Too early.")
    await page.context.close()


async def test_the_developer_page_answers_and_says_what_is_wrong(
    server: str, browser: Browser
) -> None:
    run_id = await started(server)
    page = await opened(browser, f"{server}/#/run/{run_id}")
    question = page.locator("[data-role=question]")
    await question.get_by_label("note").fill("n" * 201)

    await question.get_by_role("button", name="Answer").click()
    await expect(question.get_by_role("alert")).to_contain_text("at most 200 characters")
    await question.get_by_label("note").fill("No.")
    await question.get_by_role("button", name="Answer").click()

    await expect(question).to_be_hidden()
    assert await outcome(server, run_id) == "Not published. No."
    await page.context.close()


async def test_a_form_answers_without_scripts(server: str, browser: Browser) -> None:
    run_id = await started(server)
    page = await opened(browser, f"{server}/runs/{run_id}", scripts=False)

    await page.get_by_label("Publish it").check()
    await page.get_by_role("button", name="Answer").click()

    assert await outcome(server, run_id) == "Published."
    await expect(page).to_have_url(f"{server}/runs/{run_id}")
    await page.context.close()


async def test_a_link_answers_without_an_account(server: str, browser: Browser) -> None:
    run_id = await started(server)
    async with httpx2.AsyncClient(base_url=server) as client:
        text = (await client.get(f"/runs/{run_id}")).json()["text"]
    link = server + text.split()[-1].partition("/api/_actions")[2]
    page = await opened(browser, link, phone=True)

    await page.get_by_label("Publish it").check()
    await page.get_by_role("button", name="Answer").click()

    await expect(page.locator("h1")).to_have_text("Your answer was sent")
    assert await page.evaluate(SIDEWAYS) == 0
    assert await outcome(server, run_id) == "Published."
    again = await opened(browser, link)
    await expect(again.locator("main")).to_contain_text("no longer open")
    await page.context.close()
    await again.context.close()


async def test_the_terminal_answers(server: str) -> None:
    run_id = await started(server)
    command = [sys.executable, "-m", "yieldwire.cli", "answer", server, run_id, "approved=true"]

    answering = await asyncio.create_subprocess_exec(*command, cwd=ROOT)

    assert await answering.wait() == 0
    assert await outcome(server, run_id) == "Published."
