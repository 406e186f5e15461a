"""The statements and layouts of a database store, which are files next to its modules."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def statements(package: str) -> Mapping[str, str]:
    """Return the statements of a package's ``queries.sql`` by their names."""
    text = files(package).joinpath("queries.sql").read_text("utf-8")
    parts = re.split(r"^-- (\w+):.*\n(?:-- .*\n)*", text, flags=re.MULTILINE)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def layouts(package: str) -> Mapping[int, str]:
    """Return the scripts of a package's ``layout<version>.sql`` by version, in order.

    The first creates the tables, and each of the others changes the version before it. Processes
    of that version can be running meanwhile, and their statements must still work.
    """
    found = {
        int(match[1]): file.read_text("utf-8")
        for file in files(package).iterdir()
        if (match := re.fullmatch(r"layout(\d+)\.sql", file.name))
    }
    return dict(sorted(found.items()))
