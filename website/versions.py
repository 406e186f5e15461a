"""The versions of the site: one folder each, and a list from which a reader of the site chooses.

The layout is that of mike, which the theme knows: ``versions.json`` lists the folders.
"""

import json
import shutil
from pathlib import Path

REDIRECT = """<!doctype html>
<meta charset="utf-8">
<title>Yieldwire</title>
<meta http-equiv="refresh" content="0; url={folder}/">
<a href="{folder}/">Yieldwire {folder}</a>
"""


def publish(built: Path, version: str, folder: Path) -> None:
    """Put a built site into ``folder`` as one of its versions, in place of an earlier build of it.

    The start page of ``folder`` leads to the latest release; without one, to what is there.
    """
    shutil.rmtree(folder / version, ignore_errors=True)
    shutil.copytree(built, folder / version)
    versions = sorted((each.parent.name for each in folder.glob("*/index.html")), key=_order)
    latest = versions[-1]
    listed = [
        {"version": each, "title": each, "aliases": ["latest"] if each == latest else []}
        for each in reversed(versions)
    ]
    folder.joinpath("versions.json").write_text(json.dumps(listed), "utf-8")
    folder.joinpath("index.html").write_text(REDIRECT.format(folder=latest), "utf-8")


def _order(version: str) -> list[int]:
    """Return the place of a version among others; one without numbers comes before releases."""
    numbers = version.split(".")
    return [int(number) for number in numbers] if all(map(str.isdecimal, numbers)) else []
