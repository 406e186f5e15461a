"""Import a CSV file into SQLite, with a progress bar and a summary at the end.

The action is ordinary blocking code, a generator that waits for the disk: it runs in its own
thread, and stops between two batches when somebody presses Stop. When its server is killed, the
next one continues at the row that was saved last.

Run it from the top of the repository; ``pip install airportsdata`` installs a file to import::

    yieldwire dev examples/import_airports.py
    yieldwire call examples/import_airports.py import_airports file=@airports.csv
"""

import csv
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

from pydantic import Field

from yieldwire import ActionError, Actions, Context, Progress, Result, Upload

DATABASE = Path(os.environ.get("AIRPORTS_DATABASE", "airports.db"))
COLUMNS = ("icao", "name", "city", "country", "elevation", "lat", "lon")
BATCH = 100  # rows in one transaction, and in one step of the progress bar

CREATE = """
    CREATE TABLE IF NOT EXISTS airports (
        icao TEXT PRIMARY KEY, name TEXT, city TEXT, country TEXT,
        elevation REAL, lat REAL, lon REAL
    )
"""
# An existing airport is replaced, so importing a file twice does no harm.
INSERT = (
    "INSERT OR REPLACE INTO airports VALUES (:icao, :name, :city, :country, :elevation, :lat, :lon)"
)

actions = Actions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """How many airports of the file are in one country."""

    country: str
    airports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was imported, and the countries with the most airports."""

    airports: int
    countries: int
    top: list[Country]


@actions.action(
    linger=None,  # continues when the tab is closed
    retries=10,  # and when the server is killed, if the store outlives it
    errors=["NOT_A_CSV", "MISSING_COLUMNS", "NO_FILE"],
)
def import_airports(
    ctx: Context,
    file: Upload | None = None,
    pace: Annotated[float, Field(ge=0, le=1)] = 0.01,
) -> Iterator[Progress | Result[Summary]]:
    """Import airports from a CSV file.

    Without a file, the one that ships with airportsdata is imported: more than 28,000
    airports. SQLite takes them in a fifth of a second, too fast to watch, so the import
    pauses after each hundred, for ``pace`` seconds.
    """
    rows = read_rows(file or shipped())
    with closing(sqlite3.connect(DATABASE, timeout=30)) as database:
        database.execute(CREATE)
        for start in range(ctx.saved or 0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            with database:  # one transaction, committed before it is reported
                database.executemany(INSERT, batch)
            done = start + len(batch)
            yield Progress(done, total=len(rows), message=f"{done:,} of {len(rows):,} airports")
            ctx.save(done)  # a later attempt starts here, and this progress stays
            time.sleep(pace)
    yield Result(summary_of(rows))


def read_rows(file: Upload) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has all the columns."""
    try:
        # Spreadsheets put a byte order mark before the first column's name; utf-8-sig drops it.
        with TextIOWrapper(file.file, "utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="")
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            rows = [] if missing else list(reader)
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ActionError("NOT_A_CSV", f"{file.filename} is not a CSV file in UTF-8.") from exc
    if missing:
        raise ActionError(
            "MISSING_COLUMNS",
            f"{file.filename} lacks the columns {', '.join(missing)}.",
            status=422,
            data={"missing": missing, "needed": COLUMNS},
        )
    return rows


def shipped() -> Upload:
    """Return the file that the package ``airportsdata`` ships."""
    try:
        import airportsdata  # noqa: PLC0415 - needed only if no file is given
    except ImportError as exc:
        raise ActionError("NO_FILE", "Choose a file, or pip install airportsdata.") from exc
    path = Path(airportsdata.__file__).with_name("airports.csv")
    return Upload(path.open("rb"), filename=path.name)


def summary_of(rows: Sequence[dict[str, str]]) -> Summary:
    """Count the airports by country."""
    countries = Counter(row["country"] for row in rows)
    top = [Country(country=name, airports=count) for name, count in countries.most_common(5)]
    return Summary(airports=len(rows), countries=len(countries), top=top)
