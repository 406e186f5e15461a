"""Build the documentation site: ``python -m website VERSION FOLDER``, or ``make site``.

The site is built for one version, checked, and then put into ``FOLDER``, next to other versions.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from website.links import problems
from website.pages import navigation, pages
from website.reference import reference
from website.versions import publish

ROOT: Final = Path(__file__).parent.parent
WORK: Final = ROOT / "build" / "website"


def stage() -> None:
    """Write the pages and the configuration to where Zensical reads them."""
    shutil.rmtree(WORK, ignore_errors=True)
    generated = reference()
    for path, text in {**pages(ROOT), **generated}.items():
        file = WORK / "pages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    shutil.copy(ROOT / "website/style.css", WORK / "pages")
    shutil.copytree(ROOT / "docs/media", WORK / "pages/docs/media")
    config = ROOT.joinpath("website/zensical.toml").read_text("utf-8")
    nav = toml(navigation(ROOT.joinpath("docs/README.md").read_text("utf-8"), [*generated]))
    WORK.joinpath("zensical.toml").write_text(
        config.replace("[project]\n", f"[project]\nnav = {nav}\n", 1), "utf-8"
    )


def toml(value: object) -> str:
    """Return strings, lists and dictionaries as one line of TOML."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)} = {toml(field)}" for name, field in value.items())
        return f"{{ {', '.join(fields)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def main(version: str, folder: str) -> int:
    """Build, check and publish; a warning or a broken link fails."""
    stage()
    zensical = Path(sys.executable).with_name("zensical")
    built = subprocess.run(  # noqa: S603 - our own
        [zensical, "build", "--strict"],
        cwd=WORK,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    sys.stdout.write(built.stdout)
    if built.returncode or "griffe: " in built.stdout:  # a warning about a docstring
        return 1
    WORK.joinpath("site/404.html").unlink()  # servers know one only at their top
    found = problems(WORK / "site")
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    if not found:
        publish(WORK / "site", version, Path(folder))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
