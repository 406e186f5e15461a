"""Actions with every kind of input, output and end, under the developer page."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AnyUrl, BaseModel, Field, SecretStr
from starlette.requests import HTTPConnection

from yieldwire import ActionError, Actions, Context, Progress, Result, Retry, Text, Upload, devtools
from yieldwire.webhooks import Webhook

Markdown = Annotated[str, Field(json_schema_extra={"contentMediaType": "text/markdown"})]
Image = Annotated[
    str, Field(json_schema_extra={"contentMediaType": "image/*"}, description="A chart of sales")
]


class Attached(BaseModel):
    """A result of addresses."""

    page: AnyUrl
    plot: str
    sheet: Annotated[
        str, Field(json_schema_extra={"contentMediaType": "text/csv", "contentEncoding": "base64"})
    ]


class Folder(BaseModel):
    """What contains more of itself."""

    name: Annotated[str, Field(description="Without slashes.")]
    folders: list["Folder"] = []


class City(BaseModel):
    """A row of a table."""

    name: str
    people: int
    area: float | None = None


class Survey(BaseModel):
    """A result with every kind of view."""

    title: str
    cities: list[City]
    summary: Markdown
    chart: Image


def identify(request: HTTPConnection) -> str | None:
    """Identify the caller by a bearer token, which is the name."""
    return request.headers.get("authorization", "").removeprefix("Bearer ") or None


# Requests to private addresses are refused, so it is given up at once.
lost = Webhook(
    "https://127.0.0.1/?token=t",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
    actions=["report"],
    schedule=[],
)
actions = Actions(identify=identify, webhooks=[lost])


class Speed(StrEnum):
    """How fast a leg is travelled."""

    SLOW = "slow"
    FAST = "fast"


class Stop(BaseModel):
    """Where a journey halts."""

    city: Annotated[str, Field(min_length=1, description="Where to halt.")]
    nights: Annotated[int, Field(ge=0, le=30)] = 1


class Train(BaseModel):
    """By rail."""

    kind: Literal["train"] = "train"
    carriage: int


class Ship(BaseModel):
    """By sea."""

    kind: Literal["ship"] = "ship"
    cabin: str
    guests: list[str] = []


class Address(BaseModel):
    """Where somebody lives."""

    street: str
    town: str = "Hamburg"


class Traveller(BaseModel):
    """Who goes."""

    name: str
    address: Address
    emergency: Address | None = None


@actions.action
async def book_journey(  # noqa: PLR0913 - every kind of field that a form can have
    *,
    traveller: Traveller,
    stops: Annotated[list[Stop], Field(min_length=1)],
    by: Annotated[Train | Ship, Field(discriminator="kind")],
    codes: list[int] | None,
    speed: Speed = Speed.SLOW,
    leaves: date | None = None,
    budget: int | str | None = None,
    notes: str | None = "window seat",
    is_return: bool = True,
) -> AsyncIterator[Result[dict[str, Any]]]:
    """Book a journey and give it back as it was understood.

    The form has every kind of field: nested models, a list, a union, an enumeration, a date
    and what can be null.
    """
    yield Result(
        {
            "traveller": traveller.model_dump(),
            "stops": [stop.model_dump() for stop in stops],
            "by": by.model_dump(),
            "codes": codes,
            "speed": speed,
            "leaves": leaves and leaves.isoformat(),
            "budget": budget,
            "notes": notes,
            "is_return": is_return,
        }
    )


@actions.action
async def count(
    to: int = 5, pause: Annotated[float, Field(ge=0, le=5)] = 0.05
) -> AsyncIterator[Progress | Result[int]]:
    """Count, and say how far it is."""
    for n in range(1, to + 1):
        yield Progress(n, total=to, message=f"{n} of {to}")
        await asyncio.sleep(pause)
    yield Result(to)


@actions.action(linger=None)
async def flood(events: int = 100_000) -> AsyncIterator[dict[str, int | str] | Result[int]]:
    """Yield as fast as it is read."""
    for n in range(1, events + 1):
        yield {"row": n, "name": f"row {n}", "kind": "even" if n % 2 == 0 else "odd"}
    yield Result(events)


@actions.action
async def pour(events: int = 60) -> AsyncIterator[dict[str, int | str]]:
    """Yield large chunks, a megabyte each."""
    for n in range(1, events + 1):
        yield {"row": n, "padding": "x" * 1_000_000}


@actions.action
async def write(
    text: str = "The quick brown fox jumps over the lazy dog.", pause: float = 0.02
) -> AsyncIterator[Text]:
    """Write a text, word by word."""
    for word in text.split(" "):
        yield Text(word + " ")
        await asyncio.sleep(pause)


@actions.action
async def measure(files: list[Upload]) -> AsyncIterator[Progress | Result[dict[str, int]]]:
    """Measure files."""
    sizes: dict[str, int] = {}
    for n, file in enumerate(files, 1):
        sizes[file.filename or "?"] = len(await asyncio.to_thread(file.file.read))
        yield Progress(n, total=len(files), message=file.filename)
    yield Result(sizes)


class Exhibit(BaseModel):
    """A file, and what it is."""

    label: str
    scan: Upload


@actions.action(asks=Exhibit)
async def exhibit(ctx: Context) -> str:
    """Ask for two files, one after the other."""
    shown = [await ctx.ask(Exhibit, prompt) for prompt in ("Show me one", "And another")]
    return ", ".join(f"{each.label}: {each.scan.filename}, {each.scan.size}" for each in shown)


@actions.feed(shared=True)
async def tick(every: float = 0.1) -> AsyncIterator[dict[str, int]]:
    """Count for all readers together."""
    n = 0
    while True:
        n += 1
        yield {"n": n}
        await asyncio.sleep(every)


@actions.action(labels=("nightly", "a-label-of-a-customer-with-a-long-name"))
async def report(topic: str = "weather", days: int = 7) -> dict[str, int | str]:
    """Do what is labelled."""
    return {"topic": topic, "days": days}


@actions.action
async def count_folders(root: Folder) -> int:
    """Count folders."""
    return 1 + sum([await count_folders(inner) for inner in root.folders])


@actions.action
async def add_one(number: int) -> str:
    """Add one to a large number."""
    return str(number + 1)


@actions.action
async def add_to_all(ctx: Context, numbers: int = 2) -> AsyncIterator[Progress]:
    """Call another action for each number."""
    work = ctx.map(add_one, range(numbers))
    async for _ in work:
        yield work.progress


@actions.action
async def list_cities(rows: int = 150) -> list[City]:
    """Return a long table."""
    return [City(name=f"City {n}", people=1000 * n, area=n / 3) for n in range(rows)]


@actions.action
async def grow(rows: int = 5) -> AsyncIterator[list[City]]:
    """Yield a table that grows."""
    cities: list[City] = []
    for n in range(rows):
        cities.append(City(name=f"City {n}", people=n))
        yield list(cities)


@actions.action
async def explain(text: str) -> Markdown:
    """Return a text as Markdown."""
    return text


@actions.action
async def chat(pause: float = 0.05) -> AsyncIterator[Progress | Markdown]:
    """Write Markdown, piece by piece."""
    for piece in ("## Ans", "wer\n\nIt is **for", "ty", "-two**", ".\n"):
        yield piece
        await asyncio.sleep(pause)


@actions.action
async def draw(source: str = "dev/logo.svg") -> Image:
    """Return an image from its address."""
    return source


@actions.action
async def attach(plot: str) -> Attached:
    """Return a link, an image and a file."""
    return Attached(page=AnyUrl("https://example.com/a"), plot=plot, sheet="YSxiCjEsMgo=")


@actions.action
async def survey(source: str = "dev/logo.svg") -> Survey:
    """Return a table, a text and an image."""
    summary = "## Sales\n\nThey are **good**.\n\n- [x] checked\n\n| a | b |\n|---|--:|\n| c | 1 |"
    return Survey(
        title="Week 12",
        cities=[City(name="Rome", people=2_800_000)],
        summary=summary,
        chart=source,
    )


@actions.action
async def block(most: int = 50) -> AsyncIterator[int]:
    """Block the event loop, as an action must not."""
    for n in range(most):
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        yield n
        await asyncio.sleep(0.05)


@actions.action
async def sign_in(name: str, password: SecretStr) -> str:
    """Take a secret."""
    return f"Hello, {name}." if password else "Who is there?"


@actions.action
async def break_down(price: str = "12 EUR") -> AsyncIterator[Text]:
    """End with an error that nobody declared."""
    yield Text("so far")
    await asyncio.sleep(0.1)
    yield Text(str(int(price)))


@actions.action(errors=["OUT_OF_CREDIT"])
async def fail(after: int = 2) -> AsyncIterator[Text]:
    """End with an error of its own."""
    for n in range(after):
        yield Text(f"{n} ")
        await asyncio.sleep(0.4)
    raise ActionError("OUT_OF_CREDIT", "There is no credit left.", status=402, data={"left": 0})


@actions.action(retries=Retry(1, backoff=0.01, on=[ConnectionError]))
async def recover(ctx: Context) -> AsyncIterator[Text]:
    """Fail once, and continue from the saved place."""
    if ctx.saved is None:
        yield Text("saved ")
        ctx.save(1)
        yield Text("lost ")
        raise ConnectionError
    yield Text("continued")


devtools.attach(actions)
app = actions
