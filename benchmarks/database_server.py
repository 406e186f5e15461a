"""A database in a process of its own: ``python -m benchmarks.database_server valkey``.

It says its URL and its process as a line of JSON, answers each line that it reads with what the
database has counted, and ends with its input.
"""

import json
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg

from tests.support.postgres import PostgresServer
from tests.support.valkey import RedisServer

Counted = Callable[[], dict[str, int]]


@contextmanager
def valkey() -> Generator[tuple[str, int, Counted]]:
    """Start Valkey with nothing but memory, as a cache or a broker runs."""
    with RedisServer() as server:

        def counted() -> dict[str, int]:
            facts = server.facts("stats")
            sent, received = (int(facts[f"total_net_{way}_bytes"]) for way in ("output", "input"))
            return {"operations": int(facts["total_commands_processed"]), "bytes": sent + received}

        yield server.url, server.pid, counted


@contextmanager
def postgres() -> Generator[tuple[str, int, Counted]]:
    """Start PostgreSQL with its own defaults: each commit waits for the disk."""
    with PostgresServer(fsync="on") as server, psycopg.connect(server.dsn(), autocommit=True) as db:

        def counted() -> dict[str, int]:
            operations, written = db.execute(
                "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
                " pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
            ).fetchall()[0]
            return {"operations": operations, "bytes": written}

        yield server.dsn(), server.pid, counted


DATABASES: Final = {"valkey": valkey, "postgres": postgres}


def main() -> None:
    """Serve the database that is named."""
    with DATABASES[sys.argv[1]]() as (url, pid, counted):
        _say({"url": url, "pid": pid})
        for _ in sys.stdin:
            _say(counted())


def _say(what: Mapping[str, str | int]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
