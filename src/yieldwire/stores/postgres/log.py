"""Runs and their logs: steps of one run in a transaction, and appends to many logs in a statement.

Theory of operation. A step locks its run, decides in Python what changes, and writes that. A small
block that only continues its log takes no transaction: one statement appends those of many runs.
It skips a block that cannot be appended unchanged, because its writer has lost the run, because it
is already there, or because the log must be trimmed for it. Each of those is then appended in a
step, where a block that is already in the log is answered like any repeated append.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from yieldwire.log import transitions
from yieldwire.log.cursor import check_within
from yieldwire.log.delivery import deliveries_of, is_told
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query, no_such_run, page_of
from yieldwire.stores.postgres.deliveries import post
from yieldwire.stores.postgres.rows import block_row, to_block, to_record
from yieldwire.stores.postgres.session import Row, Session, Texts

MOST_BLOCKS: Final = 1000
"""How many blocks a page has at most: they can be much smaller than a page."""


class BlockAppend(NamedTuple):
    """A block, and the right to append it to its log."""

    run_id: str
    block: Block
    after: int
    fence: int

    @property
    def is_simple(self) -> bool:
        """Whether it only continues its log."""
        return self.block.first == self.after + 1 and not is_told(self.block)


class Page(NamedTuple):
    """Where to read a log, and about how many bytes."""

    run_id: str
    after: int
    max_bytes: int


async def locked(session: Session, run_id: str) -> Row:
    """Return a run's row, which no other transaction changes until this one ends.

    Raises:
        NotFound: If there is no such run.
    """
    row = await session.one("step", id=run_id)
    if row is None:
        raise no_such_run(run_id)
    return row


async def record(session: Session, run_id: str) -> RunRecord:
    """Return a run's record.

    Raises:
        NotFound: If there is no such run.
    """
    row = await session.one("record", id=run_id)
    if row is None:
        raise no_such_run(run_id)
    return to_record(row)


async def keep(
    session: Session,
    row: Row,
    run: RunRecord,
    block: Block | None,
    *,
    lease_until: float | None = None,
) -> RunRecord:
    """Write the changes of a step, in the transaction that locked ``row``."""
    until = None if run.status.is_terminal else lease_until
    changes = {
        "n": row["n"],
        "writer": run.fence if run.status is Status.RUNNING else None,
        "seq": run.seq,
        "lease_until": until,
        "is_waiting": run.is_queued and until is None,
        "not_before": run.not_before,
        "status": run.status.value,
        "fence": run.fence,
        "attempt": run.attempt,
        "saved_seq": run.saved_seq,
        "cancel_reason": run.cancel_reason,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
    await session.do("keep", **changes, **block_row(block))
    if block is not None and run.keep is not None and block.last - run.first_seq >= run.keep:
        oldest = await session.all("trim", n=row["n"], seq=block.last - run.keep + 1)
        run = run.changed(first_seq=oldest[0]["first"])
    await post(session, deliveries_of(run, block))
    return run


async def append(session: Session, given: BlockAppend) -> int:
    """Do what a store's `append` does in a step, and return the log's first seq."""
    run_id, block, after, fence = given
    row = await locked(session, run_id)
    run = to_record(row)
    if run.seq != after and run.fence == fence and await _has(session, row, block):
        return run.first_seq
    transitions.check_right(run, fence)
    step = transitions.append(run, block, after, row["wall"])
    return (await keep(session, row, step, block, lease_until=row["lease_until"])).first_seq


async def _has(session: Session, row: Row, block: Block) -> bool:
    """Whether the log has exactly the bytes of the block at its place."""
    values = {"n": row["n"], "after": block.first - 1, "last": block.last}
    there = [to_block(block.run_id, each) for each in await session.all("blocks", **values)]
    if not there or there[0].first > block.first or there[-1].last < block.last:
        return False
    return Block.join(there).after(block.first - 1).begins_with(block)


async def append_all(session: Session, appends: Sequence[BlockAppend]) -> Sequence[int | None]:
    """Append the blocks that can be appended unchanged, and return the first seqs of their logs.

    ``None``: it was not appended.
    """
    first_of_run = {each.run_id: each for each in reversed(appends)}
    puts = [*first_of_run.values()]
    rows = await session.all(
        "put_blocks",
        ids=[each.run_id for each in puts],
        fences=[each.fence for each in puts],
        afters=[each.after for each in puts],
        lasts=[each.block.last for each in puts],
        ats=[each.block.at for each in puts],
        bodies=[each.block.body for each in puts],
    )
    first_seqs: dict[str, int] = {row["id"]: row["first_seq"] for row in rows}
    return [
        first_seqs.get(each.run_id) if first_of_run[each.run_id] is each else None
        for each in appends
    ]


async def read_all(
    session: Session, pages: Sequence[Page]
) -> Sequence[Sequence[Block] | Exception]:
    """Return the blocks of each page, or why there are none."""
    rows = await session.all(
        "pages",
        ids=[page.run_id for page in pages],
        afters=[page.after for page in pages],
        sizes=[page.max_bytes for page in pages],
        most=MOST_BLOCKS,
    )
    found: list[list[Row]] = [[] for _ in pages]
    for row in rows:
        found[row["place"] - 1].append(row)
    return [_blocks_of(page, its) for page, its in zip(pages, found, strict=True)]


def _blocks_of(page: Page, rows: Sequence[Row]) -> Sequence[Block] | Exception:
    if not rows:
        return no_such_run(page.run_id)
    if page.after < rows[0]["seq"]:
        blocks = (to_block(page.run_id, row) for row in rows)
        return page_of(blocks, page.after, page.max_bytes)
    try:
        check_within(page.after, rows[0]["seq"])
    except Exception as exc:  # noqa: BLE001 - raised to the reader
        return exc
    return ()


async def heads(session: Session, name: str, run_ids: Collection[str]) -> Mapping[str, int]:
    """Return where unfinished runs are: in their ``heads``, or their ``inbox_heads``."""
    return {row["id"]: row["seq"] for row in await session.all(name, ids=[*run_ids])}


async def find(session: Session, texts: Texts, query: Query) -> Sequence[RunRecord]:
    """Return the matching runs, newest first."""
    sql, values = _finding(query)
    return [to_record(row) for row in await session.ask(texts.text(sql), values)]


def _finding(query: Query) -> tuple[str, Row]:
    parts, values = ["SELECT * FROM yieldwire.records WHERE true"], Row(limit=query.limit)
    for column in ("status", "action", "parent"):
        if (value := getattr(query, column)) is not None:
            parts.append(f"AND {column} = %({column})s")
            values[column] = str(value)
    if not query.everyone and query.owner is None:
        parts.append("AND hashtextextended(owner, 0) IS NULL AND owner IS NULL")
    elif not query.everyone:
        parts.append("AND hashtextextended(owner, 0) = hashtextextended(%(owner)s::text, 0)")
        parts.append("AND owner = %(owner)s")
        values["owner"] = query.owner
    if query.label is not None:
        parts.append("AND labels <> '{}' AND labels @> ARRAY[%(label)s::text]")
        values["label"] = query.label
    if query.before is not None:
        parts.append("AND n < (SELECT n FROM yieldwire.heads WHERE id = %(before)s)")
        values["before"] = query.before
    return " ".join([*parts, "ORDER BY n DESC LIMIT %(limit)s"]), values
