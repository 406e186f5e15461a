"""The example project of each host framework, in a browser: sign in, import, ask."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from examples.local_model import Answer, LocalModel
from tests.support.hosts import FOLDER, HOSTS, environment, run, serving
from tests.support.server import ThreadServer, announced

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """A model that repeats what it was asked, in pieces."""

    def repeat(asked: dict[str, Any]) -> Answer:
        return Answer(words=asked["messages"][-1]["content"].splitlines(keepends=True))

    server = LocalModel(answer=repeat)
    with ThreadServer(server.app) as served:
        yield f"{served.url}/v1"


@pytest.fixture(scope="module", params=HOSTS)
def address(
    request: pytest.FixtureRequest, model: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The project of a host, as its reader serves it."""
    host = request.param
    env = {
        **environment(host, tmp_path_factory.mktemp(host)),
        "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "none is needed",
    }
    if host == "django":
        run(host, env, "manage.py", "migrate")
    with announced(serving(host), FOLDER / host, env) as address:
        yield address


async def test_a_user_signs_in_imports_notes_with_progress_and_asks_about_them(
    page: Page, address: str
) -> None:
    await page.goto(address)
    await page.get_by_label("Name").fill("ada")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("status")).to_have_text("Signed in as ada.")

    await page.get_by_label("Notes").fill("Buy tea.\nBuy milk.")
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("status")).to_have_text("2 notes imported.")
    assert await page.get_by_label("Import").get_attribute("value") != "0"

    await page.get_by_label("Question").fill("What do I need?")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("#answer")).to_have_text("Buy tea.\nBuy milk.\nWhat do I need?")


async def test_who_has_not_signed_in_is_told_so(page: Page, address: str) -> None:
    await page.goto(address)

    await page.get_by_label("Notes").fill("Buy tea.")
    await page.get_by_role("button", name="Import").click()

    await expect(page.get_by_role("status")).not_to_be_empty()
