"""The pages of `examples/web`, as somebody uses them."""

from typing import Final

from playwright.async_api import Locator, Page, expect

ANSWER: Final = "That is what you wrote. A real answer would come from a model, at about this pace."

WATCH_THE_BAR: Final = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const { value } = document.querySelector("progress");
        if (window.seen.at(-1) !== value) window.seen.push(value);
    }).observe(document.querySelector("progress"), {attributes: true});
}"""


class Front:
    """One of the pages, as somebody uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.imports, self.chat, self.news, self.order = (
            page.locator(f"#{name}") for name in ("import", "chat", "news", "order")
        )
        self.bar = self.imports.locator("progress")

    async def open(self, url: str) -> "Front":
        await self.page.goto(url)
        await expect(self.news.locator("li").first).to_be_visible()
        return self

    async def start_import(self, rows: int) -> None:
        lines = [f"{name},{name}@example.com" for name in names(rows)]
        await self.import_file("\n".join(["name,email", *lines]))

    async def import_file(self, text: str) -> None:
        file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": text.encode()}
        await self.imports.locator("input").set_input_files(file)  # type: ignore[arg-type]
        await self.page.evaluate(WATCH_THE_BAR)
        await press(self.imports, "Import")

    async def say(self, message: str) -> None:
        await self.chat.get_by_label("Message").fill(message)
        await press(self.chat, "Send")

    async def wait_for_rows(self, least: int) -> None:
        row = self.imports.locator(f"li[value='{least}']")
        await expect(row).to_be_attached()

    async def rows(self) -> list[str]:
        """Return the imported rows in the order in which they came."""
        return (await self.imports.locator("li").all_inner_texts())[::-1]

    async def seen(self) -> list[float]:
        """Return the values that the bar has had since the import was started here."""
        seen: list[float] = await self.page.evaluate("seen")
        return seen


def names(rows: int) -> list[str]:
    return [f"row{number}" for number in range(1, rows + 1)]


async def press(section: Locator, button: str) -> None:
    await section.get_by_role("button", name=button, exact=True).click()


async def expect_status(section: Locator, status: str) -> None:
    await expect(section).to_have_attribute("data-status", status)


def answer_to(message: str) -> str:
    return f"“{message}” {ANSWER}"
