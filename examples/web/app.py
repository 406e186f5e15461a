"""One Python file behind three front ends: React, Vue and a plain page.

Each page shows the same four things: an import whose progress bar goes on over a reload, an
answer that is typed and can be stopped, a feed that all tabs share, and a form whose errors
stand at its fields. ``README.md`` says how to run it.
"""

import asyncio
import csv
import io
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from yieldwire import ActionError, Actions, Progress, Result, Text, Timing, Upload

HERE = Path(__file__).parent
RUNS = os.environ.get("RUNS", "runs.db")
ROW_SECONDS = 0.03  # stands for the work that one row is
WORD_SECONDS = 0.03  # a model's pace
ANSWER = "That is what you wrote. A real answer would come from a model, at about this pace."

actions = Actions(
    store=f"sqlite:///{RUNS}",  # runs outlive the server
    timing=Timing(lease=3),  # what a killed server left is settled within seconds
)


# ---- an import with progress


class NotACSV(ActionError):
    """The file has no column `name` and `email`, or is no CSV file in UTF-8."""

    code = "NOT_A_CSV"
    status = 422

    def __init__(self, filename: str) -> None:
        super().__init__(self.code, f"{filename} is no CSV file with the columns name and email.")


class Summary(BaseModel):
    """What became of the rows."""

    imported: int
    skipped: int


@actions.action(linger=None, errors=[NotACSV])  # goes on when the tab is closed
def import_contacts(file: Upload) -> Iterator[Progress | Result[Summary]]:
    """Import contacts from a CSV file."""
    rows = read_rows(file)
    skipped = 0
    for n, row in enumerate(rows, 1):
        time.sleep(ROW_SECONDS)
        skipped += "@" not in row["email"]
        yield Progress(n, total=len(rows), message=row["name"])
    yield Result(Summary(imported=len(rows) - skipped, skipped=skipped))


def read_rows(file: Upload) -> list[dict[str, str]]:
    """Return the rows of a CSV file that has a column ``name`` and a column ``email``."""
    try:
        with io.TextIOWrapper(file.file, "utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="")
            if {"name", "email"} <= set(reader.fieldnames or ()):
                return list(reader)
    except (UnicodeDecodeError, csv.Error) as exc:
        raise NotACSV(file.filename) from exc
    raise NotACSV(file.filename)


# ---- an answer, word by word


@actions.action(retries=2)  # asked again if the server is lost
async def chat(
    message: Annotated[str, Field(min_length=1, max_length=5000)],
) -> AsyncIterator[Text]:
    """Answer a message."""
    for word in re.findall(r"\S+\s*", f"“{message}”\n{ANSWER}"):
        yield Text(word)
        await asyncio.sleep(WORD_SECONDS)


# ---- a feed


class Headline(BaseModel):
    """A piece of news."""

    number: int
    title: str


@actions.action(method="GET", shared=True, keep=20, retries=1000)
async def headlines() -> AsyncIterator[Headline]:
    """Tell the news; it is made once, for all who listen."""
    subjects = ["The ferry", "A heron", "The baker", "Nobody", "The choir"]
    events = ["was late", "has been seen at the pier", "won the race", "is open on Sunday"]
    for n in count(1):
        yield Headline(number=n, title=f"{subjects[n % 5]} {events[n % 4]}.")
        await asyncio.sleep(1)


# ---- a form with nested fields


class SoldOut(ActionError):
    """There is nothing left of a product."""

    code = "SOLD_OUT"
    status = 409

    def __init__(self, product: str) -> None:
        super().__init__(self.code, f"There is no {product} left.", data={"product": product})


def email(value: str) -> str:
    """Refuse what is no e-mail address."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise PydanticCustomError("email", "This is no e-mail address.")
    return value


class Customer(BaseModel):
    """Who orders."""

    name: Annotated[str, Field(min_length=2)]
    email: Annotated[str, AfterValidator(email)]


class Item(BaseModel):
    """What is ordered."""

    product: Literal["tea", "coffee", "cocoa"]
    quantity: Annotated[int, Field(ge=1, le=10)]


class Receipt(BaseModel):
    """What was ordered, and by whom."""

    text: str


@actions.action(errors=[SoldOut])
async def place_order(customer: Customer, items: list[Item]) -> Receipt:
    """Order something."""
    for item in items:
        if item.product == "cocoa":
            raise SoldOut(item.product)
    ordered = ", ".join(f"{item.quantity} x {item.product}" for item in items)
    return Receipt(text=f"{ordered} for {customer.name}")


def pages(folder: str) -> StaticFiles:
    """Serve the files of a folder; one that was not built yet has none."""
    return StaticFiles(directory=HERE / folder, html=True, check_dir=False)


app = Starlette(
    routes=[
        Mount("/api/_actions", actions),
        Mount("/react", pages("dist/react")),
        Mount("/vue", pages("dist/vue")),
        Mount("/", pages("plain")),
    ],
    lifespan=actions.lifespan,
)
