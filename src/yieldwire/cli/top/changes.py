"""The changes of a server's runs, however long it is away; without a screen, as lines."""

import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

from yieldwire.cli.target import PATIENCE, Address, connect
from yieldwire.cli.top.board import status_of
from yieldwire.client import AsyncClient
from yieldwire.client.patience import Notice
from yieldwire.display.progress import clean, progress_in
from yieldwire.errors import Json

WATCHED: Final = 200
"""How many of the newest runs are watched: as many as a list can have."""
_FOREVER: Final = 1_000_000_000
"""Tries: a person who watches decides when to give up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which runs the server lists."""

    status: str | None = None
    action: str | None = None
    label: str | None = None
    parent: str | None = None


@asynccontextmanager
async def patient(
    address: Address,
    filters: Filters,
    lost: Notice | None = None,
    restored: Callable[[], object] = lambda: None,
) -> AsyncGenerator[tuple[AsyncClient, Sequence[Mapping[str, Json]]], None]:
    """Open a client that never gives up, once the server has answered with the list.

    Args:
        address: Where to call.
        filters: Which runs are listed.
        lost: Called if the server is away, before each wait; by default there is a line.
        restored: Called when it works again.

    Raises:
        YieldwireError: If the server cannot be reached now, or refuses the list.
    """
    async with connect(address) as client:
        # A wrong address is told at once, and by the exit code.
        page = await client.list(**asdict(filters), limit=WATCHED, details=True)
    notice = lost or address.patience.notice
    patience = replace(PATIENCE, tries=_FOREVER, backoff_max=5.0, notice=notice, restored=restored)
    async with connect(replace(address, patience=patience)) as client:
        yield client, page["runs"]


async def print_changes(address: Address, filters: Filters) -> None:
    """Write a line for each run, and then for each change that a person would notice.

    Raises:
        YieldwireError: If the server cannot be reached at first, or refuses the list.
    """
    told = dict[str, tuple[object, ...]]()
    async with patient(address, filters) as (client, _):
        watch = client.watch(**asdict(filters), limit=WATCHED, details=True)
        async with aclosing(watch) as entries:
            async for entry in entries:
                facts = _facts(entry)
                if told.get(entry["id"]) != facts:
                    told[entry["id"]] = facts
                    sys.stdout.write(_line(entry) + "\n")
                    sys.stdout.flush()


def _facts(entry: Mapping[str, Json]) -> tuple[object, ...]:
    """Return what of an entry is worth a line if it changes."""
    progress = progress_in(entry.get("progress"))
    percent = None if progress is None or progress.percent is None else int(progress.percent)
    return entry["status"], entry["attempt"], percent, len(entry.get("questions", ()))


def _line(entry: Mapping[str, Json]) -> str:
    progress = progress_in(entry.get("progress"))
    parts = [
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        entry["id"],
        f"{status_of(entry):<9}",
        entry["action"],
        "" if progress is None else str(progress),
    ]
    return clean("  ".join(parts)).replace("\n", " ").rstrip()
