"""The web application of an office, whose plain HTML forms post to actions."""

import asyncio
import struct
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, HttpUrl, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from yieldwire import ActionError, Actions, Pages, Progress, Result, Text, Timing, Upload


def chart(*heights: int) -> str:
    """Return a bar chart, as a PNG in base 64."""
    width, height, blue, white = 40 * len(heights), 120, b"\x0d\x94\x88", b"\xe2\xe8\xe7"
    lines = [
        b"\0"
        + b"".join(
            4 * white + (32 * blue if y < each else 32 * white) + 4 * white for each in heights
        )
        for y in range(height, 0, -1)
    ]
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b64encode(png).decode()


NO_PASSWORD: Final = SecretStr("")

actions = Actions(
    pages=Pages(name="Harbour Office", color="#0d9488"),
    timing=Timing(grace=0.1),  # some tests leave a run that would last for minutes
)


class Contact(BaseModel):
    """Somebody in the address book."""

    name: str
    email: str
    age: int | None = None
    is_new: bool = True


class Imported(BaseModel):
    """What an import has done."""

    added: int
    skipped: int
    contacts: list[Contact]
    report: Annotated[HttpUrl, Field(title="Full report")]
    chart: Annotated[
        str, Field(json_schema_extra={"contentMediaType": "image/png", "contentEncoding": "base64"})
    ]


@actions.action(linger=120)
async def import_contacts(
    rows: Annotated[int, Field(ge=1, le=500)] = 5, pause: float = 0.02
) -> AsyncIterator[Progress | Result[Imported]]:
    """Import contacts."""
    names = ["Ada Lovelace", "Grace Hopper", "Edsger <b>Dijkstra</b>", "Barbara Liskov"]
    for n in range(1, rows + 1):
        await asyncio.sleep(pause)
        yield Progress(n, total=rows, message=f"Importing {names[n % 4]}")
    contacts = [
        Contact(name=names[n % 4], email=f"row{n}@example.com", age=None if n % 3 else 30 + n)
        for n in range(min(rows, 6))
    ]
    report = HttpUrl("https://example.com/reports/2027-03-01")
    yield Result(
        Imported(
            added=rows - 1,
            skipped=1,
            contacts=contacts,
            report=report,
            chart=chart(20, 65, 40, 100, 80),
        )
    )


@actions.action(linger=120)
async def write_letter(
    to: str = "Ada", words: int = 40, pause: float = 0.02
) -> AsyncIterator[Text]:
    """Write a letter, word by word."""
    yield Text(f"Dear {to},\n\n")
    for n in range(words):
        await asyncio.sleep(pause)
        yield Text(["the ", "harbour ", "is ", "open ", "again. "][n % 5])


@actions.action(linger=120)
async def list_ships(ships: int = 8, pause: float = 0.02) -> AsyncIterator[dict[str, Any]]:
    """List the ships in the harbour as they are found."""
    for n in range(1, ships + 1):
        await asyncio.sleep(pause)
        yield {"berth": n, "ship": f"MS Example {n}", "cargo": ["tea", "cocoa"][n % 2]}


@actions.action(linger=120)
async def wait_for_ship(name: str = "MS Example") -> AsyncIterator[Text]:
    """Wait, forever."""
    yield Text(f"Waiting for {name}")
    await asyncio.Event().wait()


@actions.action
async def pay_fee(amount: int = 100) -> AsyncIterator[Text]:
    """Pay, with too little credit."""
    yield Text("Asking the bank. ")
    raise ActionError("OUT_OF_CREDIT", f"Your credit does not cover {amount} euros.", status=402)


@actions.action
async def break_down(canary: str = "") -> int:
    """Fail unexpectedly."""
    raise RuntimeError(canary)


@actions.action
async def count_ships(in_port: list[str] = []) -> int:  # noqa: B006 - read only
    """Count."""
    return len(in_port)


@actions.action
async def book_berth(  # noqa: PLR0913 - every kind of field that a form can have
    *,
    captain: Annotated[str, Field(min_length=2, description="As in the passport.")],
    email: Annotated[str, Field(pattern=r"^\S+@\S+$", json_schema_extra={"format": "email"})],
    arrives: date,
    length: Annotated[float, Field(gt=0, le=400, title="Length in metres")],
    papers: Upload | None = None,
    password: SecretStr = NO_PASSWORD,
    cargo: Literal["tea", "cocoa", "coffee"] = "tea",
    flag: Literal["de", "fr"] | None = None,
    passengers: list[str] = [],  # noqa: B006 - read only
    remarks: Annotated[str, Field(max_length=2000)] = "",
    contact: Contact | None = None,
    needs_pilot: bool = True,
) -> dict[str, Any]:
    """Book a berth."""
    return {
        "captain": captain,
        "email": email,
        "arrives": arrives.isoformat(),
        "length": length,
        "papers": papers.filename if papers is not None else None,
        "has_password": bool(password.get_secret_value()),
        "cargo": cargo,
        "flag": flag,
        "passengers": passengers,
        "remarks": remarks,
        "contact": contact.model_dump() if contact is not None else None,
        "needs_pilot": needs_pilot,
    }


def form(action: str, fields: str, query: str = "", kind: str = "") -> str:
    """Return a plain form."""
    title = action.replace("_", " ").capitalize()
    return (
        f'<form id="{action}" method="post" action="/api/_actions/{action}{query}"{kind}>'
        f"{fields}<button>{title}</button></form>\n"
    )


FORMS = [
    form(
        "import_contacts",
        '<input name="rows" value="5"><input name="pause" value="0.02">',
        "?next=/contacts",
    ),
    form(
        "write_letter",
        '<input name="to" value="Ada"><input name="words" value="40">'
        '<input name="pause" value="0.02">',
    ),
    form("list_ships", '<input name="ships" value="8">'),
    form("wait_for_ship", ""),
    form("pay_fee", ""),
    form("break_down", '<input name="canary" value="canary-4711">'),
    form("count_ships", ""),
    form(
        "book_berth",
        '<input name="captain"><input name="email"><input name="arrives"><input name="length">'
        '<input name="papers" type="file"><input name="password" type="password">'
        '<input name="cargo"><input name="passengers"><input name="passengers">'
        '<textarea name="remarks"></textarea><input name="contact">',
        "?next=/contacts",
        ' enctype="multipart/form-data"',
    ),
]
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Office</title><h1>Office</h1>'


async def office(_request: Request) -> HTMLResponse:
    """Show the forms."""
    return HTMLResponse(PAGE + "".join(FORMS))


async def contacts_page(_request: Request) -> HTMLResponse:
    """Show where an import leads."""
    return HTMLResponse('<!doctype html><html lang="en"><title>Contacts</title><h1>Contacts</h1>')


app = Starlette(
    routes=[
        Route("/", office),
        Route("/contacts", contacts_page),
        Mount("/api/_actions", actions),
    ],
    lifespan=actions.lifespan,
)
