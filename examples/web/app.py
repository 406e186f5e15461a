"""One Python file behind three front ends: React, Vue and a plain page.

Each page shows the same four things: an import whose progress bar continues after a reload, an
answer that is typed and can be stopped, a feed that all tabs share, and a form that shows its
errors next to its fields. ``README.md`` says how to run it.
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
from typing_extensions import TypedDict

from yieldwire import ActionError, Actions, Progress, Result, Text, Timing, Upload

HERE = Path(__file__).parent
RUNS = os.environ.get("RUNS", "runs.db")
ROW_SECONDS = 0.03  # simulates the work for one row
WORD_SECONDS = 0.03  # the pace of a model
ANSWER = "That is what you wrote. A real answer would come from a model, at about this pace."

actions = Actions(
    store=f"sqlite:///{RUNS}",  # runs outlive the server
    timing=Timing(lease=3),  # the runs of a killed server end or restart within seconds
)


# ---- an import with progress


class NotACSV(ActionError):
    """The file lacks the column `name` or `email`, or is not a CSV file in UTF-8."""

    code = "NOT_A_CSV"
    status = 422

    def __init__(self, filename: str) -> None:
        super().__init__(
            self.code, f"{filename} is not a CSV file with the columns name and email."
        )


class Summary(BaseModel):
    """The outcome of the import."""

    imported: int
    skipped: int


@actions.action(linger=None, errors=[NotACSV])  # continues when the tab is closed
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


@actions.action(retries=2)  # restarted if the server is lost
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


@actions.feed(shared=True, keep=20, retries=1000)
async def headlines() -> AsyncIterator[Headline]:
    """Stream the news; produced once for all readers."""
    subjects = ["The ferry", "A heron", "The baker", "Nobody", "The choir"]
    events = ["was late", "has been seen at the pier", "won the race", "is open on Sunday"]
    for n in count(1):
        yield Headline(number=n, title=f"{subjects[n % 5]} {events[n % 4]}.")
        await asyncio.sleep(1)


# ---- a form with nested fields


class Missing(TypedDict):
    """What is not in stock."""

    product: str


class SoldOut(ActionError):
    """A product is sold out."""

    code = "SOLD_OUT"
    status = 409
    data: Missing

    def __init__(self, product: str) -> None:
        super().__init__(self.code, f"There is no {product} left.", data={"product": product})


def email(value: str) -> str:
    """Refuse an invalid email address."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise PydanticCustomError("email", "Enter a valid email address.")
    return value


class Customer(BaseModel):
    """The customer."""

    name: Annotated[str, Field(min_length=2)]
    email: Annotated[str, AfterValidator(email)]


class Item(BaseModel):
    """One product and its quantity."""

    product: Literal["tea", "coffee", "cocoa"]
    quantity: Annotated[int, Field(ge=1, le=10)]


class Receipt(BaseModel):
    """What was ordered, and for whom."""

    text: str


@actions.action(errors=[SoldOut])
async def place_order(customer: Customer, items: list[Item]) -> Receipt:
    """Order products."""
    for item in items:
        if item.product == "cocoa":
            raise SoldOut(item.product)
    ordered = ", ".join(f"{item.quantity} x {item.product}" for item in items)
    return Receipt(text=f"{ordered} for {customer.name}")


def pages(folder: str) -> StaticFiles:
    """Serve the files of a folder, or none if it has not been built yet."""
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
