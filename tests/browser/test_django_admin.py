"""Runs in Django, in a browser: in a template, and in the admin."""

import os
import re
import sys
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.support.djangoproject import manage, project_of_guide, run
from tests.support.server import announced

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),  # many processes, each of which imports Django
]

ACTION = '''

@actions.action(linger=None)
async def print_labels(ctx: Context, name: str) -> AsyncIterator[Text | Progress]:
    """Print labels until the run is cancelled."""
    async for page in track([1, 2], "printing <labels>"):
        yield Text(f"Page {page} for {name}. ")
        await asyncio.Event().wait()
'''
IMPORTS = """import asyncio
from collections.abc import AsyncIterator
from yieldwire import Text, track
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The project of the guide, with an administrator and an action that ends when it is told."""
    project = project_of_guide(tmp_path_factory.mktemp("django"))
    actions = project / "contacts/actions.py"
    actions.write_text(IMPORTS + actions.read_text() + ACTION)
    manage(project, "migrate")
    password = {"DJANGO_SUPERUSER_PASSWORD": "secret"}
    user = ["--username", "ada", "--email", "ada@example.com"]
    run(project, "manage.py", "createsuperuser", "--noinput", *user, environment=password)
    command = [sys.executable, "manage.py", "yieldwire", "dev", "--no-reload", "--port", "0"]
    with announced(command, project, dict(os.environ)) as address:
        yield address.removesuffix("/")


async def test_runs_are_shown_in_a_template_and_cancelled_there_and_in_the_admin(
    page: Page, address: str
) -> None:
    async def start(name: str) -> str:
        script = """async (name) => (await (await fetch("/api/_actions/print_labels", {
            method: "POST",
            headers: { "content-type": "application/json", prefer: "respond-async" },
            body: JSON.stringify({ name }),
        })).json()).id"""
        run_id: str = await page.evaluate(script, name)
        return run_id

    await page.goto(f"{address}/admin/")
    await page.get_by_label("Username").fill("ada")
    await page.get_by_label("Password").fill("secret")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="Runs")).to_be_visible()
    first, second = await start("Ben"), await start("Cy")

    await page.goto(f"{address}/imports/{first}/")
    shown = page.locator(".yieldwire-run")
    await expect(shown).to_contain_text("Page 1 for Ben.")
    await expect(shown).to_contain_text("printing <labels>")
    await expect(page).to_have_title("Import")
    await expect(page.get_by_role("link")).to_have_count(0)
    await page.get_by_role("button", name="Stop").click()
    await expect(shown).to_contain_text("The run was cancelled.")

    await page.goto(f"{address}/admin/yieldwire/run/")
    await page.get_by_role("link", name="running").click()
    rows = page.locator("#result_list tbody tr")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("0 %, 0 of 2, printing <labels>")
    await page.get_by_role("link", name="print_labels", exact=True).first.click()
    await expect(page.get_by_label("Text")).to_have_value("Page 1 for Cy. ")
    await page.get_by_role("button", name="Cancel run").click()
    await expect(page.get_by_text("1 run was asked to stop.")).to_be_visible()
    await expect(page.get_by_label("Error")).to_have_value(re.compile("CANCELLED"))

    await page.goto(f"{address}/imports/{second}/")
    await expect(shown).to_contain_text("Stopped")
    await page.goto(f"{address}/admin/")
    await expect(page.locator("#recent-actions-module")).to_contain_text(second)


async def test_an_id_in_a_template_names_a_run_and_no_other_page_of_the_origin(
    page: Page, address: str
) -> None:
    other = "<main data-run='x' data-status='completed'>any other page</main>"
    await page.route("**/other", lambda route: route.fulfill(body=other, content_type="text/plain"))

    await page.goto(f"{address}/admin/")
    await page.evaluate(
        """async (id) => {
            document.body.append(document.createElement("div"));
            document.body.lastChild.dataset.embed = id;
            await import(`/api/_actions/follow.js?run=${encodeURIComponent(id)}`).catch(() => {});
        }""",
        "../../../other",
    )

    await expect(page.locator("[data-embed]")).to_contain_text("The run cannot be shown")
