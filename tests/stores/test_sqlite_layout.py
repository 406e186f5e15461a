"""A file with an older layout is changed when it is opened: once, completely or not at all."""

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from yieldwire.clock import SystemClock
from yieldwire.errors import StoreError
from yieldwire.log.events import Event
from yieldwire.log.message import Message
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.file import FileSettings, connect, prepare
from yieldwire.stores.statements import layouts
from yieldwire.testing.contract.harness import chunks, claimed, finished, log_of

LAYOUTS = layouts("yieldwire.stores.sqlite")
LATEST = max(LAYOUTS)

STEP = """\
-- The next layout; a made-up one.
ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'none; yet';

CREATE TABLE ends (run INTEGER NOT NULL, status TEXT NOT NULL);  -- one row for each end
INSERT INTO ends SELECT n, status FROM runs;

CREATE TRIGGER runs_end AFTER UPDATE OF ended_at ON runs BEGIN
    INSERT INTO ends VALUES (new.n, new.status);
    UPDATE runs SET note = 'ended' WHERE n = new.n;
END;
"""
"""A step that fails if it is taken twice."""

NEXT = {**LAYOUTS, LATEST + 1: STEP}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def update(path: Path, known: Mapping[int, str]) -> None:
    """Open the file as a process does that knows these layouts."""
    connection = connect(FileSettings(path=path, synchronous="NORMAL", busy_timeout=30.0))
    try:
        prepare(connection, path, SystemClock(), known)
    finally:
        connection.close()


async def filled(path: Path) -> str:
    """Keep a run of three events in the file, and return its id."""
    store = SQLiteStore(path)
    run = await claimed(store)
    await store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
    await store.close()
    return run.id


async def length_of(path: Path, run_id: str) -> int:
    store = SQLiteStore(path)
    try:
        return len(await log_of(store, run_id))
    finally:
        await store.close()


def ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_an_older_layout_is_changed_and_its_runs_are_kept(path: Path) -> None:
    run_id = asyncio.run(filled(path))

    update(path, NEXT)
    update(path, NEXT)

    assert ask(path, "SELECT version FROM about") == [(LATEST + 1,)]
    assert ask(path, "SELECT id, note FROM runs") == [(run_id, "none; yet")]
    assert ask(path, "SELECT status FROM ends") == [("running",)]
    assert ask(path, "SELECT first, last FROM blocks") == [(1, 2)]


FIRST = min(LAYOUTS)
OF_LAYOUT_5 = """
INSERT INTO runs (id, fingerprint, action, quota_key, labels, detached, retries, retention, status,
    fence, attempt, created_at, lease_until, read_until)
VALUES ('rold', '', 'count', 'owner:ada', '[]', 1, 1, 3600, 'running', 1, 1, 5, 1, 5);
INSERT INTO inputs VALUES (1, CAST('{}' AS BLOB), CAST('{}' AS BLOB));
INSERT INTO blocks VALUES (1, 1, 2, NULL, CAST('"a"' || char(10) || '"b"' || char(10) AS BLOB), 5);
"""
LONG_LOG = """
INSERT INTO runs (id, fingerprint, action, quota_key, labels, detached, retries, retention, status,
    fence, attempt, created_at, lease_until, read_until)
VALUES ('rlong', '', 'count', 'owner:ada', '[]', 1, 1, 3600, 'running', 1, 1, 5, 1, 5);
INSERT INTO inputs VALUES (2, CAST('{}' AS BLOB), CAST('{}' AS BLOB));
INSERT INTO blocks
WITH RECURSIVE seqs (seq) AS (VALUES (11) UNION ALL SELECT seq + 1 FROM seqs WHERE seq < 100)
SELECT 2, seq, seq, NULL, CAST(data || char(10) AS BLOB), 5
FROM (SELECT seq, iif(seq % 9, seq, '"' || hex(zeroblob(3000)) || '"') AS data FROM seqs);
"""
"""A log whose first ten events were trimmed, with some large blocks."""
FORGETS = "DELETE FROM runs WHERE id = 'rold'"


def file_of_layout_5(path: Path) -> None:
    """Keep a run of two events, as a process does that knows no later layout."""
    update(path, {FIRST: LAYOUTS[FIRST]})
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OF_LAYOUT_5)


async def told_and_saved(path: Path) -> list[Event]:
    """Send a message to the run, save its place after one event, restart it, return its log."""
    store = SQLiteStore(path)
    try:
        run = await store.get("rold")
        assert (run.seq, run.saved_seq, run.parent) == (2, 0, None)
        sent = await store.send(run.id, Message(0, b"1"), most=1, most_bytes=1)
        assert sent.number == 1
        await store.save(run.id, "saved", b"1", seq=1, fence=1)
        await store.restart(run.id, fence=1, delay=0.0)
        return await log_of(store, run.id)
    finally:
        await store.close()


def test_a_run_of_layout_5_takes_messages_and_is_restarted(path: Path) -> None:
    file_of_layout_5(path)

    log = asyncio.run(told_and_saved(path))

    assert [event.value for event in log] == ["a", "b", {"attempt": 2, "keep": 1}]


async def seqs_behind(path: Path, after: int) -> list[int]:
    """Return the seqs of the long log after ``after``, in pages of one block."""
    store, seqs = SQLiteStore(path), list[int]()
    try:
        while page := await store.read("rlong", after, max_bytes=1):
            seqs += [event.seq for block in page for event in block.events()]
            after = seqs[-1]
        await store.append("rlong", chunks("rlong", seqs[-1] + 1, 1), after=seqs[-1], fence=1)
    finally:
        await store.close()
    return seqs


def test_a_long_log_of_layout_5_is_read_and_continued(path: Path) -> None:
    file_of_layout_5(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(LONG_LOG)

    whole = asyncio.run(seqs_behind(path, 0))
    parts = [asyncio.run(seqs_behind(path, after)) for after in (10, 11, 26, 27, 50, 99)]

    assert whole == [*range(11, 101)]
    assert [part[0] for part in parts] == [11, 12, 27, 28, 51, 100]
    assert [part[-1] for part in parts] == [*range(101, 107)]


def test_a_process_of_layout_5_that_appends_is_refused(path: Path) -> None:
    file_of_layout_5(path)
    with closing(sqlite3.connect(path)) as connection:
        asyncio.run(told_and_saved(path))

        with pytest.raises(sqlite3.IntegrityError, match="previous"):
            connection.execute(
                "INSERT INTO blocks (run, first, last, body, at) VALUES (1, 4, 4, 0, 5)"
            )


def test_a_process_of_layout_5_deletes_a_run_with_its_messages(path: Path) -> None:
    file_of_layout_5(path)
    asyncio.run(told_and_saved(path))

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(FORGETS)

    assert ask(path, "SELECT count(*) FROM messages") == [(0,)]
    assert ask(path, "SELECT count(*) FROM checkpoints") == [(0,)]


async def webhooks_of(path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Return the webhooks of the old run, and those that are told of the end of a new one."""
    store = SQLiteStore(path)
    try:
        old = await store.get("rold")
        await finished(store, webhooks=("https://a.example",))
        told = old.webhooks + old.question_webhooks
        return told, [each.url for each in await store.due(limit=10, lease=30.0)]
    finally:
        await store.close()


def test_a_file_of_layout_5_keeps_the_deliveries_of_new_runs(path: Path) -> None:
    file_of_layout_5(path)

    assert asyncio.run(webhooks_of(path)) == ((), ["https://a.example"])


def test_a_new_file_takes_the_same_steps_as_an_older_one(tmp_path: Path) -> None:
    new, older = tmp_path / "new.db", tmp_path / "older.db"
    update(older, LAYOUTS)
    update(older, NEXT)

    update(new, NEXT)

    layout = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert ask(new, layout) == ask(older, layout)
    assert ask(new, "SELECT version FROM about") == [(LATEST + 1,)]


def test_processes_that_open_an_older_file_at_once_change_it_once(path: Path) -> None:
    asyncio.run(filled(path))
    everybody = Barrier(4)

    def opened(_: int) -> None:
        everybody.wait()
        update(path, NEXT)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(opened, range(4)))

    assert ask(path, "SELECT count(*) FROM ends") == [(1,)]


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    run_id = asyncio.run(filled(path))
    failing = {**NEXT, LATEST + 2: "CREATE TABLE notes (n INTEGER);\nDROP TABLE missing;\n"}

    with pytest.raises(sqlite3.OperationalError, match="missing"):
        update(path, failing)

    assert asyncio.run(length_of(path, run_id)) == 2
    assert ask(path, "SELECT name FROM sqlite_master WHERE name IN ('notes', 'ends')") == []


def test_a_file_of_a_newer_version_is_refused_and_not_changed(path: Path) -> None:
    run_id = asyncio.run(filled(path))
    update(path, NEXT)

    with pytest.raises(StoreError, match=f"it has layout {LATEST + 1}, and .* knows {LATEST}. Use"):
        asyncio.run(length_of(path, run_id))

    assert ask(path, "SELECT version FROM about") == [(LATEST + 1,)]


def test_a_layout_from_before_the_first_known_one_is_refused(path: Path) -> None:
    update(path, LAYOUTS)

    with pytest.raises(StoreError, match=f"its layout {LATEST} is too old for this version"):
        update(path, {LATEST + 1: STEP})


def test_the_versions_of_the_layout_have_no_gap() -> None:
    assert list(LAYOUTS) == list(range(min(LAYOUTS), LATEST + 1))
