"""Two processes that share their runs through Valkey or PostgreSQL, as on two machines."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.durability.kills import check_values
from tests.durability.readers import WAYS, Log, Reader, read_through, start
from tests.support.command import CommandServer
from tests.support.notes import LEASE, notes_in
from tests.support.postgres import PostgresServer
from tests.support.valkey import RedisServer
from tests.support.wire import fetch, request

SOON = 30.0
ENDLESS = 1_000_000


@pytest.fixture(scope="module", params=["valkey", "postgres"])
def shared(request: pytest.FixtureRequest) -> Iterator[RedisServer | PostgresServer]:
    """What the processes share."""
    if request.param == "valkey":
        with RedisServer("--appendonly", "yes", "--appendfsync", "always") as redis:
            yield redis
    else:
        with PostgresServer() as postgres:
            yield postgres


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory, shared: RedisServer | PostgresServer) -> Path:
    return tmp_path_factory.mktemp(type(shared).__name__) / "notes"


@pytest.fixture(scope="module")
def processes(shared: RedisServer | PostgresServer, notes: Path) -> Iterator[list[CommandServer]]:
    env = {"RUNS_STORE": shared.url, "NOTES_FILE": str(notes)}
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                CommandServer("tests.support.durable:actions", notes.with_name(f"log {n}"), env)
            )
            for n in range(2)
        ]


@pytest.fixture
async def servers(processes: list[CommandServer]) -> list[CommandServer]:
    for server in processes:
        await server.wait_until_listening()
    return processes


class Followed:
    """A run, and readers of every kind that follow it through one of the processes."""

    def __init__(self, run_id: str, through: CommandServer, group: asyncio.TaskGroup) -> None:
        self.run_id = run_id
        self.readers = [Reader(through.port, run_id) for _ in WAYS]
        self.tasks = [
            group.create_task(read_through(reader, way))
            for reader, way in zip(self.readers, WAYS, strict=True)
        ]

    async def has_begun(self) -> None:
        for reader in self.readers:
            await reader.has_news.wait()

    async def log(self) -> Log:
        """Return the log that all readers have got, once they have it."""
        first, *others = await asyncio.gather(*self.tasks)
        assert all(log == first for log in others), "readers differ"
        return first


async def begun(server: CommandServer, name: str, n: int) -> str:
    return await start(server.port, name, {"n": n}, secrets.token_hex(16))


async def test_runs_of_a_killed_process_are_read_whole_through_the_other(
    servers: list[CommandServer], notes: Path
) -> None:
    victim, other = servers
    async with asyncio.timeout(2 * SOON), asyncio.TaskGroup() as group:
        once = Followed(await begun(victim, "count", ENDLESS), other, group)
        again = Followed(await begun(victim, "count_again", 60), other, group)
        for followed in (once, again):
            await followed.has_begun()

        victim.kill()
        victim.start()

        logs = [await once.log(), await again.log()]

    assert logs[0][-1][2]["code"] == "INTERRUPTED"
    check_values(logs[1])
    assert [note for note in notes_in(notes) if note[:2] == ("started", once.run_id)] == [
        ("started", once.run_id, 1)
    ]


async def test_a_cancel_reaches_a_run_in_the_other_process(servers: list[CommandServer]) -> None:
    owner, other = servers
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        followed = Followed(await begun(owner, "count", ENDLESS), other, group)
        await followed.has_begun()
        asked = asyncio.get_running_loop().time()

        path = f"/runs/{followed.run_id}/cancel"
        answer = await fetch(other.port, request("POST", path, body=b""))
        log = await followed.log()

    assert answer.json()["cancelRequested"] is True
    assert log[-1][1:] == ("cancelled", log[-1][2])
    assert asyncio.get_running_loop().time() - asked < 10 * LEASE
