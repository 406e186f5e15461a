"""The pages of `examples/web` in a real browser: in React, in Vue and without a framework."""

import pytest
from playwright.async_api import Page, expect

from tests.support.front import Front, answer_to, expect_status, names, press

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_import_moves_its_bar_to_the_result(page: Page, pages_url: str) -> None:
    front = await Front(page).open(pages_url)

    await front.start_import(30)
    await expect_status(front.imports, "done")

    await expect(front.imports.get_by_role("status")).to_have_text("30 imported, 0 skipped.")
    seen = await front.seen()
    assert len(seen) >= 5
    assert (seen, seen[-1]) == (sorted(seen), 100)
    assert await front.rows() == names(30)


async def test_another_tab_shows_the_import_and_stops_it(page: Page, pages_url: str) -> None:
    front = await Front(page).open(pages_url)
    await front.start_import(400)
    await front.wait_for_rows(5)
    other = await Front(await page.context.new_page()).open(pages_url)
    await other.wait_for_rows(5)

    await press(other.imports, "Stop")

    for each in (front, other):
        await expect_status(each.imports, "cancelled")
        await expect(each.imports.get_by_role("status")).to_have_text("Stopped.")
    rows = await front.rows()
    assert rows == names(len(rows))
    assert rows == await other.rows()


async def test_a_reload_continues_where_the_import_and_the_answer_are(
    page: Page, pages_url: str
) -> None:
    front = await Front(page).open(pages_url)
    await front.say("one two three four five six seven eight nine ten")
    await front.start_import(60)
    await front.wait_for_rows(10)
    before = await front.bar.get_attribute("value")

    await page.reload()
    await front.wait_for_rows(10)
    after = await front.bar.get_attribute("value")

    assert float(after or 0) >= float(before or 0) > 0
    await expect_status(front.imports, "done")
    assert await front.rows() == names(60)
    await expect(front.chat.locator(".answer")).to_have_text(
        answer_to("one two three four five six seven eight nine ten")
    )


async def test_a_run_that_the_server_has_forgotten_is_forgotten_by_the_page(
    page: Page, pages_url: str
) -> None:
    front = await Front(page).open(pages_url)
    await page.evaluate("localStorage.setItem('import', 'r'.repeat(21))")

    await page.reload()
    await page.wait_for_function("localStorage.getItem('import') === null")
    await page.reload()

    await expect_status(front.imports, "idle")


async def test_an_answer_is_stopped_and_keeps_its_words(page: Page, pages_url: str) -> None:
    front = await Front(page).open(pages_url)
    message = " ".join(names(200))
    await front.say(message)
    await expect(front.chat.locator(".answer")).to_contain_text("row5 ")

    await press(front.chat, "Stop")

    await expect_status(front.chat, "cancelled")
    said = await front.chat.locator(".answer").inner_text()
    assert said.startswith("“row1 row2 row3")
    assert answer_to(message).startswith(said.strip())


async def test_a_file_that_cannot_be_imported_is_refused_with_its_code(
    page: Page, pages_url: str
) -> None:
    front = await Front(page).open(pages_url)

    await front.import_file("first,last")

    await expect(front.imports.get_by_role("status")).to_have_text(
        "contacts.csv is not a CSV file with the columns name and email. (NOT_A_CSV)"
    )
    await expect_status(front.imports, "error")


async def test_errors_are_shown_next_to_their_fields_and_a_code_has_its_own_text(
    page: Page, pages_url: str
) -> None:
    front = await Front(page).open(pages_url)
    field, said = front.order.get_by_label, front.order.get_by_role("status")

    await field("Email").fill("nobody")
    await field("Quantity").fill("40")
    await press(front.order, "Order")

    await expect(field("Email")).to_have_attribute("aria-invalid", "true")
    await expect(front.order.locator("label", has_text="Email")).to_contain_text(
        "valid email address"
    )
    await expect(front.order.locator("label", has_text="Quantity")).to_contain_text("equal to 10")
    await expect(field("Product")).not_to_have_attribute("aria-invalid", "true")

    await field("Name").fill("Ada")
    await field("Email").fill("ada@example.com")
    await field("Quantity").fill("4")
    await field("Product").select_option("cocoa")
    await press(front.order, "Order")
    await expect(said).to_have_text("Sold out. Choose another product.")
    await expect(field("Email")).not_to_have_attribute("aria-invalid", "true")

    await field("Product").select_option("tea")
    await press(front.order, "Order")
    await expect(said).to_have_text("4 x tea for Ada")
