"""The pages of the documentation, and the code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
DOCS: Final = ROOT / "docs"
PAGES: Final = [ROOT / "README.md", ROOT / "PROTOCOL.md", *sorted(DOCS.rglob("*.md"))]
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"# ([\w/]+)\.(py|toml)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str

    @property
    def file(self) -> str | None:
        """The file that the block is, as its first line says: ``# app.py``."""
        match = FILE.match(self.code)
        return f"{match[1]}.{match[2]}" if match else None

    @property
    def module(self) -> str | None:
        """The module that the block is the file of."""
        return self.file and self.file.removesuffix(".py").replace("/", ".")

    def write_in(self, folder: Path) -> None:
        """Write the file that the block is, if it is one."""
        if self.file is not None:
            file = folder / self.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.code, "utf-8")

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, language: str) -> Iterator[Block]:
    """Yield the blocks of a page in one language."""
    text = page.read_text("utf-8")
    for match in FENCE.finditer(text):
        if match[1] == language:
            line = text.count("\n", 0, match.start()) + 2
            yield Block(page=page, line=line, language=match[1], code=match[2])


def every_block(language: str) -> list[Block]:
    """Return the blocks of every page in one language."""
    return [block for page in PAGES for block in blocks(page, language)]


def code_spans(text: str) -> str:
    """Return everything that a page sets as code in its running text."""
    return "\n".join(re.findall(r"`([^`\n]+)`", FENCE.sub("", text)))
