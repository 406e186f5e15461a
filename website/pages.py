"""The pages of the site: the documents, and every file of the repository that they link to."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Final

FENCE: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
ROW: Final = re.compile(r"^\|.*$", re.MULTILINE)
CODE: Final = re.compile(r"(`+).+?\1")
LANGUAGES: Final = {
    ".conf": "nginx",
    ".css": "css",
    ".html": "html",
    ".js": "js",
    ".json": "json",
    ".py": "python",
    ".service": "ini",
    ".toml": "toml",
    ".ts": "ts",
    ".tsx": "tsx",
    ".vue": "html",
    ".yaml": "yaml",
}
PICTURES: Final = frozenset({".gif", ".png", ".svg", ".webp"})


def pages(root: Path) -> dict[str, str]:
    """Return the text of every page by its path, which is the path of its source.

    The pages are ``README.md``, everything in ``docs``, and what these link to, also indirectly.
    """
    found: dict[str, str] = {}
    waiting = ["README.md", *(str(page.relative_to(root)) for page in root.glob("docs/**/*.md"))]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = text = _page(root, path)
        if (root / path).is_file():
            waiting += (page for page in _linked(path, text) if page.endswith(".md"))
    return found


def _linked(path: str, text: str) -> Iterator[str]:
    for part in FENCE.split(text)[::2]:
        for match in LINK.finditer(part):
            yield _resolve(path, match[1])


def _resolve(path: str, target: str) -> str:
    """Return the path in the repository of a link's target on the page ``path``."""
    return normpath(PurePosixPath(path).parent / target)


def _page(root: Path, path: str) -> str:
    file = root / path
    if file.is_file():
        return _with_links_to_pages(root, path, file.read_text("utf-8"))
    if (source := root / path.removesuffix(".md")).is_file():
        return _showing(PurePosixPath(path).stem, [(source.name, source)])
    folder = file.parent
    return _showing(folder.name, [(str(each.relative_to(folder)), each) for each in _kept(folder)])


def _with_links_to_pages(root: Path, path: str, text: str) -> str:
    """Let links to source files and folders lead to the pages that show them."""

    def to_page(match: re.Match[str]) -> str:
        file = root / _resolve(path, match[1])
        if file.is_dir():
            return f"{match[0].rstrip('/')}/README.md"
        return match[0] if file.suffix in {".md", *PICTURES} else f"{match[0]}.md"

    parts = FENCE.split(text)
    parts[::2] = [ROW.sub(_without_escapes, LINK.sub(to_page, each)) for each in parts[::2]]
    return "".join(parts)


def _without_escapes(row: re.Match[str]) -> str:
    """Write ``|`` in the code of a table's row without the backslash, which only GitHub needs."""
    return CODE.sub(lambda code: code[0].replace(r"\|", "|"), row[0])


def _kept(folder: Path) -> list[Path]:
    """Return the files of a folder that have content, without those that Git does not know.

    An unpacked sdist has no Git; there, it is everything but caches.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the git of the checkout
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    files = [folder / name for name in listed.split("\0") if name] or [
        file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    ]
    return sorted(file for file in files if file.stat().st_size)


def _showing(title: str, files: list[tuple[str, Path]]) -> str:
    """Return a page that shows source files, and that searching does not find."""
    shown = [
        (f"## `{name}`\n\n" if len(files) > 1 else "")
        + f"````{LANGUAGES.get(file.suffix, 'text')}\n{file.read_text('utf-8')}````\n"
        for name, file in files
    ]
    return "\n".join(["---\nsearch:\n  exclude: true\n---\n", f"# `{title}`\n", *shown])


def navigation(index: str, generated: list[str]) -> list[object]:
    """Return the navigation that the index of the documents, ``docs/README.md``, describes.

    Args:
        index: The text of the index.
        generated: The paths of the pages that are generated from docstrings.
    """
    intro, *sections = re.split(r"^## ", index, flags=re.MULTILINE)
    tabs: list[object] = [{"Start": "README.md"}, {"Tutorial": _links(intro)}]
    for section in sections:
        title, _, body = section.partition("\n")
        first, *groups = re.split(r"^\*\*(.*)\*\*:$", body, flags=re.MULTILINE)
        named = zip(groups[::2], groups[1::2], strict=True)
        parts: list[object] = [*_links(first), *({name: _links(links)} for name, links in named)]
        if title == "Reference":
            parts.append({"From docstrings": generated})
        tabs.append({title: parts})
    return tabs


def _links(text: str) -> list[str]:
    return [_resolve("docs/README.md", match[1]) for match in LINK.finditer(text)]
