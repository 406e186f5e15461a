"""Process a batch that can be stopped, cleans up after itself, and reports its bad rows.

Each row is an invoice to write: ``customer, amount``. Bad rows do not delay the good
ones; at the end they are the data of a typed error, so that a program can point at each.
Enter a wrong amount to see it, or press Stop half way: the drafts are removed either way.

    yieldwire dev examples/batch.py
    yieldwire call examples/batch.py write_invoices rows='Ada, 120' rows='Grace, a lot'
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

from pydantic import Field

from yieldwire import ActionError, Actions, Progress, Result

ORDERS = (
    "Ada Lovelace, 120.00",
    "Grace Hopper, 75.50",
    "Katherine Johnson, 310.20",
    "Hedy Lamarr, 64.00",
    "Mary Jackson, 18.90",
    "Annie Easley, 240.00",
    "Radia Perlman, 99.99",
    "Barbara Liskov, 150.00",
)

actions = Actions()


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that could not be processed, counted from 1, and why."""

    row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The outcome of the batch."""

    invoices: int
    total: str


@actions.action(linger=60, errors=["BAD_ROWS"])
async def write_invoices(
    rows: Annotated[Sequence[str], Field(min_length=1, max_length=1000)] = ORDERS,
    pause: Annotated[float, Field(ge=0, le=5, description="Seconds for each row.")] = 0.25,
) -> AsyncIterator[Progress | Result[Written]]:
    """Write an invoice for each row: a customer and an amount."""
    drafts = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="invoices-")
    total, bad = Decimal(0), list[BadRow]()
    try:
        for number, row in enumerate(rows, 1):
            try:
                total += await asyncio.to_thread(draft, row, Path(drafts.name, f"{number}.txt"))
            except ValueError as exc:
                bad.append(BadRow(row=number, reason=str(exc)))
            yield Progress(number, total=len(rows), message=row)
            await asyncio.sleep(pause)
        if bad:
            raise ActionError(
                "BAD_ROWS",
                f"{len(bad)} of {len(rows)} rows cannot be invoiced; nothing was sent.",
                status=422,
                data={"rows": [asdict(row) for row in bad]},
            )
    finally:
        # This is awaited to its end, even if the run is stopped.
        await asyncio.to_thread(drafts.cleanup)
    yield Result(Written(invoices=len(rows), total=f"{total:.2f}"))


def draft(row: str, path: Path) -> Decimal:
    """Write one invoice to ``path``, and return its amount.

    Raises:
        ValueError: If the row is not a customer with an amount above zero.
    """
    customer, _, amount = row.rpartition(",")
    if not customer.strip():
        raise ValueError("Write the row as: customer, amount.")
    try:
        price = Decimal(amount.strip())
    except InvalidOperation:
        raise ValueError(f"{amount.strip()!r} is not an amount.") from None
    if not (price.is_finite() and price > 0):
        raise ValueError("The amount must be above zero.")
    path.write_text(f"To {customer.strip()}: please pay {price:.2f}.\n", "utf-8")
    return price
