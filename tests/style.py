"""The words that the project's prose avoids, and what to write instead.

`make lint` runs this over the documents, and over docstrings, comments and messages::

    python -m tests.style

It checks whole files and not only their comments: the words are rare in code, and that needs no
parser for each language.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent

PLACES: Final = (
    "*.md",
    "Makefile",
    "pyproject.toml",
    "benchmarks/*.md",
    "benchmarks/*.toml",
    "changelog.d/*.md",
    "conformance/*.md",
    "docs/**/*.md",
    "examples/*.md",
    "examples/*.py",
    "examples/web/*.*",
    "examples/web/plain/*.*",
    "examples/web/react/*.*",
    "examples/web/react/src/*.*",
    "examples/web/vue/*.*",
    "examples/web/vue/src/*.*",
    "src/**/*.lua",
    "src/**/*.py",
    "src/**/*.sql",
    "src/**/static/*",
    "typescript/*.md",
    "tests/**/*.py",
    "website/*.*",
    "typescript/scripts/*",
    "typescript/src/**/*.ts",
    "typescript/test/**/*.ts",
)
"""The files that users and developers read, relative to the repository."""

UNCHECKED: Final = (
    "src/yieldwire/asgi/static/client.js",
    "src/yieldwire/devtools/static/marked.js",
    "tests/style.py",
    "tests/test_style.py",
)
"""Not checked: they are built, from sources that are checked or are not ours, or list the words."""

WORDS: Final = {
    r"(?<!there )\b(?:is|are|was|were|be) no\b(?! (?:longer|more|less|fewer|larger|later)\b)": (
        "'is not a'; only 'there is no' is plain"
    ),
    r"\bwho(?:so)?ever\b": "the reader, the caller, everyone who",
    r"\bwhose it is\b|\bwho asks\b": "the owner, the caller",
    r"\banew\b": "again; or restart, rebuild, reconnect",
    r"\bbesides?\b": "next to, in addition to",
    r"\bstands?\b|\bstood\b": "is, is shown, means",
    r"\bso many\b": "the number, as in 'wait `timeout` seconds'",
    r"\bshall\b": "must, will",
    r"\b(?:is|are) to be\b": "must be, will be",
    r"(?<!-)(?-i:\bmay\b)(?! (?:have \w+ed|be \w+ing|still|never)\b)": "can, must, is allowed to",
    r"\bparted\b": "separated",
    r"\blets? go of\b|\bleft alone\b|\bleaves? (?:it|them) alone\b": "releases, closes, ignores",
    r"\bas ever\b": "as usual",
    r"\bfor ever\b": "forever",
    r"\bg(?:o|oes|oing) on\b|\bwent on\b": "continue, keep running",
    r"\btaken up again\b": "resumed",
    r"\bbehind (?:its|the|a|their) cursor\b": "after the cursor",
    r"\bhea(?:r|rs|rd) of\b": "learns, gets, notices",
    r"\bnobody's\b": "without an owner",
    r"\ball the same\b": "anyway",
    r"\b(?:therein|thereof|wherein|whereby|hence|thus|upon(?! a time))\b": "a plain word",
    r"\b(?:simply|easily)\b": "the sentence without it",
    r"\be-mail\b": "email",
}
"""Regular expressions, and what to write instead. Only a small 'may' is found; MAY is RFC 2119."""

_FORBIDDEN: Final = [(re.compile(words, re.IGNORECASE), WORDS[words]) for words in WORDS]
_ANY: Final = re.compile(rf"(?<!\w)(?=\w)(?:{'|'.join(WORDS)})", re.IGNORECASE)
"""Any of them: most files have none, and one search finds that out."""
_CODE: Final = re.compile(r"(`+)[^`\n]+\1")
_LEADERS: Final = frozenset({"#", "//", "*", "--", ">", "-"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Words to replace, and where they are."""

    file: str
    line: int
    words: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words} → {self.instead}"


def findings(file: str, text: str) -> Iterator[Finding]:
    """Yield the avoided words in a file's ``text``; code spans of Markdown are ignored."""
    words: list[str] = []
    lines: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = (_CODE.sub("…", line) if file.endswith(".md") else line).split()
        found = found[1:] if found and found[0] in _LEADERS else found
        words += found
        lines += [number] * len(found)
    prose = " ".join(words)  # in one line, because a sentence can wrap anywhere
    if _ANY.search(prose) is None:
        return
    for pattern, instead in _FORBIDDEN:
        for match in pattern.finditer(prose):
            line_number = lines[prose.count(" ", 0, match.start())]
            yield Finding(file=file, line=line_number, words=match[0], instead=instead)


def check(files: Iterable[Path]) -> list[Finding]:
    """Return the findings in ``files``, in their order."""
    return [
        finding
        for path in files
        for finding in findings(str(path.relative_to(ROOT)), path.read_text("utf-8"))
    ]


def files_of_prose() -> list[Path]:
    """Return every file that is checked."""
    found = {path for place in PLACES for path in ROOT.glob(place) if path.is_file()}
    files = {path for path in found if "node_modules" not in path.parts}
    return sorted(files - {ROOT / built for built in UNCHECKED})


if __name__ == "__main__":
    report = check(files_of_prose())
    sys.stdout.writelines(f"{finding}\n" for finding in report)
    sys.exit(bool(report))
