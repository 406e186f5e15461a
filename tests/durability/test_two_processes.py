"""Two processes with one file: each can do what has to be done to the other's runs."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.durability.readers import Log, Reader, read_events, read_lines, read_through, start
from tests.support.chaos import ChaosProxy, Fault, script_of
from tests.support.command import CommandServer, served
from tests.support.notes import LEASE, notes_in
from tests.support.wire import fetch, request

SOON = 30.0
WITHIN = 10.0
"""Seconds within which a cancel has to reach the other process: a third of the lease, and ample."""


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[list[CommandServer]]:
    env = {"RUNS_STORE": f"sqlite:///{tmp_path}/runs.db", "NOTES_FILE": str(tmp_path / "notes")}
    async with served("tests.support.durable:actions", tmp_path, env) as servers:
        yield servers


@pytest.fixture
def notes(tmp_path: Path) -> Callable[[], list[tuple[str, str, int]]]:
    return lambda: notes_in(tmp_path / "notes")


async def begun(server: CommandServer, name: str, n: int) -> str:
    """Start a run, and return its id when somebody has read something of it."""
    run_id = await start(server.port, name, {"n": n}, secrets.token_hex(16))
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reader = Reader(server.port, run_id)
        task = group.create_task(read_through(reader, read_events))
        await reader.has_news.wait()
        task.cancel()
    return run_id


async def log_at(server: CommandServer, run_id: str) -> Log:
    async with asyncio.timeout(SOON):
        return await read_through(Reader(server.port, run_id), read_lines)


async def freeze(server: CommandServer, other: CommandServer) -> None:
    """Stop a process, at a moment at which it keeps the other from nothing."""
    while True:
        os.killpg(server.process.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(2):
                await start(other.port, "count", {"n": 0}, secrets.token_hex(16))
        except TimeoutError:  # it has the file's lock
            os.killpg(server.process.pid, signal.SIGCONT)
        else:
            return


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110 - a file says it, not an event
            await asyncio.sleep(0.02)


async def test_a_process_that_slept_through_its_lease_changes_nothing(
    servers: list[CommandServer], notes: Callable[[], list[tuple[str, str, int]]]
) -> None:
    sleeper, other = servers
    once = await begun(sleeper, "count", 1_000_000)
    again = await begun(sleeper, "count_again", 100)

    await freeze(sleeper, other)
    try:
        logs = [await log_at(other, once), await log_at(other, again)]
    finally:
        os.killpg(sleeper.process.pid, signal.SIGCONT)
    # Its actions have been stopped when they say so: what they did until then came to nothing.
    await until(lambda: {("left", once, 1), ("left", again, 1)} <= {*notes()})

    assert logs[0][-1][2]["code"] == "INTERRUPTED"
    assert [kind for _, kind, _ in logs[1] if kind != "chunk"] == ["restarted", "done"]
    for server in servers:
        assert [await log_at(server, once), await log_at(server, again)] == logs
    started = [note for note in notes() if note[0] == "started" and note[1] in {once, again}]
    assert sorted(started) == sorted(
        [("started", once, 1), ("started", again, 1), ("started", again, 2)]
    )


async def test_a_cancel_reaches_a_run_in_the_other_process(
    servers: list[CommandServer], notes: Callable[[], list[tuple[str, str, int]]]
) -> None:
    owner, other = servers
    run_id = await begun(owner, "count", 1_000_000)

    answer = await fetch(other.port, request("POST", f"/runs/{run_id}/cancel", body=b""))
    async with asyncio.timeout(WITHIN):
        log = await read_through(Reader(other.port, run_id), read_events)

    assert (answer.status, answer.json()["cancelRequested"]) == (200, True)
    assert log[-1][1:] == ("cancelled", log[-1][2])
    assert log[-1][2]["data"] == {"reason": "requested"}
    assert ("left", run_id, 1) in notes()


async def test_the_runs_of_a_process_that_died_are_ended_by_the_other(
    servers: list[CommandServer],
) -> None:
    victim, other = servers
    runs = [await begun(victim, "count", 1_000_000) for _ in range(3)]

    victim.kill()
    async with asyncio.timeout(LEASE + SOON):
        logs = [await log_at(other, run_id) for run_id in runs]

    assert [log[-1][2]["code"] for log in logs] == ["INTERRUPTED"] * 3


async def test_a_start_whose_answer_is_lost_or_which_comes_twice_is_one_run(
    servers: list[CommandServer], notes: Callable[[], list[tuple[str, str, int]]]
) -> None:
    faults = [
        Fault(cut_after=0),
        Fault(repeats_request=True, cut_after=0),
        Fault(cut_after=20),
        Fault(refuses=True),
        Fault(repeats_request=True),
    ]
    async with ChaosProxy(servers[0].port, lambda number: faults[number % 5]) as proxy:
        keys = [secrets.token_hex(16) for _ in range(10)]
        first = [await start(proxy.port, "count", {"n": 3}, key) for key in keys]
    # The same starts again, at the other process.
    second = [await start(servers[1].port, "count", {"n": 3}, key) for key in keys]

    for run_id in first:
        assert len(await log_at(servers[1], run_id)) == 4

    assert first == second
    assert sorted(run for what, run, _ in notes() if what == "started") == sorted(first)


async def test_a_shared_feed_is_one_run_in_all_processes(
    servers: list[CommandServer], notes: Callable[[], list[tuple[str, str, int]]]
) -> None:
    opening = request("GET", "/follow?topic=news", {"Prefer": "respond-async"})

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        answers = [
            group.create_task(fetch(server.port, opening)) for server in servers for _ in range(10)
        ]
    (run_id,) = {answer.result().headers["run-id"] for answer in answers}

    for server in servers:
        reader = Reader(server.port, run_id)
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            reading = group.create_task(read_through(reader, read_events))
            await reader.has_news.wait()
            reading.cancel()
        assert reader.log == [(1, "chunk", "news")]
    assert [note for note in notes() if note[0] == "started"] == [("started", run_id, 1)]


async def test_a_start_over_a_kill_is_one_run(
    servers: list[CommandServer], notes: Callable[[], list[tuple[str, str, int]]]
) -> None:
    victim, other = servers
    for _ in range(3):
        key = secrets.token_hex(16)
        async with ChaosProxy(victim.port, script_of(Fault(freezes_after=0))) as proxy:
            # The start has reached the server; its answer, if there is one, reaches nobody.
            unanswered = asyncio.ensure_future(  # noqa: TID251 - cancelled below
                start(proxy.port, "count", {"n": 1_000_000}, key)
            )
            await until(lambda: proxy.connections > 0)
            victim.kill()
            unanswered.cancel()
            await asyncio.wait({unanswered})
        victim.start()
        await victim.wait_until_listening()

        made = {await start(server.port, "count", {"n": 1_000_000}, key) for server in servers}

        assert len(made) == 1
        begun = [note for note in notes() if note[0] == "started" and note[1] in made]
        assert len(begun) <= 1
        (run_id,) = made
        await fetch(other.port, request("POST", f"/runs/{run_id}/cancel", body=b""))
